"""Which trial begins when, and what a worker measures before its first epoch."""

import numpy as np
import pytest

from search.forecast.calibration import Calibration
from search.history.ledger import Ledger
from search.history.store import Request
from search.run.driver import Driver
from search.run.launch import check_space, search_source, trial_order
from search.run.session import RequestError
from search.samplers.listed import ListSampler
from search.schedulers.asha import NoScheduler
from search.spaces import Space
from tests.search.run.local import LocalWorker, make_images
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.worker.actor import Place


def config(width, epochs=None):
    return Config(
        NetworkConfig("cnn5", {"width": width}),
        OptimizerConfig("sgd", 0.1),
        TrainingConfig(batch_size=32, epochs=epochs, augment="none"),
    )


CONFIGS = (config(0.5, 2), config(0.25), config(1.0, 1), config(0.25, 3))
LIST = Space("list", configs=CONFIGS)


def request(scheduler, samples=4, epochs=1):
    return Request(space="list", samples=samples, epochs=epochs, data_dir="", scheduler=scheduler)


def test_a_list_that_nothing_stops_begins_with_its_longest(tmp_path):
    images = make_images(tmp_path)
    assert list(trial_order(LIST, request("none"), images, 4)) == [2, 0, 3, 1]


def test_fewer_samples_are_the_first_lines(tmp_path):
    images = make_images(tmp_path)
    assert list(trial_order(LIST, request("none"), images, 2)) == [0, 1]


def test_what_may_be_stopped_begins_in_its_order(tmp_path):
    images = make_images(tmp_path)
    assert list(trial_order(LIST, request("asha"), images, 4)) == [0, 1, 2, 3]


def test_the_first_trial_calibrates_and_then_trains(tmp_path):
    images, heard = make_images(tmp_path), []
    asked = request("none")
    calibration = Calibration(CONFIGS, 2, heard.append)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        source = search_source(ListSampler(CONFIGS), images, asked, trial_order(LIST, asked, images, 4))
        driver = Driver(ledger, tmp_path, source, NoScheduler(1), calibration=calibration)
        driver.append("opened", samples=4)
        worker, calibrated = None, []
        while (task := driver.next_task()) is not None:
            driver.started(task)
            given = {"task": vars(task)}
            if worker is None:
                data = images.take(np.arange(100))
                parts = {"train": data, "validation": data, "threads": 1, "device": "cpu", "precision": "float32"}
                parts["place"] = Place(driver.checkpoints)
                worker = LocalWorker({"run": given, "parts": parts})
            else:
                worker.reset_config(given)
            answer = worker.step()
            if answer["state"] == "calibrated":
                calibrated.append(task.trial)
            while driver.measured(task, answer):
                answer = worker.step()
        runs = driver.record.trials
    assert calibrated == [2]  # this one worker has measured an epoch before it could begin with another trial
    assert [run.state for run in runs] == ["done"] * 4
    assert [len(run.measurements) for run in runs] == [2, 1, 1, 3]
    (speeds,) = heard
    assert set(speeds) == {0, 2} and all(each.step > 0 for each in speeds.values())


def test_a_line_whose_transform_the_images_are_too_small_for_is_refused():
    cut_out = CONFIGS[0].with_training(cutout=17)
    space = Space("list.jsonl", configs=(CONFIGS[0], cut_out), lines=(1, 3))
    with pytest.raises(RequestError, match=r"list\.jsonl, line 3 is impossible.*cutout must be at most 16 pixels"):
        check_space(space, (1, 16, 16), 10)
