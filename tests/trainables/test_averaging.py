"""Averaged weights: what they are, that validation judges them, and that a checkpoint has them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainables.trainings import STILL, Make, configured, everything, run, same_weights, untimed
from trainables.averaging import Average
from trainables.files import Folder
from trainables.training import evaluate
from trainables.worker import checkpoints


def test_the_average_is_exponential_and_its_decay_is_that_of_an_epoch() -> None:
    model = nn.Linear(1, 1)
    average = Average(model, 0.5)
    expected = model.weight.item()
    for step in range(1, 100):
        with torch.no_grad():
            model.weight.fill_(float(step % 7))
        average.update(1000 + step, 0.1)
        expected = 0.5**0.1 * expected + (1 - 0.5**0.1) * (step % 7)
    assert isinstance(average.model, nn.Linear)
    assert average.model.weight.item() == pytest.approx(expected, rel=1e-5)


def test_the_beginning_is_soon_forgotten() -> None:
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(1000.0)
    average = Average(model, 0.999)
    with torch.no_grad():
        model.weight.fill_(1.0)
    for step in range(1, 60):
        average.update(step, 0.001)
    assert isinstance(average.model, nn.Linear)
    assert average.model.weight.item() == pytest.approx(1.0, abs=0.1)


def test_averaging_leaves_training_as_it_is(make: Make) -> None:
    plain, averaged = make(everything("sgd")), make(everything("sgd").with_training(ema=0.3))
    for first, second in zip(run(plain), run(averaged), strict=True):
        assert (first.train_loss, first.train_accuracy) == (second.train_loss, second.train_accuracy)
        assert first.val_loss != second.val_loss
    assert same_weights(plain, averaged)


def test_validation_and_the_result_are_those_of_the_average(make: Make) -> None:
    training = make(everything("sgd").with_training(ema=0.3))
    *_, last = run(training)
    assert training.result is training.judged and training.validation is not None
    found = list(evaluate(training.result, training.validation, "float32"))
    correct = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in found)
    assert last.val_accuracy == correct / 80
    model, average = training.model.state_dict(), training.result.state_dict()
    assert all(not torch.equal(model[name], average[name]) for name in ("0.weight", "1.running_mean"))
    assert torch.equal(model["1.num_batches_tracked"], average["1.num_batches_tracked"])


def test_weights_that_stand_still_are_their_own_average(make: Make) -> None:
    training = make(configured(optimizer={"lr": STILL}, ema=0.9))
    training.run_segment()
    for ours, theirs in zip(training.model.parameters(), training.result.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_run_continued_from_a_checkpoint_is_the_run_never_interrupted(make: Make, tmp_path: Path) -> None:
    config = everything("adam").with_training(ema=0.5)
    whole = make(config, seed=3)
    curve = run(whole)
    begun = make(config, seed=3)
    first = untimed(begun.run_segment())
    checkpoints.save(Folder(str(tmp_path)), "1.pt", begun.state())
    continued = make(config, seed=3)
    continued.restore(checkpoints.load(Folder(str(tmp_path)), "1.pt"))
    assert [first, *run(continued)] == curve
    ours, theirs = continued.result.state_dict(), whole.result.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_averages_rank_earlier_than_weights_that_jump(make: Make) -> None:
    """With a rate that is too large the weights jump, and their average is better than they are."""
    config = configured(optimizer={"lr": 0.1, "momentum": 0.9}, batch_size=8, epochs=2)
    losses = {
        ema: np.mean([run(make(config.with_training(ema=ema), seed=seed))[-1].val_loss for seed in range(3)])
        for ema in (None, 0.3)
    }
    assert losses[0.3] < losses[None]
