"""What we use of Ray's private names does what it is used for; a real Ray shows it, and no root is needed."""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import search
from search.machines import ray_private
from tests.search import rays

ROOT = Path(search.__file__).parents[1]

SCRIPT = """
import json, os, signal, socket, sys, time, urllib.request
from contextlib import suppress
from pathlib import Path
Path("random.py").write_text("raise SystemExit")  # in the working folder, where Python does not look with -P
from search.machines import local_ray, ray_private, ray_processes, tokens
from search.machines.machine import Machine
import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "1"
taken = socket.socket()  # the port of another Ray's agent on this machine
with suppress(OSError):  # there is one already
    taken.bind(("127.0.0.1", 52365))
meanwhile, heard = [], []
signal.signal(signal.SIGTERM, lambda *_: heard.append(len(meanwhile)))


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


masks = [umask()]


def be_asked_to_end():
    masks.append(umask())
    signal.raise_signal(signal.SIGTERM)
    meanwhile.append(1)


local_ray.start(Machine(slots=2, threads=1, num_gpus=0, device="cpu", precision="float32"), be_asked_to_end)
signal.raise_signal(signal.SIGTERM)


@ray.remote(num_cpus=0)
def look_for_modules():
    import random
    ray_private.show("trial 7")
    Path("modes").touch()
    mode = Path("modes").stat().st_mode & 0o777
    return [random.__file__, sys.path, Path("/proc/self/cmdline").read_text(), mode]


class Trainable(tune.Trainable):
    def setup(self, config):
        self.config = config

    def reset_config(self, config):
        self.config = config
        return True

    def step(self):
        # Nobody goes on before both actors train, whatever else the machine has to do: first with the first four, then
        # with the last two.
        part = Path(os.environ["HOME"], "late" if self.config["number"] > 4 else "early")
        part.mkdir(exist_ok=True)
        (part / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len(list(part.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        return {"pid": os.getpid(), "done": self.iteration == 1}


# ---- ports

def descendants(pid):
    '''This process and all that it started, directly or not.'''
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def look():
    processes = []
    for pid in descendants(os.getpid()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\\0")
        except OSError:
            continue
        processes.append(ray_processes.Process(pid, words[0]))
    # Of both looks: the workers are seen while they train, the dashboard's parts once it answers.
    found.setdefault("programs", []).extend(process.program for process in processes)
    seen = [[port.address, port.number, port.beyond_loopback] for port in ray_processes.ports(processes)]
    found["ports"] = found.get("ports", []) + [port for port in seen if port not in found.get("ports", [])]


# ---- Tune: four trials, a while with nothing to do, and two more

class Feed(Searcher):
    given, ended, since = 0, 0, None

    def suggest(self, trial_id):
        if self.given == 4:
            if self.ended < 4:
                return None
            self.since = self.since or time.monotonic()
            if time.monotonic() - self.since < 1:
                return None
        if self.given == 6:
            return Searcher.FINISHED
        self.given += 1
        return {"number": self.given}

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.ended += 1

    def save(self, path): pass
    def restore(self, path): pass


class Judge(FIFOScheduler):
    warm = False

    def choose_trial_to_run(self, controller):
        trials = controller.get_trials()
        if trials and not self.warm:
            self.warm = True
            ray_private.keep_actors_warm(controller, trials[0], 2)
            ray_private.allow_pending_trials(controller, 3)
        waiting = [trial for trial in trials if trial.status == "PENDING"]
        having = ray_private.trials_with_actors(controller)
        most("pending", len(waiting))
        most("live", len(ray_private.live_actors(controller)))
        most("with_actors", len(having & set(trials)))
        return next((trial for trial in waiting if trial not in having), None)

    def on_trial_result(self, controller, trial, result):
        found["pids"].append(result["pid"])
        if "ports" not in found:
            look()
        return super().on_trial_result(controller, trial, result)

    def on_trial_complete(self, controller, trial, result):
        found["pids"].append(result["pid"])
        kept = (trial.run_metadata.metric_analysis, trial.run_metadata.metric_n_steps)
        before = [len(each) for each in kept]
        ray_private.forget_metrics(trial)
        found["metrics"] = [before, [len(each) for each in kept]]


def most(name, number):
    found[name] = max(found.get(name, 0), number)


logs = ray_private.log_folder()
token = tokens.token_file()
modes = [each.stat().st_mode & 0o777 for each in (logs.parent, token)]
found = {"pids": [], "modules": ray.get(look_for_modules.remote()), "logs": [each.name for each in logs.iterdir()]}
found["private"], found["umask"] = modes, masks
found["agent"] = (logs / "dashboard_agent.log").read_text()
tuner = tune.Tuner(
    tune.with_resources(Trainable, {"CPU": 1}),
    tune_config=tune.TuneConfig(search_alg=Feed(), scheduler=Judge(), num_samples=-1, reuse_actors=True),
    run_config=tune.RunConfig(
        storage_path=os.getcwd(),
        verbose=0,
        callbacks=[tune.Callback()],
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
    ),
)
ray_private.count_no_callbacks()
tuner.fit()
found["imported"] = sorted({"mlflow", "wandb", "torch"} & set(sys.modules))
found["meanwhile"], found["heard"] = len(meanwhile), heard
until = time.monotonic() + 60
while local_ray.dashboard() is None and time.monotonic() < until:
    time.sleep(0.2)
found["pages"] = {}
for page in ("nodes?view=summary", "api/v0/actors", "api/jobs/", "events", "api/cluster_status"):
    asked = urllib.request.Request(f"{local_ray.dashboard()}/{page}", headers=tokens.header())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=30) as answer:
        found["pages"][page] = answer.read().decode()
look()
local_ray.stop()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What a local Ray and Tune on it have shown."""
    home = tmp_path_factory.mktemp("home")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT],
        cwd=home,
        env=variables | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]) | {"home": str(home)}


@pytest.mark.slow
def test_every_port_of_a_ray_that_a_launch_starts_is_on_loopback(found):
    programs = " ".join(found["programs"])
    for part in ("gcs_server", "raylet", "ray::Trainable", "dashboard"):
        assert part in programs, "not all of its processes were looked at"
    assert len(found["ports"]) >= 5
    assert [port for port in found["ports"] if port[2]] == []


@pytest.mark.slow
def test_no_process_starts_that_a_single_machine_does_not_need(found):
    assert not [name for name in found["programs"] if "monitor" in name]
    assert not [name for name in found["logs"] if name.startswith(("monitor", "log_monitor"))]
    assert "dashboard.log" in found["logs"]


@pytest.mark.slow
def test_the_dashboard_shows_machines_actors_and_jobs_and_has_no_process_for_what_a_search_does_not_use(found):
    assert '"ALIVE"' in found["pages"]["nodes?view=summary"]
    assert "Trainable" in found["pages"]["api/v0/actors"]
    assert '"RUNNING"' in found["pages"]["api/jobs/"]
    assert all(found["pages"].values())
    parts = {name.split("-")[2] for name in found["programs"] if name.startswith("ray-dashboard-")}
    assert parts == {"NodeHead", "StateHead", "JobHead", "EventHead", "ReportHead", "MetricsHead"}


@pytest.mark.slow
def test_a_session_hears_a_sigterm_while_a_ray_starts_and_afterwards(found):
    assert found["heard"] == [0, 1]


@pytest.mark.slow
def test_the_driver_works_while_a_ray_starts(found):
    assert found["meanwhile"] == 1


@pytest.mark.slow
def test_a_second_ray_does_not_wait_for_a_port_of_the_first(found):
    assert "Agent" in found["agent"]
    assert "Failed to bind" not in found["agent"]


@pytest.mark.slow
def test_workers_import_what_is_installed_and_do_not_look_into_the_working_folder(found):
    random, path, *_ = found["modules"]
    assert Path(random).is_relative_to(sys.base_prefix)
    assert found["home"] not in path
    assert "raylet.err" in found["logs"]


@pytest.mark.slow
def test_only_this_user_reads_what_ray_writes_and_what_a_worker_writes_is_as_open_as_the_session_s(found):
    assert found["private"] == [0o700, 0o600]
    umask = os.umask(0)
    os.umask(umask)
    assert found["modules"][3] == 0o666 & ~umask
    assert found["umask"] == [umask, umask], "other threads write while Ray starts"


@pytest.mark.slow
def test_a_worker_shows_what_it_does_as_the_title_of_its_process(found):
    assert found["modules"][2].rstrip("\0") == "ray::hpsearch trial 7"


@pytest.mark.slow
def test_idle_actors_stay_warm_and_train_what_comes_later(found):
    assert found["live"] == len(set(found["pids"])) == 2
    assert len(set(found["pids"][-4:])) == 2, "both have trained after the pause; Tune alone would have kept one"


@pytest.mark.slow
def test_trials_have_actors_or_wait_for_them(found):
    assert found["pending"] >= 2, "more than TUNE_MAX_PENDING_TRIALS_PG said"
    assert found["with_actors"] == 2


@pytest.mark.slow
def test_a_trials_metrics_are_forgotten(found):
    before, after = found["metrics"]
    assert all(before) and after == [0, 0]


@pytest.mark.slow
def test_nothing_is_imported_to_count_callbacks(found):
    for name in ("mlflow", "wandb"):
        assert find_spec(name), "the extras of tests bring both"
    assert found["imported"] == []


def test_the_ray_that_runs_here_is_found_by_its_variable_or_not_at_all(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert ray_private.running_here() == "10.0.0.5:6379"


def test_nobody_answers_for_a_head():
    import grpc

    (port,) = rays.free_ports(1)
    with pytest.raises(grpc.RpcError) as raised:
        ray_private.raylets(f"127.0.0.1:{port}", {}, 5)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_private_modules_of_ray_are_imported_in_one_file_alone():
    private = {}
    for package in ("architectures", "trainables", "search"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                for name in names:
                    first, *parts = name.split(".")
                    if first == "ray" and (parts[:1] == ["core"] or any(part.startswith("_") for part in parts)):
                        private.setdefault(file.relative_to(ROOT).as_posix(), []).append(name)
    assert set(private) == {"search/machines/ray_private.py"}, private
