"""Retrains and what their test passes cost, where something comes in between."""

import time
from types import SimpleNamespace

import pytest

from architectures.build import build
from architectures.families import make_network
from search.history import ledger, store
from search.history.ledger import DiskError, Ledger
from search.history.record import Record
from search.machines.machine import Machine
from search.run import retrain as retraining
from search.run import session
from search.run.session import Options, Outcome
from trainables import files
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.data.load import load
from trainables.saved_network import Network, network_files

CONFIG = Config(NetworkConfig("cnn5", {"width": 0.125}), OptimizerConfig("sgd", lr=0.1), TrainingConfig(32, epochs=1))
HERE = Machine(slots=1, threads=1, num_gpus=0, device="cpu", precision="float32")
ASKED = {"config": CONFIG.to_json(), "params": {}, "distributions": {}, "redrawn": 0, "parameters": 1, "flops": 1}
DONE = {
    **{"attempt": 1, "images": 8, "epoch": 1.0, "val_accuracy": 0.5, "seconds": 1.0, "checkpoint": None},
    **{"state": "done", "reason": None, "decision": "end"},
}


@pytest.fixture
def images(tmp_path_factory):
    return load("digits", "train", data_dir=tmp_path_factory.mktemp("data")).take(range(60))


@pytest.fixture
def found(tmp_path, images, monkeypatch):
    """A finished search of one trial, on a machine where no Ray is started."""
    request = store.Request(space="cnn5", dataset="digits", samples=1, data_dir=str(tmp_path / "data"))
    made = store.create(tmp_path, "one", request, 1.0, {"data": {"fingerprint": "any"}})
    with Ledger(made.ledger) as book:
        book.append("opened", samples=1, slots=1)
        book.append("asked", trial=0, repeat=0, seed=1, **ASKED)
        book.append("measured", trial=0, repeat=0, **DONE)
        book.append("closed", reason="finished")
    monkeypatch.setattr(retraining, "unchanged_images", lambda _: images)
    monkeypatch.setattr(retraining, "find_machine", lambda *_: HERE)
    return made


def retrain(found, monkeypatch, work, **options):
    """A retrain whose training is `work` with the driver."""

    def train(driver, search, _progress, _here, _options, *, after, **_):
        driver.append("opened", slots=1)
        reason = session._closing(driver, search, lambda: work(driver, after))
        return Outcome(search, reason, driver.full)

    monkeypatch.setattr(retraining, "train", train)
    return retraining.retrain(found, Options(**options), top=1, distinct=False, epochs=1, repeats=1)


def test_a_disk_that_is_full_when_a_winner_is_asked_for_pauses_the_retrain(found, monkeypatch):
    def refuse(self, event, **_):
        raise DiskError("no room")

    def work(driver, _after):
        monkeypatch.setattr(Ledger, "append", refuse)
        driver.next_task()

    outcome, runs = retrain(found, monkeypatch, work)
    assert (outcome.reason, outcome.detail, runs) == ("disk full", "no room", [])


def test_max_time_is_kept(found, monkeypatch):
    seen = SimpleNamespace()

    def work(driver, _after):
        seen.deadline = driver.deadline

    retrain(found, monkeypatch, work, max_time=60.0)
    assert seen.deadline == pytest.approx(time.time() + 60, abs=30)


def test_a_test_pass_that_is_interrupted_counts_and_is_made_again(found, images, monkeypatch):
    def work(driver, after):
        task = driver.next_task()
        if task is not None:
            driver.started(task)
            folder = store.retrain_folder(found.folder, driver.record.runs[0, 1])
            for name, data in network_files(untrained(images)).items():
                files.write(folder / name, data)
            driver.append("measured", trial=0, repeat=1, **DONE)
            driver.active.clear()
            driver._handed_out.clear()
        after()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trainables.saved_network.write_predictions", full)
        outcome, _ = retrain(found, monkeypatch, work)
    assert outcome.reason == "disk full"
    outcome, (run,) = retrain(found, monkeypatch, work)
    assert outcome.reason == "finished" and run.test["images"] > 0
    events = ledger.read(found.ledger)
    assert [e["event"] for e in events if e["event"].startswith("test")] == ["testing", "testing", "tested"]
    assert Record(events).test_passes == 2


def untrained(images):
    """An untrained network of the winner's configuration."""
    name, hyperparameters = CONFIG.network.name, CONFIG.network.hyperparameters
    model = build(make_network(name, hyperparameters, images.shape, len(images.classes)), images.shape, 10)
    return Network(model, CONFIG, images.shape, images.classes)
