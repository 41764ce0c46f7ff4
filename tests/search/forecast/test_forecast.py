import numpy as np
import pytest

from architectures import cost as costing
from architectures.families import make_network
from search.forecast.calibration import Calibration, CalibrationError, calibrate, order
from search.forecast.memory import memory_of, state_bytes
from search.forecast.seconds import times
from search.machines.machine import Machine
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.data.load import load
from trainables.resident import Resident
from trainables.worker import measure as measuring
from trainables.worker.measure import measure
from trainables.worker.speed import Speed

HERE = Machine(slots=2, threads=1, num_gpus=0, device="cpu", precision="float32")


def config(width=1.0, optimizer="sgd", batch_size=32, family="cnn5"):
    return Config(
        NetworkConfig(family, {"width": width}),
        OptimizerConfig(optimizer, 0.01),
        TrainingConfig(batch_size=batch_size, epochs=4, augment="none"),
    )


def cost(config, shape=(3, 32, 32)):
    return costing.cost(make_network(config.network.name, config.network.hyperparameters, shape, 10), shape, 10)


def test_calibration_sees_that_a_wider_network_takes_longer(tmp_path):
    images = load("digits", "train", data_dir=tmp_path).take(np.arange(64))
    configs = [config(0.25), config(4.0), config(2.0)]
    costs = [cost(c, images.shape) for c in configs]
    said = []
    found = calibrate(configs, images, HERE, said.append)
    assert said == ["measuring a few training steps of 3 configurations …"]
    assert set(found) == {0, 1, 2}
    narrow, wide, _ = times(configs, costs, found, 64, 16).epochs
    assert 0 < narrow < wide


def test_a_failing_configuration_has_no_speed_and_harms_no_other(tmp_path):
    images = Resident.of(load("digits", "train", data_dir=tmp_path).take(np.arange(64)), "cpu")
    broken = Config(NetworkConfig("torch.nn:Identity", {}), OptimizerConfig("sgd", 0.1), config().training)
    found = measure([config(), broken, config()], images, precision="float32", budget=60)
    assert found[1] is None
    assert found[0].step > 0 and found[2].step > 0
    assert measure([broken], images, precision="float32", budget=60) == [None]


@pytest.mark.parametrize(("step", "timed"), [(1e-6, [8, 512]), (0.02, [8, 20]), (0.05, [8])])
def test_a_short_step_is_timed_again_among_many(tmp_path, monkeypatch, step, timed):
    images = Resident.of(load("digits", "train", data_dir=tmp_path).take(np.arange(600)), "cpu")
    found = []

    def seconds_a_step(training, batch):
        found.append(len(training.train))
        return step

    monkeypatch.setattr(measuring, "_seconds_a_step", seconds_a_step)
    (speed,) = measure([config(batch_size=4)], images, precision="float32", budget=60)
    assert (speed.batch, speed.step) == (4, step)
    assert found[-len(timed) :] == timed
    assert len(found) > len(timed), "once before, for what a process does only once"


def test_a_budget_ends_the_calibration(tmp_path):
    images = Resident.of(load("digits", "train", data_dir=tmp_path).take(np.arange(64)), "cpu")
    assert measure([config()] * 3, images, precision="float32", budget=0) == [None] * 3


def test_times_follow_the_law_that_the_steps_followed():
    configs = [config(w, batch_size=b, family=f) for f in ("cnn3", "cnn5") for w in (0.25, 0.5, 1.0) for b in (8, 64)]
    costs = [cost(c) for c in configs]

    def step(i, batch):
        return batch * costs[i].flops * 2e-10 + costs[i].parameters * 1e-9 + 1e-3

    found = {i: Speed(32, step(i, 32), 0.5) for i in (0, 2, 4, 6, 8, 10)}
    predicted = times(configs, costs, found, 640, 0)
    for i, c in enumerate(configs):
        batch = c.training.batch_size
        assert predicted.epochs[i] == pytest.approx(640 / batch * step(i, batch), rel=0.01)
    assert predicted.starts == [0.5] * 12


def test_validation_costs_less_than_training():
    configs = [config()]
    found = {0: Speed(32, 0.01, 0.0)}
    trained = times(configs, [cost(configs[0])], found, 320, 0).epochs[0]
    both = times(configs, [cost(configs[0])], found, 320, 320).epochs[0]
    assert trained < both < 1.5 * trained


def test_nothing_measured_is_an_error():
    with pytest.raises(CalibrationError, match="no training step"):
        times([config()], [cost(config())], {}, 100, 10)


def test_the_first_configurations_know_every_family():
    configs = [config(family=f) for f in ("cnn1", "cnn1", "cnn1", "cnn2", "cnn3", "cnn3")]
    assert order(configs) == [0, 3, 4, 1, 5, 2]


def test_workers_share_the_configurations_and_are_heard_when_all_have_answered():
    heard = []
    calibration = Calibration([config(w) for w in (0.25, 0.5, 1.0)], 2, heard.append)
    first, second = calibration.share(0), calibration.share(1)
    assert [len(first), len(second), len(calibration.share(2))] == [2, 1, 0]
    speed = Speed(32, 0.1, 0.0)
    calibration.hear(0, [speed, None])
    assert heard == []
    calibration.hear(2)
    calibration.hear(1)  # its worker died
    assert heard == [{0: speed}]


def test_what_is_known_at_the_first_measurement_counts():
    heard = []
    calibration = Calibration([config(w) for w in (0.25, 0.5, 1.0)], 2, heard.append)
    calibration.share(0), calibration.share(1)
    speed = Speed(32, 0.1, 0.0)
    calibration.hear(0, [speed, speed])
    calibration.conclude()
    calibration.hear(1, [speed])
    calibration.conclude()
    assert heard == [{0: speed, 2: speed}]
    assert calibration.share(2) == ()


@pytest.mark.parametrize("optimizer, copies", [("sgd", 3), ("adam", 4)])
def test_memory_counts_weights_gradients_and_the_optimizers_state(optimizer, copies):
    found = config(1.0, optimizer, batch_size=512)  # so many that a step takes more than validation
    costs = cost(found)
    assert memory_of(found, costs) == 4 * costs.parameters * copies + 2 * 512 * costs.activation_bytes


@pytest.mark.parametrize(("side", "at_once"), [(32, 512), (128, 32)])
def test_memory_counts_the_largest_maps_of_the_images_that_are_validated_at_once(side, at_once):
    found = config(batch_size=1)
    costs = cost(found, (3, side, side))
    assert costs.passing_bytes > 32 * side * side * 4
    assert memory_of(found, costs) == 4 * costs.parameters * 3 + at_once * costs.passing_bytes


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_memory_of_a_frozen_body_has_neither_gradients_nor_an_optimizers_state(optimizer):
    def of(body_lr):
        network = NetworkConfig("vgg16", {"weights": "random", "body_lr": body_lr})
        found = Config(network, OptimizerConfig(optimizer, 0.01), TrainingConfig(batch_size=64, epochs=1))
        return found, cost(found)

    (frozen, less), (tuned, more) = of(0.0), of(0.1)
    assert (more.frozen, less.parameters) == (0, more.parameters)
    assert less.frozen == 14_714_688  # the body of VGG-16
    copies = 2 + (optimizer == "adam")  # gradients, and what SGD's momentum or Adam's moments take
    tuned_maps, frozen_maps = (2 * 64 * each.activation_bytes for each in (more, less))
    without = memory_of(tuned, more) - tuned_maps - memory_of(frozen, less) + frozen_maps
    assert without == 4 * less.frozen * copies
    assert state_bytes(tuned, more) - state_bytes(frozen, less) == 4 * less.frozen * (copies - 1)
