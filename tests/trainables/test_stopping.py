"""Early stopping: when a training ends, what it keeps, and that a checkpoint has it."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from tests.trainables.trainings import STILL, Make, configured, everything, run, untimed
from trainables.stopping import Best
from trainables.training import evaluate


def test_training_has_stalled_when_nothing_got_better_for_its_patience() -> None:
    best, model = Best(2), nn.Linear(1, 1)
    assert not best.stalled(100)
    seen = []
    for epoch, accuracy in enumerate((0.1, 0.3, 0.3, 0.4, 0.2, 0.4, 0.39), 1):
        best.hear(epoch, accuracy, model)
        seen.append(best.stalled(epoch))
    assert seen == [False, False, False, False, False, True, True]


def test_what_does_not_move_ends_after_its_patience(make: Make) -> None:
    training = make(configured(optimizer={"lr": STILL}, epochs=9, patience=3))
    assert [measured.epoch for measured in run(training)] == [1.0, 2.0, 3.0, 4.0]
    assert training.finished


def test_without_validation_there_is_nothing_to_wait_for(make: Make) -> None:
    assert len(run(make(configured(optimizer={"lr": STILL}, epochs=4, patience=1), validated=False))) == 4


@pytest.mark.parametrize("ema", [None, 0.3])
def test_the_result_has_the_best_epochs_weights(make: Make, ema: float | None) -> None:
    config = configured(optimizer={"lr": 0.4, "momentum": 0.9}, epochs=8, patience=8, batch_size=8, ema=ema)
    training = make(config)
    curve = run(training)
    best = max(measured.val_accuracy or 0.0 for measured in curve)
    assert curve[-1].val_accuracy != best  # or the test shows nothing
    assert training.validation is not None
    ((logits, labels),) = evaluate(training.result, training.validation, "float32")
    assert (logits.argmax(1) == labels).float().mean().item() == pytest.approx(best)


@pytest.mark.parametrize("judged_by", ["val_accuracy", "val_balanced_accuracy"])
def test_what_trials_are_compared_by_decides_which_epoch_is_the_best(make: Make, judged_by: str) -> None:
    config = configured(optimizer={"lr": 0.4, "momentum": 0.9}, epochs=6, patience=6, batch_size=8)
    training = make(config, judged_by=judged_by)
    given = {"val_accuracy": (0.5, 0.6, 0.9, 0.2, 0.1, 0.1), "val_balanced_accuracy": (0.3, 0.8, 0.5, 0.1, 0.2, 0.1)}
    seen, at_epoch = zip(*given.values(), strict=True), []
    training._validate = lambda: (1.0, *next(seen))  # type: ignore[method-assign]
    while not training.finished:
        training.run_segment()
        at_epoch.append(deepcopy(training.model.state_dict()))
    best = given[judged_by].index(max(given[judged_by]))
    kept = training.result.state_dict()
    assert all(torch.equal(kept[name], at_epoch[best][name]) for name in kept)


def test_patience_changes_no_epoch_that_is_trained(make: Make) -> None:
    plain, patient = (run(make(everything("sgd").with_training(patience=each))) for each in (None, 3))
    assert plain == patient


def test_a_run_continued_from_a_checkpoint_ends_and_keeps_alike(make: Make) -> None:
    config = configured(optimizer={"lr": 0.4, "momentum": 0.9}, epochs=12, patience=2, batch_size=8)
    whole = make(config)
    curve = run(whole)
    assert len(curve) < 12
    begun = make(config)
    found = [untimed(begun.run_segment())]
    while not begun.finished:
        state = deepcopy(begun.state())
        begun = make(config)
        begun.restore(state)
        found.append(untimed(begun.run_segment()))
    assert found == curve
    ours, theirs = begun.result.state_dict(), whole.result.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
