"""Searches on disk without a training: draws of a real space, and curves that a formula gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import distribution_to_json

from search.history import store
from search.history.events import Closed, Decision, Measured, Opened, Started, State, Tested, Testing
from search.history.ledger import Ledger
from search.history.store import Request, Search
from search.spaces import find_space
from search.spaces.drawing import choice
from search.spaces.space import Function
from tests.search.events import asked
from trainables.predictions import write_predictions

optuna.logging.set_verbosity(optuna.logging.ERROR)

EPOCH = 1000  # images
CLASSES = ("cat", "dog", "ship")


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def make_search(
    results: Path,
    name: str = "made",
    *,
    trials: int = 20,
    epochs: int = 4,
    retrains: Sequence[tuple[int, int]] = (),
    classes: tuple[str, ...] = CLASSES,
    finished: bool = True,
    space: str = "cnn_all",
    function: Function | None = None,
    **predicted: Any,
) -> Search:
    """Trials of which half are stopped after an epoch, on two slots, and tested retrains of (trial, repeat)."""
    clock = Clock()
    request = Request(space=space, samples=max(trials, 1), epochs=epochs, dataset="digits", data_dir="/data")
    data = {
        "fingerprint": "0123",
        "shape": [1, 16, 16],
        "classes": list(classes),
        "num_train": EPOCH,
        "num_validation": 200,
        "guessing": {"accuracy": 0.4, "balanced_accuracy": 1 / len(classes)},
    }
    facts = {
        "data": data,
        "slots": 2,
        "threads": 1,
        "precision": "float32",
        "versions": {"hpsearch": "1"},
        "machine": {},
    }
    found = store.create(results, name, request, clock.now, facts)
    function = function or find_space(space).function
    assert function is not None
    with Ledger(found.ledger, clock=clock) as book:
        book.append(Opened(slots=2, samples=max(trials, 1), threads=1, device="cpu", host="here", pid=1))
        for trial in range(trials):
            drawn = choice(function, optuna.samplers.RandomSampler(seed=trial))
            config = drawn.config.to_json()
            config["training"]["epochs"] = epochs
            book.append(
                asked(
                    trial,
                    config=config,
                    params=drawn.params,
                    distributions={key: distribution_to_json(own) for key, own in drawn.distributions.items()},
                    parameters=1000 * (trial % 7 + 1),
                    flops=500 * (trial % 5 + 1),
                )
            )
            train(book, clock, trial, 0, epochs if trial % 2 == 0 else 1, epochs)
        if finished:
            book.append(Closed(reason="finished"))
        if retrains:
            book.append(Opened(slots=2))
            for trial, repeat in retrains:
                run = next(e for e in book.events if getattr(e, "trial", None) == trial)
                config = {**run.config, "training": {**run.config["training"], "epochs": 2}}  # type: ignore[attr-defined]
                book.append(asked(trial, repeat, config=config, with_validation=False))
                train(book, clock, trial, repeat, 2, 2)
                pass_over_test(found, book, trial, repeat, classes, **predicted)
            book.append(Closed(reason="finished"))
    return found


def accuracy_of(trial: int, epoch: int) -> float:
    """A curve that rises to a height of its own."""
    height = 0.3 + 0.6 * ((trial * 7) % 20) / 20
    return round(height * (1 - 0.5**epoch), 4)


def train(book: Ledger, clock: Clock, trial: int, repeat: int, last: int, epochs: int) -> None:
    """One run to its last epoch."""
    book.append(Started(trial=trial, repeat=repeat, attempt=1, images=0))
    for epoch in range(1, last + 1):
        began, clock.now = clock.now, clock.now + 10
        ends = epoch == last
        state = State.RUNNING if not ends else State.DONE if epoch == epochs else State.STOPPED
        decision = Decision.CONTINUE if not ends else Decision.END if epoch == epochs else Decision.STOP
        book.append(
            Measured(
                trial=trial,
                repeat=repeat,
                attempt=1,
                images=epoch * EPOCH,
                epoch=float(epoch),
                val_accuracy=None if repeat else accuracy_of(trial, epoch),
                val_balanced_accuracy=None if repeat else accuracy_of(trial, epoch),
                val_loss=None if repeat else 1.0 / epoch,
                train_accuracy=min(1.0, accuracy_of(trial, epoch) + 0.05),
                train_loss=1.2 / epoch,
                seconds=9.0,
                checkpoint=None,
                state=state,
                reason=None,
                decision=decision,
                began=began,
                host="here",
                pid=1 + trial % 2,
                images_per_second=100.0 + trial,
            )
        )


def pass_over_test(
    found: Search,
    book: Ledger,
    trial: int,
    repeat: int,
    classes: tuple[str, ...],
    never: int | None = None,
    images: int = 120,
) -> None:
    """Its test pass; never: a class that is not predicted."""
    rng = np.random.default_rng(trial)
    labels = np.arange(images) % len(classes)
    scores = rng.random((images, len(classes)))
    scores[np.arange(images), labels] += 0.6
    if never is not None:
        scores[:, never] = 0.0
    probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    book.append(Testing(trial=trial, repeat=repeat))
    folder = found.folder / "retrain" / f"{trial}-{repeat}"
    folder.mkdir(parents=True)
    write_predictions(folder, labels, probabilities, classes)
    correct = int((probabilities.argmax(1) == labels).sum())
    book.append(Tested(trial=trial, repeat=repeat, correct=correct, images=images, balanced_accuracy=0.5))
