"""The columns of the tables: one entry for each, from which schema, rows and documentation are derived.

To add a column, add an entry to `TRIALS` or `EPOCHS`.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from search.history.events import Measured
from search.history.hyperparameters import hyperparameter_columns, hyperparameters_of
from search.history.record import Run, state_of

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column of a table."""

    name: str
    """Its name, in the file as in pandas."""
    type: Literal["int64", "float64", "string", "timestamp"]
    """Its Arrow type; a timestamp is in milliseconds, UTC."""
    value: Callable[[Row], Any]
    """The function that gives a row's value, or None if it has none."""
    meaning: str
    """One line of documentation."""


@dataclass(frozen=True)
class Trial:
    """The data of a row of `trials`."""

    run: Run
    """The trial."""
    running: bool
    """Whether a process has the ledger open."""

    @cached_property
    def hyperparameters(self) -> dict[str, float | str | None]:
        """The configuration's hyperparameters by name."""
        return hyperparameters_of(self.run.config)

    def last(self, name: str) -> Any:
        """A field of the last measurement."""
        return getattr(self.run.measurements[-1], name) if self.run.measurements else None


@dataclass(frozen=True)
class Measurement:
    """The data of a row of `epochs`."""

    run: Run
    """The trial or retrain that was measured."""
    event: Measured
    """What was measured."""


def _hyperparameter(name: str, is_number: bool) -> Column[Trial]:
    return Column(
        name,
        "float64" if is_number else "string",
        lambda trial: trial.hyperparameters.get(name),
        "Hyperparameter; empty for trials without it.",
    )


TRIALS: tuple[Column[Trial], ...] = (
    Column("trial", "int64", lambda t: t.run.key[0], "Number of the trial, from 0."),
    Column("state", "string", lambda t: state_of(t.run, t.running), "State, such as running or done."),
    Column("reason", "string", lambda t: t.run.reason, "Reason for the state, if any."),
    Column("network", "string", lambda t: t.run.config["network"]["name"], "Family, or package.module:function."),
    Column("optimizer", "string", lambda t: t.run.config["optimizer"]["name"], "Name of the optimizer."),
    Column("parameters", "int64", lambda t: t.run.asked.parameters, "Trainable parameters."),
    Column("flops", "int64", lambda t: t.run.asked.flops, "FLOPs of one image's forward pass."),
    Column("batch_size", "int64", lambda t: t.run.config["training"]["batch_size"], "Images per step."),
    Column(
        "micro_batch",
        "int64",
        lambda t: t.run.micro_batch,
        "Images whose gradients are computed at a time, where memory was too small for a batch.",
    ),
    Column("max_epochs", "int64", lambda t: t.run.config["training"]["epochs"], "Epochs to the trial's end."),
    *(_hyperparameter(name, is_number) for name, is_number in hyperparameter_columns().items()),
    Column("epoch", "float64", lambda t: t.last("epoch"), "Epochs trained."),
    Column("best_epoch", "float64", lambda t: t.run.at_best("epoch"), "Epoch with the highest value of --metric."),
    Column(
        "best_val_accuracy",
        "float64",
        lambda t: t.run.at_best("val_accuracy"),
        "Validation accuracy at that epoch, a fraction of one.",
    ),
    Column(
        "best_val_balanced_accuracy",
        "float64",
        lambda t: t.run.at_best("val_balanced_accuracy"),
        "Balanced validation accuracy at that epoch: the mean of the recalls of the classes that occur.",
    ),
    Column("best_val_loss", "float64", lambda t: t.run.at_best("val_loss"), "Validation loss at that epoch, in nats."),
    Column("val_accuracy", "float64", lambda t: t.last("val_accuracy"), "Last validation accuracy."),
    Column(
        "val_balanced_accuracy",
        "float64",
        lambda t: t.last("val_balanced_accuracy"),
        "Last balanced validation accuracy.",
    ),
    Column("val_loss", "float64", lambda t: t.last("val_loss"), "Last validation loss, in nats."),
    Column("train_accuracy", "float64", lambda t: t.last("train_accuracy"), "Training accuracy of the last epoch."),
    Column("train_loss", "float64", lambda t: t.last("train_loss"), "Training loss of the last epoch, in nats."),
    Column("images", "int64", lambda t: t.last("images"), "Training images seen, counting repetitions."),
    Column("seconds", "float64", lambda t: t.run.seconds, "Seconds of training and validation."),
    Column("images_per_second", "float64", lambda t: t.last("images_per_second"), "Speed of the last epoch."),
    Column("attempt", "int64", lambda t: t.run.attempt, "Times training was started or resumed."),
    Column("redrawn", "int64", lambda t: t.run.asked.redrawn, "Invalid configurations drawn before this one."),
    Column("seed", "int64", lambda t: t.run.asked.seed, "Seed of the training."),
    Column(
        "config",
        "string",
        lambda t: json.dumps(dict(t.run.config)),
        "The whole configuration: an object in --json, in the file JSON as text.",
    ),
)


def _measured(name: str, type: Literal["int64", "float64", "string", "timestamp"], meaning: str) -> Column[Measurement]:
    return Column(name, type, lambda m: getattr(m.event, name), meaning)


EPOCHS: tuple[Column[Measurement], ...] = (
    Column("trial", "int64", lambda m: m.run.key[0], "Number of the trial."),
    Column("repeat", "int64", lambda m: m.run.key[1], "0 for the search's own training, from 1 for later ones."),
    Column("fold", "int64", lambda m: m.run.asked.fold, "The fold that a finalist's run leaves out, from 1."),
    _measured("epoch", "float64", "Epochs trained until the measurement."),
    _measured("images", "int64", "Training images seen until the measurement, counting repetitions."),
    _measured("train_loss", "float64", "Mean training loss since the previous measurement, in nats."),
    _measured("train_accuracy", "float64", "Training accuracy since the previous measurement, a fraction of one."),
    _measured("val_loss", "float64", "Validation loss, in nats."),
    _measured("val_accuracy", "float64", "Validation accuracy, a fraction of one."),
    _measured("val_balanced_accuracy", "float64", "Mean recall of the classes that occur among the validation images."),
    _measured("learning_rate", "float64", "Learning rate of the last step."),
    _measured("images_per_second", "float64", "Training speed."),
    _measured("seconds", "float64", "Seconds of training and validation since the previous measurement."),
    _measured("decision", "string", "What the scheduler decided."),
    _measured("attempt", "int64", "The attempt that measured it."),
    _measured("host", "string", "The machine that trained."),
    _measured("pid", "int64", "The process that trained."),
    Column("time", "timestamp", lambda m: int(m.event.time * 1000), "When it was recorded."),
)


def row_of(row: Row, of: Iterable[Column[Row]]) -> dict[str, Any]:
    """A row as plain data: numbers have the columns' types, and missing values are None. `of`: the columns."""
    values = ((column, column.value(row)) for column in of)
    return {
        column.name: float(value) if column.type == "float64" and value is not None else value
        for column, value in values
    }
