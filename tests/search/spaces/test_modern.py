"""The space `modern`: its ranges, learning rates that follow the batch, and what all of its trainings share."""

from math import sqrt

import optuna
import pytest

from search.spaces import find_space
from search.spaces.parameters import parameters
from search.spaces.space import SPACES, draw
from trainables.config import Config

RANGES = {
    "muon/lr": (0.006, 0.06, True),
    "sgd_nesterov/lr": (0.03, 0.4, True),
    "sgd_nesterov/weight_decay": (1e-4, 3e-3, True),
    "adamw/lr": (8e-4, 1e-2, True),
    "adamw/weight_decay": (0.005, 0.2, True),
    "warmup": (0.05, 0.25, False),
    "label_smoothing": (0.0, 0.2, False),
    "jitter": (0.0, 0.4, False),
}
CHOICES = {
    "optimizer": ("muon", "sgd_nesterov", "adamw"),
    "batch_size": (32, 64, 128),
    "cutout": (0, 8, 12),
    "cutmix": (0.0, 0.5),
}


def drawn(number: int = 60) -> list[tuple[Config, dict[str, object]]]:
    """Some configurations with the parameters that they were made of."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trials = [study.ask() for _ in range(number)]
    function = find_space("modern").function
    assert function is not None
    return [(draw(function, trial), trial.params) for trial in trials]


def test_its_ranges_are_those_that_served() -> None:
    found = {parameter.name: parameter.distribution for parameter in parameters(SPACES["modern"])}
    assert {name: (d.low, d.high, d.log) for name, d in found.items() if hasattr(d, "log")} == RANGES  # type: ignore[attr-defined]
    assert {name: found[name].choices for name in CHOICES} == CHOICES  # type: ignore[attr-defined]
    networks = found["network"].choices  # type: ignore[attr-defined]
    assert networks == ("resnet9", "plain9", "cnn6", "airbench", "wide_resnet")
    for network in networks:
        unit = 10 if network == "wide_resnet" else 1  # the published width
        widths = found[f"{network}/width"].choices  # type: ignore[attr-defined]
        assert [width / unit for width in widths] == [0.125, 0.1875, 0.25]


@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_rates_are_drawn_for_64_images_a_batch_and_follow_it(name: str) -> None:
    seen = set()
    for config, params in drawn():
        if config.optimizer.name == name:
            batches = config.training.batch_size / 64
            factor = batches if name == "sgd_nesterov" else sqrt(batches)
            assert config.optimizer.lr == pytest.approx(params[f"{name}/lr"] * factor)  # type: ignore[operator]
            if name == "muon":
                assert config.optimizer.arguments["others_lr"] == pytest.approx(0.002 * factor)
            seen.add(batches)
    assert seen == {0.5, 1.0, 2.0}


def test_all_are_trained_on_a_cosine_and_judged_by_averaged_weights() -> None:
    for config, _ in drawn():
        training = config.training
        assert (training.schedule, training.decayed, training.augment) == ("cosine", "weights", "flip-crop")
        assert training.ema is not None and training.mixing_from == 40
        assert config.with_training(epochs=39).training.active_transforms.keys() <= {"cutout"}
    assert any("cutmix" in config.with_training(epochs=40).training.active_transforms for config, _ in drawn())
