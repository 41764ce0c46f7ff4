"""Transforms of a configuration: off, on, and each with a stream of its own."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from architectures.layers import SizeError
from trainables.augmentation import PRESETS
from trainables.config import Config, ConfigError
from trainables.data.images import Images
from trainables.fits import check_transforms
from trainables.resident import Resident
from trainables.training import Measurement, Training
from trainables.transforms import TRANSFORMS
from trainables.transforms.apply import transforms

STRENGTHS = {name: 4 if each.whole else 0.5 for name, each in TRANSFORMS.items()}


def configured(**training: Any) -> Config:
    return Config.from_json(
        {
            "network": {"name": "cnn5", "width": 0.25, "norm": "everywhere", "conv_dropout": 0.2},
            "optimizer": {"name": "adam", "lr": 0.003},
            "training": {"batch_size": 32, "epochs": 2, "augment": "flip-crop", "label_smoothing": 0.1, **training},
        }
    )


def curve(digits: Images, config: Config, seed: int = 0) -> list[tuple[float, ...]]:
    colourful = replace(digits, pixels=np.repeat(digits.pixels, 3, axis=1))
    train, validation = (Resident.of(colourful.take(rows), "cpu") for rows in (np.arange(240), np.arange(240, 320)))
    training = Training(config, train, validation, seed=seed)

    def kept(found: Measurement) -> tuple[float, ...]:
        assert found.val_loss is not None and found.val_accuracy is not None
        return found.train_loss, found.train_accuracy, found.val_loss, found.val_accuracy

    return [kept(training.run_segment()) for _ in range(2)]


def test_a_transform_that_is_off_leaves_configuration_and_json_as_they_are() -> None:
    off = configured(**dict.fromkeys(TRANSFORMS, 0))
    assert off == configured()
    assert set(off.to_json()["training"]) == {"batch_size", "epochs", "label_smoothing", "schedule", "augment"}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_that_is_on_is_in_the_json(name: str) -> None:
    config = configured(**{name: STRENGTHS[name]})
    assert config.to_json()["training"][name] == STRENGTHS[name]
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.with_defaults(epochs=3, augment="none") == config
    assert config.with_training(**{name: 0}) == configured()


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"cutout": 8.0}, r"cutout must be a whole number from 0 to 1024, got 8.0"),
        ({"cutout": -1}, r"cutout must be at least 0, got -1"),
        ({"cutout": True}, r"cutout must be a finite number, got True"),
        ({"mixup": -0.1}, r"mixup must be at least 0, got -0.1"),
        ({"mixup": 101}, r"mixup must be at most 100, got 101"),
        ({"mixup": float("nan")}, r"mixup must be a finite number, got nan"),
        ({"transforms": {}}, r"training has no 'transforms'; known: .*, augment, .*cutout.*mixup"),
        ({"cutmix": 1.1}, r"cutmix must be at most 1, got 1.1"),
        ({"zoom": 1}, r"zoom must be at most 0.9, got 1"),
        ({"crop_padding": 2.5}, r"crop_padding must be a whole number from 0 to 1,024, got 2.5"),
        ({"jitter": -1}, r"jitter must be at least 0, got -1"),
        ({"rotation": 200}, r"rotation must be at most 180, got 200"),
    ],
)
def test_a_strength_out_of_its_bounds_is_refused(training: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configured(**training)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_changes_the_curve_reproducibly(digits: Images, name: str) -> None:
    config = configured(**{name: STRENGTHS[name]})
    assert curve(digits, config) == curve(digits, config)
    assert curve(digits, config) != curve(digits, configured())


def change(strengths: dict[str, float], seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The same batch twice, changed one after the other."""
    changing = transforms(strengths, seed, 3)
    inputs = torch.rand(16, 3, 12, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return [changing(inputs, torch.arange(16) % 3) for _ in range(2)]


def test_without_transforms_a_batch_is_passed_on() -> None:
    inputs, labels = torch.ones(2, 1, 4, 4), torch.arange(2)
    assert transforms({}, 0, 2)(inputs, labels)[0] is inputs
    assert transforms({}, 0, 2)(inputs, labels)[1] is labels


@pytest.mark.parametrize("name", TRANSFORMS)
def test_draws_differ_between_batches_and_seeds(name: str) -> None:
    first, second = change({name: STRENGTHS[name]})
    other, _ = change({name: STRENGTHS[name]}, seed=1)
    again, _ = change({name: STRENGTHS[name]})
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for different in (second, other):
        assert not all(torch.equal(a, b) for a, b in zip(first, different, strict=True))


def test_a_transforms_draws_do_not_depend_on_the_others() -> None:
    alone, both = change({"mixup": 0.5}), change({"mixup": 0.5, "cutout": 4})
    assert all(torch.equal(a[1], b[1]) for a, b in zip(alone, both, strict=True))


def test_a_square_larger_than_the_images_is_refused(digits: Images) -> None:
    check_transforms({"cutout": 16, "mixup": 0.2}, (1, 16, 18))
    with pytest.raises(SizeError, match="cutout must be at most 16 pixels for images of 18×16, got 17"):
        check_transforms({"cutout": 17}, (1, 16, 18))
    with pytest.raises(SizeError, match="at most 16 pixels"):
        curve(digits, configured(cutout=17))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_device_is_never_waited_for(name: str) -> None:
    """Tensors on the meta device have no values, so reading one would raise."""
    inputs, labels = torch.ones(8, 3, 12, 12, device="meta"), torch.zeros(8, dtype=torch.int64, device="meta")
    assert transforms({name: STRENGTHS[name]}, 0, 3)(inputs, labels)[0].shape == inputs.shape


def test_mixing_waits_for_trainings_that_are_long_enough(digits: Images) -> None:
    short = configured(cutmix=0.5, mixup=0.2, cutout=4, mixing_from=3)
    assert curve(digits, short) == curve(digits, configured(cutout=4))
    assert short.to_json()["training"]["cutmix"] == 0.5
    long = configured(cutmix=0.5, cutout=4, mixing_from=2)
    assert curve(digits, long) == curve(digits, configured(cutmix=0.5, cutout=4))


def test_a_trainings_end_may_be_without_transforms(digits: Images) -> None:
    strong = {"cutmix": 0.5, "trivial_augment": 1.0}
    always, never, refined = (
        curve(digits, configured(**training)) for training in (strong, {}, {**strong, "refine": 0.5})
    )
    assert refined[0] == always[0]
    assert refined[1] not in (always[1], never[1])
    assert refined[1][0] < always[1][0]
    assert curve(digits, configured(**strong, refine=0.99)) != curve(digits, configured())
    assert curve(digits, configured(refine=0.5)) == never


def test_a_trainings_end_begins_within_an_epoch(digits: Images) -> None:
    """0.6 of 480 images are left after 192 images: 6 of the first epoch's 8 batches."""
    refined, always = (curve(digits, configured(cutout=8, refine=refine)) for refine in (0.6, 0.0))
    assert refined[0][0] < always[0][0]


def test_offline_copies_keep_their_transforms_to_the_end(digits: Images) -> None:
    copied = {"offline": 3, "shear": 0.5}
    assert curve(digits, configured(**copied, refine=0.9)) == curve(digits, configured(**copied))
    mixed = {**copied, "cutmix": 0.5}
    assert curve(digits, configured(**mixed, refine=0.9)) != curve(digits, configured(**mixed))


@pytest.mark.parametrize(("strengths", "form"), [({"cutmix": 0.5}, (4, 3)), ({"cutout": 2}, (4,)), ({}, (4,))])
def test_labels_have_one_form_with_and_without_transforms(strengths: dict[str, float], form: tuple[int, ...]) -> None:
    """A captured step takes only one."""
    inputs, labels = torch.rand(4, 3, 8, 8), torch.arange(4) % 3
    changing = transforms(strengths, 0, 3)
    assert changing(inputs, labels)[1].shape == form
    left, same = changing(inputs, labels, off=True)
    assert left is inputs
    assert same.shape == form
    assert (same if same.dim() == 1 else same.argmax(1)).tolist() == labels.tolist()


@pytest.mark.parametrize(("change", "value"), [("crop_padding", 1), ("jitter", 0.4), ("rotation", 60.0)])
def test_a_presets_numbers_may_be_changed(digits: Images, change: str, value: float) -> None:
    changed = configured(**{change: value})
    assert curve(digits, changed) != curve(digits, configured())
    assert changed.training.augmentation == replace(
        PRESETS["flip-crop"],
        **(dict.fromkeys(("brightness", "contrast", "saturation"), value) if change == "jitter" else {change: value}),
    )
