import numpy as np
import pytest

from search.forecast import calibrate, memory_of, play
from search.machine import Machine
from search.session import cost_of
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.datasets import load

HERE = Machine(slots=2, threads=1, num_gpus=0, device="cpu", precision="float32")


def config(width, optimizer="sgd", batch_size=32):
    return Config(
        NetworkConfig("cnn5", {"width": width}),
        OptimizerConfig(optimizer, 0.01),
        TrainingConfig(batch_size=batch_size, epochs=4, augment="none"),
    )


def test_without_a_scheduler_the_game_is_plain_arithmetic():
    epochs, wall = play([2.0] * 6, [5] * 6, "none", 5, slots=3, seed=0)
    assert (epochs, wall) == (30, 20.0)


def test_a_slower_last_trial_is_a_tail():
    assert play([1.0, 1.0, 1.0, 10.0], [3] * 4, "none", 3, slots=2, seed=0) == (12, 33.0)


def test_asha_trains_fewer_epochs_and_more_slots_take_less_time():
    plain, _ = play([1.0] * 60, [30] * 60, "none", 30, slots=2, seed=0)
    played = [play([1.0] * 60, [30] * 60, "asha", 30, slots=2, seed=seed) for seed in range(20)]
    faster = [play([1.0] * 60, [30] * 60, "asha", 30, slots=8, seed=seed) for seed in range(20)]
    epochs = np.mean([e for e, _ in played])
    assert epochs < plain / 4
    assert np.mean([w for _, w in faster]) < np.mean([w for _, w in played]) / 2
    assert all(wall >= e / 2 for e, wall in played)


def test_calibration_sees_that_a_wider_network_takes_longer(tmp_path):
    images = load("digits", "train", data_dir=tmp_path).take(np.arange(64))
    configs = [config(0.25), config(4.0), config(2.0)]
    costs = [cost_of(c, images.shape, 10) for c in configs]
    narrow, wide, _ = calibrate(configs, costs, images, HERE)
    assert 0 < narrow < wide


@pytest.mark.parametrize("optimizer, copies", [("sgd", 3), ("adam", 4)])
def test_memory_counts_weights_gradients_and_the_optimizers_state(optimizer, copies):
    found = config(1.0, optimizer, batch_size=1)
    costs = cost_of(found, (3, 32, 32), 10)
    assert memory_of(found, costs) == 4 * costs.parameters * copies + 2 * costs.activation_bytes
