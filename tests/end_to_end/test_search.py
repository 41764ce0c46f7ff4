"""The installed command with a real Ray: its workers, their deaths, Ctrl-C, and what is left of both."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener, urlopen

import pandas as pd
import pytest

from search.history import ledger
from search.history.ledger import LedgerError
from search.machines import tokens
from tests.docker.repository import DOCKER, dashboard_queries
from tests.end_to_end.commands import (
    COMMAND,
    INLINE,
    forked,
    hpsearch,
    loaded,
    make_home,
    measured,
    small_search,
    start,
    wait_for,
)
from tests.search.rays import free_ports

#: Starts the command as `uv run` would: below a process of that command line.
RUN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a user's own space and network."""
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def amid(tmp_path_factory):
    """Another one with a finished search, amid whatever is in the way of Python.

    There are modules of known names in the working folder and on PYTHONPATH, and it was started below `uv run`.
    """
    folder = make_home(tmp_path_factory.mktemp("amid"))
    (folder / "architectures").mkdir()
    (folder / "architectures" / "__init__.py").touch()
    for name in ("random", "queue", "torch", "trainables"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} of the user')\n")
    (folder / "lib").mkdir()
    (folder / "lib" / "search.py").write_text("raise SystemExit('search of the user')\n")
    (folder / "run").write_text(RUN)
    done = subprocess.run(
        ["uv", "run", COMMAND, *small_search("first", "--parallel", "2")],
        executable=sys.executable,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "lib")},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "http://127.0.0.1:" in done.stderr
    assert done.stderr.index("forecast: about") < done.stderr.index("trial 0: ")
    return folder


@pytest.mark.slow
def test_workers_import_what_is_installed_and_a_users_own_network(amid):
    trials = loaded(amid, "first").trials
    assert trials.state.isin(["done", "stopped"]).all()
    assert (trials.attempt == 1).all(), "no worker has died"
    assert "small:linear" in set(trials.network), "a network of the working folder was trained"
    dry = hpsearch(*small_search("dry", "--samples", "2", "--dry-run"), cwd=amid)
    assert "epochs" in dry.stdout
    assert {"asha", "asha-promote", "halving", "none"} <= {
        line.split()[0] for line in dry.stdout.splitlines() if line.split()
    }


@pytest.mark.slow
def test_the_forecast_was_made_in_the_workers_before_the_first_measurement(amid):
    found = json.loads((amid / "results" / "first" / "search.json").read_text())["forecast"]
    assert 8 <= found["epochs"]["low"] <= found["epochs"]["middle"] <= found["epochs"]["high"] <= 32
    assert 0 < found["seconds"]["low"] <= found["seconds"]["middle"]
    assert {row["network"] for row in found["families"]} == {"cnn5", "small:linear"}
    assert sum(row["trials"] for row in found["families"]) == 8
    status = forked("status", "first", "--json", cwd=amid)
    assert json.loads(status.stdout)["forecast"]["epochs"] == found["epochs"]
    assert "forecast   about" in forked("status", "first", cwd=amid).stdout


@pytest.mark.slow
def test_workers_stay_warm_and_bring_every_trial_to_its_end(amid):
    first = loaded(amid, "first")
    assert set(first.trials.state) == {"done", "stopped"}
    # Fewer than slots where the second one's start takes longer than the search.
    assert first.epochs.pid.nunique() <= first.search.facts["slots"] < len(first.trials)


@pytest.mark.slow
def test_ctrl_c_closes_the_record_and_resume_grows_the_search(home, amid):
    process = start(home, *small_search("stopped-by-hand", "--epochs", "1000"))  # an epoch takes milliseconds
    path = home / "results" / "stopped-by-hand" / "ledger.jsonl"
    wait_for(lambda: measured(path) >= 3)
    assert loaded(home, "stopped-by-hand").running
    with pytest.raises(LedgerError, match="running in another process"):
        ledger.Ledger(path)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert "hpsearch resume stopped-by-hand" in (home / "log.txt").read_text()
    assert json.loads(forked("status", "stopped-by-hand", "--json", cwd=home).stdout)["state"] == "interrupted"
    forked("resume", "stopped-by-hand", "--samples", "10", *INLINE, cwd=home)
    trials = loaded(home, "stopped-by-hand").trials
    assert len(trials) == 10
    assert trials.state.isin(["done", "stopped"]).all()
    columns = ["network", "optimizer", "lr", "batch_size"]
    pd.testing.assert_frame_equal(trials[columns][:8], loaded(amid, "first").trials[columns])


@pytest.mark.slow
def test_a_worker_that_dies_is_recorded_the_others_go_on_and_resume_tries_again(home):
    process = start(home, *small_search("bereaved", "--scheduler", "none", "--epochs", "12", "--retries", "0"))
    path = home / "results" / "bereaved" / "ledger.jsonl"
    wait_for(lambda: measured(path) >= 3)
    os.kill(next(e["pid"] for e in reversed(ledger.read(path)) if e["event"] == "measured"), signal.SIGKILL)
    assert process.wait(timeout=200) == 1, "something failed while running"
    trials = loaded(home, "bereaved").trials
    assert trials.state.value_counts().to_dict() == {"done": 7, "failed": 1}
    assert trials.query("state == 'failed'").reason.item() == "the worker's process died: killed, perhaps for memory"
    assert "1 of 8 trials failed" in (home / "log.txt").read_text()
    forked("resume", "bereaved", *INLINE, cwd=home)
    assert (loaded(home, "bereaved").trials.state == "done").all(), "a resume gives what failed another attempt"


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_trial_an_attempt_and_nothing_else(home):
    search = ("--scheduler", "none", "--epochs", "24")
    process = start(home, *small_search("tried-again", *search))
    path = home / "results" / "tried-again" / "ledger.jsonl"
    wait_for(lambda: any(e.get("checkpoint") for e in ledger.read(path)) if path.exists() else False)
    killed = next(e for e in reversed(ledger.read(path)) if e["event"] == "measured" and e["state"] == "running")
    os.kill(killed["pid"], signal.SIGKILL)
    assert process.wait(timeout=200) == 0
    found = loaded(home, "tried-again")
    assert (found.trials.state == "done").all()
    assert sorted(found.trials.attempt) == [1] * 7 + [2]
    assert (found.epochs.groupby("trial").epoch.count() == 24).all(), "each epoch counts once"
    (retry,) = json.loads(forked("status", "tried-again", "--json", cwd=home).stdout)["retries"]
    assert retry["reason"] == "the worker's process died: killed, perhaps for memory"
    assert list((home / "results" / "tried-again" / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_while_ray_starts_ends_with_one_line_and_leaves_no_ray(home):
    process = start(home, *small_search("too-early"))
    wait_for(lambda: "starting Ray" in (home / "log.txt").read_text())
    time.sleep(1)  # into Ray's start, or the imports before it
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    log = (home / "log.txt").read_text()
    assert "hpsearch resume too-early" in log
    assert "Traceback" not in log and "Exception" not in log
    wait_for(lambda: not alive_in_session(process.pid))
    state = json.loads(forked("status", "too-early", "--json", cwd=home).stdout)
    assert (state["state"], sum(state["trials"].values())) == ("interrupted", 0)


def alive_in_session(leader):
    """Ids of the processes of a session, without those that have ended and wait to be reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def endless(home):
    """A search with one worker that has begun and goes on; Ray reports its metrics every two seconds."""
    search = small_search("twice", "--epochs", "100000", "--scheduler", "none", "--parallel", "1")
    process = start(home, *search, RAY_metrics_report_interval_ms="2000")
    path = home / "results" / "twice" / "ledger.jsonl"
    try:
        wait_for(lambda: measured(path) >= 3)
        yield process
    finally:
        process.kill()


@pytest.mark.slow
def test_a_worker_is_titled_by_what_it_trains_which_rays_dashboard_shows(home, endless):
    events = ledger.read(home / "results" / "twice" / "ledger.jsonl")
    worker = next(event["pid"] for event in reversed(events) if event["event"] == "measured")
    title = Path(f"/proc/{worker}/cmdline")
    wait_for(lambda: re.match(rb"ray::hpsearch trial \d: (cnn5|small:linear), sgd \d", title.read_bytes()))


@pytest.mark.slow
def test_a_launch_says_where_rays_dashboard_answers_and_which_token_it_asks_for(home, endless):
    log = home / "log.txt"
    wait_for(lambda: "its token, to paste there: cat " in log.read_text())
    address, _, rest = log.read_text().partition("Ray's dashboard: ")[2].partition("\nits token, to paste there: cat ")
    assert Path(shlex.split(rest.splitlines()[0])[0]).read_text().strip() == tokens.token()
    open_url = build_opener(ProxyHandler({})).open
    assert open_url(Request(f"{address}/api/version", headers=tokens.header())).status == 200
    with pytest.raises(HTTPError, match="401"):
        open_url(f"{address}/api/v0/actors")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
def test_prometheus_answers_every_query_of_the_dashboard(endless, tmp_path):
    config = (DOCKER / "metrics" / "local.yaml").read_text()
    config = config.replace("/tmp/ray", str(rays_folder(endless.pid))).replace(": 10s", ": 1s")
    (tmp_path / "prometheus.yaml").write_text(config)
    (port,) = free_ports(1)
    options = ("--config.file=prometheus.yaml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}")
    with (tmp_path / "log.txt").open("w") as log:
        prometheus = subprocess.Popen(["prometheus", *options], cwd=tmp_path, stdout=log, stderr=log)
    try:
        for query in dashboard_queries():
            words = query.replace("$search", "twice").replace("$__rate_interval", "1m")
            wait_for(lambda words=words: answers(port, words), 60)
        assert answers(port, 'ray_hpsearch_trials{search="twice", state="running"}')[0]["value"][1] == "1"
        assert 0 < float(answers(port, 'ray_hpsearch_best_value{search="twice"}')[0]["value"][1]) <= 1
    finally:
        prometheus.kill()
        prometheus.wait()


def rays_folder(leader):
    """The folder of the Ray that a process of this session has started."""
    for pid in alive_in_session(leader):
        if found := re.search(rb"/[^ =\0]+/session_[\d_-]+", Path(f"/proc/{pid}/cmdline").read_bytes()):
            return Path(os.fsdecode(found[0]))
    raise AssertionError("it has started no Ray")


def answers(port, query):
    """What Prometheus has now; nothing while it starts."""
    address = f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': query})}"
    with suppress(OSError), urlopen(address) as answer:
        return json.load(answer)["data"]["result"]
    return []


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(home, endless):
    path = home / "results" / "twice" / "ledger.jsonl"
    os.kill(endless.pid, signal.SIGINT)
    time.sleep(0.3)
    before = time.time()
    os.kill(endless.pid, signal.SIGINT)
    assert endless.wait(timeout=20) == 130
    assert time.time() - before < 3
    assert "hpsearch resume twice" in (home / "log.txt").read_text()
    assert len(ledger.read(path)) == len(path.read_text().splitlines()), "no line is torn"
