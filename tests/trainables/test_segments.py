"""Parts of an epoch: where they end, and that nothing depends on whether the run pauses there."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from trainables.config import Config
from trainables.data.images import Images
from trainables.resident import Resident
from trainables.training import Measurement, Training

MARKS = (0.5, 1.0, 1.25, 1.75)


def config(optimizer: str = "sgd", batch_size: int = 32) -> Config:
    return Config.from_json(
        {
            "network": {"name": "cnn5", "width": 0.25, "norm": "everywhere", "conv_dropout": 0.2},
            "optimizer": {"name": optimizer, "lr": 0.01},
            "training": {"batch_size": batch_size, "epochs": 2, "augment": "published", "schedule": "cosine"},
        }
    )


def make(digits: Images, asked: Config, *, num_images: int = 240, marks: tuple[float, ...] = MARKS) -> Training:
    train = Resident.of(digits.take(np.arange(num_images)), "cpu")
    validation = Resident.of(digits.take(np.arange(240, 320)), "cpu")
    return Training(asked, train, validation, seed=3, marks=marks)


def run(training: Training) -> list[Measurement]:
    measured = []
    while not training.finished:
        measured.append(replace(training.run_segment(), seconds=0.0, images_per_second=0.0))
    return measured


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad"])
def test_a_run_that_pauses_at_every_mark_is_to_the_bit_the_run_that_does_not(digits: Images, optimizer: str) -> None:
    whole = make(digits, config(optimizer))
    expected = run(whole)
    paused = make(digits, config(optimizer))
    found = []
    while not paused.finished:
        found.append(replace(paused.run_segment(), seconds=0.0, images_per_second=0.0))
        state = deepcopy(paused.state())
        torch.manual_seed(99)  # whatever the worker did meanwhile
        paused = make(digits, config(optimizer))
        paused.restore(state)
    assert found == expected
    ours, theirs = whole.model.state_dict(), paused.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("num_images", "batch_size", "marks", "images"),
    [
        (240, 32, (0.5,), [128, 240, 480]),  # 120 images are 3.75 batches
        (240, 40, (0.5,), [120, 240, 480]),
        (240, 256, (0.5,), [240, 480]),  # one batch is the whole epoch
        (225, 32, (0.95,), [225, 450]),  # the lone last image joins the batch before
        (240, 32, (1.1, 1.11, 0.999), [240, 272, 480]),  # two marks in one batch are one
        (240, 24, (0.1, 0.2, 0.3), [24, 48, 72, 240, 480]),  # no batch more through floating point
        (240, 32, (1.0, 2.0), [240, 480]),
    ],
)
def test_a_mark_is_rounded_up_to_a_whole_batch(
    digits: Images, num_images: int, batch_size: int, marks: tuple[float, ...], images: list[int]
) -> None:
    training = make(digits, config(batch_size=batch_size), num_images=num_images, marks=marks)
    assert [measured.images for measured in run(training)] == images


def test_marks_at_whole_epochs_change_no_curve(digits: Images) -> None:
    assert run(make(digits, config(), marks=(1.0,))) == run(make(digits, config(), marks=()))


def test_a_mark_within_an_epoch_changes_nothing_before_it(digits: Images) -> None:
    plain, marked = make(digits, config(), marks=()), make(digits, config(), marks=(1.5,))
    assert run(plain)[0] == run(marked)[0]


def test_the_parts_of_an_epoch_train_on_every_image_once(digits: Images) -> None:
    asked = config().with_training(augment="none")
    training = make(digits, asked)
    seen: list[torch.Tensor] = []
    training.model.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].clone()) if module.training else None
    )
    while training.epoch < 1:
        training.run_segment()
    trained = torch.cat(seen)
    assert len(trained) == 240
    expected = torch.from_numpy(digits.pixels[:240]).float() * (2 / 255) - 1
    assert torch.equal(trained.flatten(1).sum(1).sort().values, expected.flatten(1).sum(1).sort().values)


def test_a_run_says_whether_it_stands_at_a_mark(digits: Images) -> None:
    training = make(digits, config(), marks=(0.5, 1.0))
    found = []
    while not training.finished:
        training.run_segment()
        found.append(training.at_mark)
    assert found == [True, True, False]
