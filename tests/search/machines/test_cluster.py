"""A cluster that is there, or not, or lets nobody in; and a search on a real one."""

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

import search
from search.machines import cluster, host, nodes  # before Ray
from search.machines.cluster import ClusterError
from tests.search import rays
from tests.search.machines.files import write
from trainables import limits

# isort: split
from ray.core.generated.gcs_service_pb2 import GetAllNodeInfoReply
from ray.core.generated.gcs_service_pb2_grpc import (
    NodeInfoGcsServiceServicer,
    add_NodeInfoGcsServiceServicer_to_server,
)


def refusal(address):
    """The error's one line, and that it came soon."""
    began = time.monotonic()
    with pytest.raises(ClusterError) as raised:
        cluster.connect(address)
    assert time.monotonic() - began < 20
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- addresses


@pytest.mark.parametrize(
    "address", ["", "head", "head:", ":6379", "head:port", "head:0", "head:99999", "a b:1", "h:1/"]
)
def test_an_address_is_a_host_and_a_port(address):
    assert "HOST:PORT, such as 10.0.0.5:6379" in refusal(address)


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265", "https://head"])
def test_other_ways_to_a_cluster_are_refused_with_what_would_be_right(address):
    line = refusal(address)
    assert address in line and "ray start --address=HOST:PORT" in line and "--submit http://HEAD:8265" in line


def test_auto_is_the_cluster_of_the_job_that_this_is_or_of_this_machine(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert cluster.resolve("auto") == "10.0.0.5:6379"
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    assert "ray start --address" in refusal("auto")


# ---- who answers


def test_nobody_answers(monkeypatch):
    (port,) = rays.free_ports(1)
    assert "no Ray cluster answers at 127.0.0.1" in refusal(f"127.0.0.1:{port}")
    assert "no Ray cluster answers at nosuchhost.invalid" in refusal("nosuchhost.invalid:6379")


def test_somebody_takes_the_call_and_says_nothing(monkeypatch):
    monkeypatch.setattr(cluster, "HEAD_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "(nothing within 1 s)" in refusal(f"127.0.0.1:{silent.getsockname()[1]}")


class OpenHead(NodeInfoGcsServiceServicer):
    """Answers for a cluster without machines, whoever asks."""

    def GetAllNodeInfo(self, request, context):  # noqa: N802
        return GetAllNodeInfoReply()


def test_a_cluster_that_asks_for_no_token_is_used_only_when_that_is_meant(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    server = grpc.server(ThreadPoolExecutor(1))
    add_NodeInfoGcsServiceServicer_to_server(OpenHead(), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        assert "asks for no token, so whoever reaches it may run code on its machines" in refusal(address)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        with pytest.warns(UserWarning, match="asks for no token: whoever reaches it"):
            assert "must run on a machine of the cluster" in refusal(address)
    finally:
        server.stop(None)


# ---- a real cluster


BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    home = tmp_path_factory.mktemp("head")
    with rays.head(PATH=f"{BIN}:{os.environ['PATH']}", HOME=str(home)) as started:
        yield started


def test_a_stranger_is_turned_away_and_told_where_the_token_belongs(head, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    line = refusal(head.address)
    assert "asks for a token, and there is none here" in line
    assert "RAY_AUTH_TOKEN," in line and "RAY_AUTH_TOKEN_PATH" in line and "~/.ray/auth_token" in line
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a wrong one")
    line = refusal(head.address)
    assert "a different token from this machine's, which is in the variable RAY_AUTH_TOKEN" in line
    assert "a wrong one" not in line
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert "RAY_AUTH_MODE=disabled keeps" in refusal(head.address)


def test_a_ray_that_is_no_head_does_not_answer_as_one(head):
    assert "no Ray cluster answers" in refusal(f"127.0.0.1:{head.dashboard}")


def test_a_driver_runs_on_a_node_of_its_cluster(head, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    (raylet,) = head.raylets()
    there = Path(raylet)
    there.rename(there.with_name("elsewhere"))  # as on a machine that the node does not run on
    try:
        line = refusal(head.address)
    finally:
        there.with_name("elsewhere").rename(there)
    assert "must run on a machine of the cluster" in line and f"ray start --address={head.address}" in line


SCRIPT = """
import json, os, sys
from pathlib import Path
from search.machines import cluster, nodes, own_modules
from search.machines.doctor import access
import ray

sys.path.append(os.getcwd())
cluster.connect(sys.argv[1], own_modules.runtime_env(["mine:space"], Path.cwd()))
there = nodes.find()
found = {"nodes": [vars(node) for node in there]}

def error(call, *arguments):
    try:
        call(*arguments)
    except cluster.ClusterError as refused:
        return str(refused)

found["check"] = error(nodes.check, there)

def width():
    from architectures.families import import_function
    return import_function("mine:space")(None), os.getcwd()

for node in there:
    where = nodes.NodeAffinitySchedulingStrategy(node.id, soft=False)
    found[node.address + str(node.is_driver)] = ray.get(ray.remote(width).options(scheduling_strategy=where).remote())

ray.shutdown()
found["doctor"] = [vars(row) for row in access.machines(sys.argv[1])]
head = ray._raylet.GcsClient(sys.argv[1])
before = head.internal_kv_get(b"CLUSTER_METADATA", b"cluster")
told = json.loads(before) | {"ray_version": "2.1.0", "python_version": "3.8.1"}
head.internal_kv_put(b"CLUSTER_METADATA", json.dumps(told).encode(), True, b"cluster")
found["versions"] = error(cluster.connect, sys.argv[1])
head.internal_kv_put(b"CLUSTER_METADATA", before, True, b"cluster")
print(json.dumps(found))
"""


@pytest.mark.slow
def test_nodes_their_versions_and_a_users_module_on_each(head, home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write(other / "hpsearch-0.0.9.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: hpsearch\nVersion: 0.0.9\n")
    with rays.node(head, f"--address={head.address}", count=2, PYTHONPATH=str(other)):
        command = [sys.executable, "-c", SCRIPT, head.address]
        done = subprocess.run(command, cwd=home, env=head.env, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    mine, theirs = sorted(found["nodes"], key=lambda node: not node["is_driver"])
    assert [node["cpus"] for node in (mine, theirs)] == [1, 1]
    assert mine["versions"]["hpsearch"] == nodes.wanted()["hpsearch"]
    assert theirs["versions"]["hpsearch"] == "0.0.9"
    assert mine["reason"] is None and mine["free_disk"] > 0 and mine["cores"] > 0 and mine["memory"] > 0
    assert mine["precision"] in ("float32", "bfloat16")
    assert found["check"].endswith(f"{theirs['host']} ({theirs['address']}): hpsearch is 0.0.9")
    for node in (mine, theirs):
        width, cwd = found[node["address"] + str(node["is_driver"])]
        assert width == 3 and not Path(cwd).is_relative_to(home)
    assert sorted(row["verdict"] for row in found["doctor"]) == ["ok", "ok", "problem"]
    assert "2 nodes, 2 cores" in found["doctor"][0]["found"]
    assert "hpsearch is 0.0.9: install this machine's versions there" in [row["advice"] for row in found["doctor"]]
    assert "it runs Ray 2.1.0 on Python 3.8.1, and this machine has Ray" in found["versions"]
    assert "\n" not in found["versions"]


MEMORY = """
import json, sys
from search.machines import cluster, nodes
from search.machines.machine import of_cluster
import ray
from ray.util import placement_group

cluster.connect(sys.argv[1])
here = of_cluster(sys.argv[1], nodes.find(), None, None)
bundles = [placement_group([{"CPU": here.threads, "memory": here.memory}]) for _ in range(here.slots + 1)]
ready, _ = ray.wait([each.ready() for each in bundles[:-1]], num_returns=here.slots, timeout=60)
print(json.dumps([here.slots, len(ready), bundles[-1].wait(2)]))
"""


@pytest.mark.slow
def test_ray_gives_a_node_no_more_trials_than_its_memory_has_room_for(tmp_path):
    room = host.slots_in(limits.memory()[0])
    with rays.head(cpus=room + 5) as head:
        command = [sys.executable, "-c", MEMORY, head.address]
        done = subprocess.run(command, cwd=tmp_path, env=head.env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [room, room, False]


SPACE = """
from helper import LR
from search.spaces import config_of

def space(trial):
    trial.suggest_categorical("network", ("cnn5",))
    trial.suggest_categorical("cnn5/width", (0.25,))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_categorical("sgd/lr", (LR,))
    return config_of(trial.params)
"""


@pytest.mark.slow
def test_a_search_is_sent_with_its_own_space_and_read_from_its_storage(head, home, tmp_path_factory):
    write(home / "mine.py", SPACE)
    write(home / "helper.py", "LR = 0.1\n")
    write(home / "list.jsonl", '{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n')
    url, storage = f"http://127.0.0.1:{head.dashboard}", str(tmp_path_factory.mktemp("storage"))
    # Ray would take these before the address it is given.
    env = head.env | {"RAY_ADDRESS": "10.0.0.5:6379", "RAY_API_SERVER_ADDRESS": "http://10.0.0.5:8265"}

    def hpsearch(*arguments):
        return subprocess.run([BIN / "hpsearch", *arguments], cwd=home, env=env, capture_output=True, text=True)

    def send(space, name, dataset):
        where = ("--submit", url, "--storage", storage, "--space", space, "--name", name, "--dataset", dataset)
        return hpsearch("launch", *where, "--samples", "1", "--limit-train", "100", "--epochs", "1")

    first = send("mine:space", "first", "digits")
    assert first.returncode == 0 and first.stderr == "", first
    assert first.stdout.endswith(
        "job hpsearch-first runs on the head, with its record in ~/results/first there; come back with\n"
        f"  hpsearch status first --storage {storage}\n"
        f"  ray job logs hpsearch-first --address {url} --follow\n"
    )
    again = send("cnn5", "first", "digits")
    assert again.returncode == 2 and f"hpsearch: the search 'first' was sent to {url} before" in again.stderr
    wrong = send("list.jsonl", "second", "/not/there")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("hpsearch: the search has ended on the head before it began: a dataset is one of ")
    deadline = time.monotonic() + 120
    while True:
        status = hpsearch("status", "first", "--storage", storage, "--json")
        if status.returncode == 0 and json.loads(status.stdout)["trials"].get("done") == 1:
            break
        assert time.monotonic() < deadline, status
    assert not (home / "results").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sessions_that_begin_before_any_worker_has_joined_can_be_read_and_end(home, tmp_path_factory):
    small = ("--dataset", "digits", "--limit-train", "100", "--epochs", "1", "--samples", "2", "--space", "cnn5")
    ledger, said = home / "results" / "first" / "ledger.jsonl", home / "said"

    def found():
        return search.load("first", str(home / "results"))

    with rays.head(cpus=0, PATH=f"{BIN}:{os.environ['PATH']}", HOME=str(tmp_path_factory.mktemp("empty"))) as empty:
        for number, verb in enumerate(
            [("launch", "--name", "first", *small), ("retrain", "--top", "1", "--epochs", "2")], 1
        ):
            with said.open("w") as output:
                command = [BIN / "hpsearch", *verb, "--address", empty.address]
                session = subprocess.Popen(command, cwd=home, env=empty.env, stdout=output, stderr=output)
            try:
                deadline = time.monotonic() + 120
                while not ledger.exists() or len(found().record.sessions) < number:
                    assert session.poll() is None and time.monotonic() < deadline, said.read_text()
                    time.sleep(0.2)
                assert (found().running, found().record.sessions[-1].opened.slots) == (True, 0)
                with rays.node(empty, f"--address={empty.address}", count=2):
                    assert session.wait(timeout=200) == 0, said.read_text()
            finally:
                session.kill()
                session.wait()
    assert (found().search.facts["slots"], found().state) == (0, "finished")
    assert [run.test is not None for run in found().record.retrains] == [True]
