"""A search on several hosts: who gets in, and what becomes of it when one dies and another is cut off for a while.

The hosts are network namespaces, which needs root and iproute2; without them these tests are skipped and say so. What
happens to a host happens while a trial is at work there, however fast the machine is: every trial waits amid its
training until its host has a file.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pandas as pd
import pytest

import search
from search.history import ledger
from search.history.events import State, parse
from search.history.record import Record
from tests.hosts import missing, network, start_head, start_worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

SPACE = """
import time
from pathlib import Path

from torch import nn
from search.spaces import config_of


class Waiting(nn.Linear):
    validated = 0

    def train(self, mode=True):
        self.validated += not mode
        return super().train(mode)

    def forward(self, images):
        if self.training:
            time.sleep(0.01)  # so that a checkpoint takes less than its share of the time
            while self.validated >= 4 and not (Path.home() / "go").exists():
                time.sleep(0.05)
        return super().forward(images.flatten(1))


def network(input_shape, num_classes):
    return Waiting(input_shape[0] * input_shape[1] * input_shape[2], num_classes)


def space(trial):
    trial.suggest_categorical("network", ("waiting:network",))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_float("sgd/lr", 1e-3, 1e-1, log=True)
    trial.suggest_categorical("batch_size", (16, 32))
    return config_of(trial.params)
"""
LAUNCH = ("launch", "--dataset", "digits", "--data-dir", "data")
SEARCH = (
    *(*LAUNCH, "--limit-train", "300", "--space", "waiting:space", "--augment", "none", "--scheduler", "none"),
    *("--samples", "6", "--epochs", "8", "--seed", "5", "--name", "moved"),
    *("--precision", "float32"),  # the default is measured, by each of these hosts for itself
)


PATIENCE = 200  # seconds, for what takes a few where nothing else computes


def let_go(host):
    """Trials at this host no longer wait."""
    (host.home / "go").touch()


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with network(tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(net):
    """A head and two workers, a slot each."""
    head, first, second = net.host("head"), net.host("first"), net.host("second")
    address = start_head(head)
    for host in (first, second):
        start_worker(host, address)
    return SimpleNamespace(head=head, first=first, second=second, address=address)


def nodes(cluster):
    code = (
        "import ray, sys; ray.init(sys.argv[1]); print(*(n['NodeManagerHostname'] for n in ray.nodes() if n['Alive']))"
    )
    return set(cluster.head.run("python", "-c", code, cluster.address).stdout.split())


def http_status(host, url, token=""):
    """What a server answers to a POST that would start a command; 0 when nothing listens."""
    code = (
        "import sys, urllib.request, urllib.error\n"
        "url, token = sys.argv[1:]\n"
        "headers = {'Content-Type': 'application/json'} | ({'Authorization': f'Bearer {token}'} if token else {})\n"
        'try: print(urllib.request.urlopen(urllib.request.Request(url, b\'{"entrypoint": "true"}\', headers)).status)\n'
        "except urllib.error.HTTPError as error: print(error.code)\n"
        "except urllib.error.URLError: print(0)\n"
    )
    return int(host.run("python", "-c", code, url, token).stdout)


def refused(host, mode, *command):
    """Whether Ray turns a command away for its token, and for nothing else."""
    few = "RAY_NUM_REDIS_GET_RETRIES=1"  # by default a wrong token is tried for twenty seconds
    done = host.run("env", f"RAY_AUTH_MODE={mode}", few, *command, timeout=PATIENCE)
    return done.returncode != 0 and "AuthenticationError" in done.stderr


def test_who_has_no_token_or_a_wrong_one_is_turned_away(net, cluster):
    stranger, guesser = net.host("stranger", token=None), net.host("guesser", token="0" * 64)
    driver = ("python", "-c", f"import ray; ray.init('{cluster.address}')")
    join = ("ray", "start", f"--address={cluster.address}", "--num-cpus=1")
    status = ("ray", "status", f"--address={cluster.address}")
    tries = [
        *((stranger, "disabled", command) for command in (driver, status)),
        *((guesser, "token", command) for command in (driver, join, status)),
    ]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda each: refused(each[0], each[1], *each[2]), tries))
    assert all(answers), [each for each, answer in zip(tries, answers, strict=True) if not answer]
    for host in (stranger, guesser):
        done = host.run("hpsearch", *LAUNCH, "--space", "cnn5", "--address", cluster.address, timeout=PATIENCE)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "token" in done.stderr
        assert "0" * 64 not in done.stderr
    assert nodes(cluster) == {"head", "first", "second"}


def test_jobs_are_taken_over_http_on_the_head_alone_and_with_the_token_alone(net, cluster):
    for port, path in ((8265, "api/jobs/"), (52365, "api/job_agent/jobs/")):
        here = f"http://127.0.0.1:{port}/{path}"
        assert http_status(cluster.head, here) == 401
        assert http_status(cluster.head, here, "0" * 64) == 403
    assert http_status(cluster.head, "http://127.0.0.1:8265/api/jobs/", net.token) == 200
    assert http_status(cluster.first, f"http://{cluster.head.address}:8265/api/jobs/", net.token) == 0
    assert http_status(cluster.first, f"http://{cluster.head.address}:52365/api/job_agent/jobs/") == 401


class Story:
    """A search on the cluster, followed in its ledger."""

    def __init__(self, cluster):
        self.head, self.address = cluster.head, cluster.address
        (self.head.home / "waiting.py").write_text(SPACE)
        self.process = self.head.start("hpsearch", *SEARCH, "--address", self.address)
        self.results = self.head.home / "results"
        self.path = self.results / "moved" / "ledger.jsonl"

    def events(self, kind):
        return [e for e in ledger.read(self.path) if e["event"] == kind] if self.path.exists() else []

    def hosts(self):
        return {e["host"] for e in self.events("measured")}

    def at_work(self, host):
        """The newest checkpoint's measurement of a run that waits at a host, or None."""
        runs = Record(parse(ledger.read(self.path))).trials if self.path.exists() else ()
        at_work = [run.measurements for run in runs if run.state is State.RUNNING and run.measurements]
        waiting = next((each for each in at_work if each[-1].host == host.name and each[-1].epoch == 4), ())
        return next((m for m in reversed(waiting) if m.checkpoint), None)

    def attempts(self, trial):
        return [e for e in self.events("started") if e["trial"] == trial]

    def wait_for(self, condition, seconds=2 * PATIENCE):
        deadline = time.time() + seconds
        while not (found := condition()):
            assert time.time() < deadline, f"it did not happen in time: {self.head.log.read_text()[-3000:]}"
            assert self.process.poll() is None, f"the search ended too early: {self.head.log.read_text()[-3000:]}"
            time.sleep(0.2)
        return found


@pytest.fixture(scope="module")
def story(net, cluster):
    """A search: a third worker joins after its launch, one of the others dies, and the other is cut off for a while."""
    told, third = Story(cluster), net.host("third")
    told.lost = told.wait_for(lambda: told.at_work(cluster.first))
    told.cut_off = told.wait_for(lambda: told.at_work(cluster.second))
    start_worker(third, cluster.address)
    told.wait_for(lambda: told.at_work(third))
    cluster.first.kill()
    net.cut(cluster.second)
    told.cut = time.time()
    for host in (cluster.second, cluster.head, third):
        let_go(host)
    told.wait_for(lambda: len(told.attempts(told.cut_off.trial)) > told.cut_off.attempt)
    net.mend(cluster.second)
    told.mended = time.time()
    assert told.process.wait(timeout=2 * PATIENCE) == 0, told.head.log.read_text()[-3000:]
    return told


def test_a_search_trains_on_every_host_and_on_one_that_joins_later(story):
    assert story.hosts() == {"head", "first", "second", "third"}


def test_a_trial_of_a_host_that_died_goes_on_elsewhere_from_its_checkpoint(story):
    trial = story.lost.trial
    again = story.attempts(trial)[1]
    recorded = [e for e in story.events("measured") if e["trial"] == trial and e["checkpoint"]]
    last = [e for e in recorded if e["seq"] < again["seq"]][-1]
    assert again["images"] == last["images"] >= story.lost.images > 0
    goes_on = next(e for e in story.events("measured") if e["trial"] == trial and e["seq"] > again["seq"])
    assert goes_on["host"] != "first"
    assert goes_on["epoch"] == last["epoch"] + 1


def test_every_new_attempt_begins_at_the_last_recorded_checkpoint_or_at_the_seed(story):
    again = [e for e in story.events("started") if e["attempt"] > 1]
    assert {e["trial"] for e in again} >= {story.lost.trial, story.cut_off.trial}
    for start in again:
        before = [e for e in story.events("measured") if e["trial"] == start["trial"] and e["seq"] < start["seq"]]
        assert start["images"] == max((e["images"] for e in before if e["checkpoint"]), default=0)
    ends = [e for e in story.events("ended") if e["state"] == "interrupted"]
    assert [(e["trial"], e["attempt"] - 1) for e in again] == [(e["trial"], e["attempt"]) for e in ends]
    signs = ("died", "cut off", "cannot be reached")
    assert all(any(sign in e["reason"] for sign in signs) for e in ends), [e["reason"] for e in ends]


def test_what_a_cut_off_host_says_later_is_not_in_the_record(story):
    attempts = {}
    for event in ledger.read(story.path):
        if event["event"] in ("started", "measured", "ended"):
            assert event["attempt"] >= attempts.get(event["trial"], 0)
            attempts[event["trial"]] = event["attempt"]
    assert max(e["time"] for e in story.events("measured") if e["host"] == "second") < story.cut + 1 < story.mended
    assert list((story.path.parent / "checkpoints").iterdir()) == []


@pytest.fixture(scope="module")
def alone(net):
    """The same search on one host that nothing disturbs, and what listened there for connections meanwhile."""
    host = net.host("alone")
    (host.home / "waiting.py").write_text(SPACE)
    host.run("ip", "route", "add", "8.8.8.8", "dev", "eth0")  # Ray takes its address from the way to there
    process = host.start("hpsearch", *SEARCH)
    path = host.home / "results" / "moved" / "ledger.jsonl"
    while process.poll() is None and not (path.exists() and b'"measured"' in path.read_bytes()):
        time.sleep(0.2)
    listening = host.run("ss", "--tcp", "--listening", "--numeric", "--no-header").stdout.splitlines()
    let_go(host)
    assert process.wait(timeout=2 * PATIENCE) == 0, host.log.read_text()[-3000:]
    return SimpleNamespace(results=host.home / "results", listening=[line.split()[3] for line in listening])


def test_the_final_table_is_that_of_an_undisturbed_search(story, alone):
    ours, theirs = (search.load("moved", results=str(each.results)) for each in (story, alone))
    assert (ours.trials.state == "done").all()
    assert all(ours.search.facts[each] == theirs.search.facts[each] for each in ("threads", "precision"))
    may_differ = ["seconds", "images_per_second", "attempt", "host", "pid", "time"]
    for table in ("trials", "epochs"):
        moved, undisturbed = (getattr(each, table).drop(columns=may_differ, errors="ignore") for each in (ours, theirs))
        pd.testing.assert_frame_equal(moved, undisturbed, check_exact=True)


def test_a_search_on_one_machine_listens_on_loopback_alone(alone):
    assert len(alone.listening) >= 10
    beyond = [each for each in alone.listening if not each.startswith(("127.0.0.1:", "[::ffff:127.0.0.1]:", "[::1]:"))]
    assert beyond == []
