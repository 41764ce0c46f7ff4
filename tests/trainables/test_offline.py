"""Copies that are augmented once: fixed, met in turn beside the original, and made again from nothing."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainables.transforms.photographs import tiles
from trainables.augment import normalise
from trainables.config import Config, TrainingConfig
from trainables.data.images import Images
from trainables.offline import augment_offline, versions
from trainables.resident import Resident
from trainables.training import Training

#: What report 4 augmented with: rotation, shear, zoom, channel shift and both flips.
REPORT = TrainingConfig(
    augment="flip-crop",
    crop_padding=0,
    rotation=90.0,
    offline=3,
    transforms={
        "vertical_flip": 0.5,
        "shear": 0.2,
        "zoom": 0.2,
        "channel_shift": 0.2,
        "cutout": 8,
        "trivial_augment": 1,
    },
)


def met(numbers: np.ndarray, epoch: int, settings: TrainingConfig = REPORT) -> torch.Tensor:
    """The versions of these tiles that an epoch meets."""
    return augment_offline(tiles(60)[torch.from_numpy(numbers)], numbers, settings, seed=5, epoch=epoch)


def test_each_version_is_met_once_in_as_many_epochs_and_one_of_them_is_the_original() -> None:
    numbers = np.arange(60)
    seen = torch.stack([met(numbers, epoch) for epoch in range(4)])
    originals = (seen == normalise(tiles(60))).flatten(2).all(2)
    assert (originals.sum(0) == 1).all()
    assert originals.sum(1).min() > 5  # an epoch has some of each
    for number in range(60):
        assert len(seen[:, number].flatten(1).unique(dim=0)) == 4


def test_a_copy_is_the_same_whenever_and_with_whomever_it_is_met() -> None:
    numbers = np.arange(60)
    assert torch.equal(met(numbers, 1), met(numbers, 5))
    shuffled = np.random.default_rng(0).permutation(60)[:17]
    assert torch.equal(met(shuffled, 5), met(numbers, 1)[torch.from_numpy(shuffled)])
    assert torch.equal(met(np.array([3]), 1)[0], met(numbers, 1)[3])


def test_copies_differ_from_image_to_image_and_from_seed_to_seed() -> None:
    same = tiles(1).expand(60, 3, 24, 32)
    found = augment_offline(same, np.arange(60), REPORT, seed=5, epoch=0)
    assert len(found.flatten(1).unique(dim=0)) > 40
    assert not torch.equal(found, augment_offline(same, np.arange(60), REPORT, seed=6, epoch=0))


@pytest.mark.parametrize("copies", [1, 2, 11])
def test_versions_are_about_equally_frequent_in_every_epoch(copies: int) -> None:
    counts = np.bincount(versions(np.arange(12_000), copies, 0, 7), minlength=copies + 1)
    assert counts == pytest.approx([12_000 / (copies + 1)] * (copies + 1), rel=0.15)


def trained(digits: Images, marks: tuple[float, ...] = (), **training: object) -> list[tuple[float, float | None]]:
    colourful = replace(digits, pixels=np.repeat(digits.pixels, 3, axis=1))
    config = Config.from_json(
        {
            "network": {"name": "cnn5", "width": 0.25},
            "optimizer": {"name": "sgd", "lr": 0.05},
            "training": {"batch_size": 32, "epochs": 3, "augment": "flip-crop", "cutout": 3, **training},
        }
    )
    train, validation = (Resident.of(colourful.take(rows), "cpu") for rows in (np.arange(240), np.arange(240, 320)))
    run, found = Training(config, train, validation, seed=0, marks=marks), []
    while not run.finished:
        measured = run.run_segment()
        found.append((measured.images, measured.val_loss))
    return found


def test_a_training_may_pause_anywhere_and_meets_the_same_images(digits: Images) -> None:
    whole = trained(digits, offline=2, mixup=0.2)
    assert whole != trained(digits, mixup=0.2)
    assert [images for images, _ in whole] == [240, 480, 720]
    in_parts = trained(digits, (0.5, 1.5), offline=2)
    assert [each for each in in_parts if each[0] % 240 == 0] == trained(digits, offline=2)


MEMORY = """
import resource
import torch
from trainables.config import Config
from trainables.resident import Resident
from trainables.training import Training

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
pixels = torch.randint(256, (2000, 3, 32, 32), dtype=torch.uint8, generator=generator)
images = Resident(pixels, torch.arange(2000) % 10, 10)
for copies in (1, 100):
    parts = {"network": {"name": "cnn5", "width": 0.125}, "optimizer": {"name": "sgd", "lr": 0.01}}
    training = {"batch_size": 64, "epochs": 1, "augment": "flip-crop", "rotation": 90, "offline": copies}
    Training(Config.from_json({**parts, "training": training}), images, None, seed=0).run_segment()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_a_hundred_copies_of_each_image_need_no_more_memory_than_one() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    one, hundred = map(int, done.stdout.split())
    assert hundred - one < 60_000, "in KiB; all copies together have 600,000 as bytes alone"
