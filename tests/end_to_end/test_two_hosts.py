"""A search on several hosts: who gets in, and what becomes of it when one dies and another is cut off for a while.

The hosts are network namespaces, which needs root and iproute2; without them these tests are skipped and say so.
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

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

SEARCH = (
    *("launch", "--dataset", "digits", "--data-dir", "data", "--limit-train", "300", "--space", "cnn5"),
    *("--augment", "none", "--scheduler", "none", "--samples", "8", "--epochs", "110", "--seed", "5"),
    *("--name", "moved"),
)


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
    done = host.run("env", f"RAY_AUTH_MODE={mode}", few, *command)
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
        done = host.run("hpsearch", *SEARCH, "--address", cluster.address)
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
        self.process = self.head.start("hpsearch", *SEARCH, "--address", self.address)
        self.results = self.head.home / "results"
        self.path = self.results / "moved" / "ledger.jsonl"

    def events(self, kind):
        return [e for e in ledger.read(self.path) if e["event"] == kind] if self.path.exists() else []

    def hosts(self):
        return {e["host"] for e in self.events("measured")}

    def at_work(self, host):
        """The last measurement of a run at a host that is far from its end, or None."""
        runs = Record(parse(ledger.read(self.path))).trials
        last = [run.measurements[-1] for run in runs if run.state is State.RUNNING and run.measurements]
        return next((m for m in last if m.host == host.name and m.epoch < 45), None)

    def attempts(self, trial):
        return [e for e in self.events("started") if e["trial"] == trial]

    def wait_for(self, condition, seconds=120):
        deadline = time.time() + seconds
        while not (found := condition()):
            assert time.time() < deadline, f"it did not happen in time: {self.head.log.read_text()[-3000:]}"
            assert self.process.poll() is None, f"the search ended too early: {self.head.log.read_text()[-3000:]}"
            time.sleep(0.2)
        return found


@pytest.fixture(scope="module")
def story(net, cluster):
    """A search: a third worker joins after its launch, one of the others dies, and the other is cut off for a while."""
    told = Story(cluster)
    told.wait_for(lambda: told.events("opened"))
    start_worker(net.host("third"), cluster.address)
    told.lost = told.wait_for(lambda: (last := told.at_work(cluster.first)) and last.checkpoint and last)
    cluster.first.kill()
    told.cut_off = told.wait_for(lambda: told.at_work(cluster.second))
    net.cut(cluster.second)
    told.cut = time.time()
    told.wait_for(lambda: len(told.attempts(told.cut_off.trial)) > told.cut_off.attempt)
    net.mend(cluster.second)
    told.mended = time.time()
    assert told.process.wait(timeout=200) == 0, told.head.log.read_text()[-3000:]
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
    host.run("ip", "route", "add", "8.8.8.8", "dev", "eth0")  # Ray takes its address from the way to there
    process = host.start("hpsearch", *SEARCH)
    while process.poll() is None and "trial 0" not in host.log.read_text():
        time.sleep(0.2)
    listening = host.run("ss", "--tcp", "--listening", "--numeric", "--no-header").stdout.splitlines()
    assert process.wait(timeout=250) == 0, host.log.read_text()[-3000:]
    return SimpleNamespace(results=host.home / "results", listening=[line.split()[3] for line in listening])


def test_the_final_table_is_that_of_an_undisturbed_search(story, alone):
    ours, theirs = (search.load("moved", results=str(each.results)) for each in (story, alone))
    assert (ours.trials.state == "done").all()
    assert ours.search.facts["threads"] == theirs.search.facts["threads"]
    may_differ = ["seconds", "images_per_second", "attempt", "host", "pid", "time"]
    for table in ("trials", "epochs"):
        moved, undisturbed = (getattr(each, table).drop(columns=may_differ, errors="ignore") for each in (ours, theirs))
        pd.testing.assert_frame_equal(moved, undisturbed, check_exact=True)


def test_a_search_on_one_machine_listens_on_loopback_alone(alone):
    assert len(alone.listening) >= 10
    beyond = [each for each in alone.listening if not each.startswith(("127.0.0.1:", "[::ffff:127.0.0.1]:", "[::1]:"))]
    assert beyond == []
