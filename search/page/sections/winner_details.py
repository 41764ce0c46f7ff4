"""The winners in detail: curves, training against validation, the network, mistakes, classes, calibration."""

import re

import numpy as np

from architectures.describe import describe
from architectures.errors import HpsearchError
from architectures.families import make_network
from search.history.record import Run, is_family
from search.history.store import retrain_folder
from search.page.blocks import (
    Axis,
    Block,
    Choice,
    Column,
    Figure,
    Layers,
    Mark,
    Rows,
    Section,
    Sheet,
    Table,
    Words,
    table_of,
)
from search.page.examples import gallery
from search.page.view import UP_CLOSE, View, label
from search.readable import count, percent
from trainables import metrics
from trainables.data.superclasses import SUPERCLASSES, superclasses_of
from trainables.predictions import read_predictions

_PAIRS = 12  # mistakes that are listed
_LONG = re.compile(r"\d+\.\d{4,}")  # numbers that were drawn, with more digits than a reader needs
_BINS = 10  # of the reliability diagram
_READABLE = 40  # with more classes, a matrix shows only their order and is read by zooming


def section(view: View) -> Section:
    """The section on the tested winners of a search, or on its best trial while there are none."""
    shown = view.winners
    runs = shown[:UP_CLOSE]
    if not view.ranked:
        return Section("close", "Winners in detail", (Words("close-words", ("There is no measured trial yet.",)),))
    blocks: list[Block] = []
    if not runs:
        lack = "All predictions of winners are lost" if view.tested else "No winner has been retrained and tested yet"
        told = f"{lack}; this is the best trial of the search."
        blocks.append(Words("close-words", (told,)))
    elif len(shown) > UP_CLOSE:
        told = f"The first {UP_CLOSE} of {len(shown)} trials that were tested, by validation."
        blocks.append(Words("close-words", (told,)))
    for run in runs or view.ranked[:1]:
        blocks += _of_run(view, run)
    return Section("close", "Winners in detail", tuple(blocks))


def _of_run(view: View, run: Run) -> list[Block]:
    searched = view.record.runs[run.key[0], 0]
    blocks: list[Block] = [
        Words(f"gap-{_id(run)}", (f"{label(run)}: {_settings(run)}", *_gap(view, searched, run))),
        _curves(searched, run),
    ]
    if layers := _layers(view, run):
        blocks.append(layers)
    if run.test is not None:
        labels, probabilities, classes = read_predictions(retrain_folder(view.found.search.folder, run))
        matrix = metrics.confusion(labels, probabilities.argmax(1), len(classes))
        blocks += [
            *_confusions(run, matrix, classes),
            _pairs(run, matrix, classes),
            *_examples(view, run, labels, probabilities, classes),
            _classes(run, matrix, classes),
            _calibration(run, labels, probabilities),
        ]
    return blocks


def _id(run: Run) -> str:
    return f"{run.key[0]}-{run.key[1]}"


def _settings(run: Run) -> str:
    optimizer, training = run.config["optimizer"], run.config["training"]
    told = ", ".join(f"{name} {value:.3g}" for name, value in optimizer.items() if isinstance(value, float))
    return (
        f"{optimizer['name']} with {told}; batches of {training['batch_size']}, {count(training['epochs'], 'epoch')}."
    )


def _gap(view: View, searched: Run, run: Run) -> tuple[str, ...]:
    """The gap between training and validation in words."""
    last = searched.best
    lines = []
    if last and last.train_accuracy is not None and last.val_accuracy is not None:
        gap = last.train_accuracy - last.val_accuracy
        if gap > 0.1:
            told = (
                "it overfits: more augmentation, dropout, weight decay or images would help more than a larger network"
            )
        elif gap > 0.03:
            told = "a moderate gap"
        elif gap > -0.03:
            told = "almost no gap, so a larger network or longer training may still gain"
        else:
            told = "training accuracy is lower because augmentation and dropout apply only in training"
        lines.append(
            f"In the search, at its best epoch, it classified {percent(last.train_accuracy)} of its training images "
            f"and {percent(last.val_accuracy)} of the validation images correctly: {told}."
        )
    if run.test is not None and run.measurements and run.measurements[-1].train_accuracy is not None:
        row, when = view.retrains[run.key], "Retrained" if run.key[1] else "In the end"
        lines.append(
            f"{when}, it classified {percent(run.measurements[-1].train_accuracy)} of its training images in its last "
            f"epoch and {percent(row['test_accuracy'])} of {row['test_images']:,} test images correctly."
        )
    return tuple(lines)


def _curves(searched: Run, run: Run) -> Figure:
    rows: Rows = []
    runs = {"search": searched} | ({"retrain": run} if run is not searched else {})
    for part, each in runs.items():
        for event in each.measurements:
            for what, kind in (("training", "train"), ("validation", "val")):
                accuracy, loss = getattr(event, f"{kind}_accuracy"), getattr(event, f"{kind}_loss")
                if accuracy is not None:
                    rows.append({"line": f"{part}, {what}", "epoch": event.epoch, "accuracy": accuracy, "loss": loss})
    roles = {
        "search, training": "faint",
        "search, validation": "main",
        "retrain, training": "accent",
        "retrain, validation": "good",
    }
    lines = [line for line in roles if any(row["line"] == line for row in rows)]
    return Figure(
        key=f"winner-{_id(run)}",
        title=f"Curves of {label(run)}",
        sentence="Accuracy on training images, with augmentation and dropout, and on validation images. A retrain "
        "without early stopping trains on both, so it has no validation of its own.",
        alt=f"Lines over epochs: {', '.join(lines)}.",
        table=Table(
            (
                Column("line", "line"),
                Column("epoch", "epoch", "epoch"),
                Column("accuracy", "accuracy", "percent"),
                Column("loss", "loss in nats", "number"),
            ),
            rows,
        ),
        marks=tuple(Mark("line", "epoch", "accuracy", line, ("line", line), role=roles[line]) for line in lines),
        x=Axis("epoch", "epoch"),
        y=Axis("accuracy", "percent"),
        height=340,
    )  # fmt: skip


def _layers(view: View, run: Run) -> Layers | None:
    """The network layer by layer; None for a user's own network, as a page does not run its code."""
    network, data = run.config["network"], view.found.search.facts["data"]
    shape, classes = data.get("shape"), data.get("classes")
    if not is_family(network["name"]) or not shape or not classes:
        return None
    own = {key: value for key, value in network.items() if key != "name"}
    try:
        found = describe(make_network(network["name"], own, tuple(shape), len(classes)), tuple(shape), len(classes))
    except (HpsearchError, ValueError, TypeError, OSError):
        return None  # a family that has changed since, or whose weights are not here
    columns = (
        Column("layer", "layer"),
        Column("operation", "operation"),
        Column("output", "output"),
        Column("parameters", "parameters", "count"),
        Column("flops", "FLOPs", "count"),
    )
    table = table_of(columns, found)
    for row in table.rows:
        row["operation"] = _LONG.sub(lambda match: f"{float(match[0]):.3g}", str(row["operation"]))
    return Layers(f"layers-{_id(run)}", f"The network of {label(run)}, layer by layer", table)


# ---- on the test set


def _confusions(run: Run, matrix: np.ndarray, classes: tuple[str, ...]) -> list[Figure]:
    """The confusion matrix of all classes; if their superclasses are known, the superclasses' matrix comes first."""
    title = f"Confusions of {label(run)}"
    supers = superclasses_of(classes)
    if supers is None:
        return [_confusion(run, "confusion", title, matrix, classes, "in the dataset's order")]
    places = np.array(supers)
    grouped = np.zeros((len(SUPERCLASSES), len(SUPERCLASSES)), matrix.dtype)
    np.add.at(grouped, (places[:, None], places[None, :]), matrix)
    wrong, right = int(matrix.sum() - matrix.trace()), int(matrix.trace())
    inside = percent((int(grouped.trace()) - right) / max(1, wrong))
    told = f"added up by superclass; {inside} of {count(wrong, 'mistake')} stay within one"
    order = sorted(range(len(classes)), key=lambda i: (places[i], classes[i]))
    fine = matrix[np.ix_(order, order)], tuple(classes[i] for i in order)
    return [
        _confusion(run, "superclasses", f"{title}, by superclass", grouped, tuple(SUPERCLASSES), told),
        _confusion(run, "confusion", title, *fine, "ordered by superclass"),
    ]


def _confusion(run: Run, key: str, title: str, matrix: np.ndarray, classes: tuple[str, ...], told: str) -> Figure:
    """A matrix of counts (classes, classes), a row for each label. told: how its classes are arranged."""
    rows = [
        {
            "label": name,
            "predicted": predicted,
            "images": int(matrix[i, j]),
            "share": matrix[i, j] / max(1, matrix[i].sum()),
        }
        for i, name in enumerate(classes)
        for j, predicted in enumerate(classes)
        if matrix[i, j]
    ]
    never = [classes[j] for j in range(len(classes)) if not matrix[:, j].any()]
    missing = [classes[i] for i in range(len(classes)) if not matrix[i].any()]
    notes = f" Never predicted: {', '.join(never)}." if never else ""
    notes += f" Without a test image: {', '.join(missing)}." if missing else ""
    zoom = " Drag to zoom in." if len(classes) > _READABLE else ""
    return Figure(
        key=f"{key}-{_id(run)}",
        title=title,
        sentence=f"Each row shows what the test images of a class were predicted as, in shares of that class, "
        f"{told}.{notes}{zoom}",
        alt=f"A square of {len(classes)} classes; {matrix.diagonal().sum():,} of {matrix.sum():,} images lie on its "
        "diagonal.",
        table=Table(
            (
                Column("label", "class"),
                Column("predicted", "predicted as"),
                Column("images", "images", "count"),
                Column("share", "share of the class", "percent"),
            ),
            rows,
        ),
        marks=(Mark("cells", "predicted", "label", value="share"),),
        x=Axis("predicted as", "text", order=classes),
        y=Axis("class", "text", order=classes),
        choices=(Choice("shares"), Choice("images", {"share": "images"})),
        height=520 if len(classes) <= _READABLE else 760,
    )


def _pairs(run: Run, matrix: np.ndarray, classes: tuple[str, ...]) -> Sheet:
    mistakes = matrix - np.diag(matrix.diagonal())
    both = mistakes + mistakes.T
    found = sorted(
        ((int(both[i, j]), i, j) for i in range(len(classes)) for j in range(i) if both[i, j]), key=lambda p: -p[0]
    )
    rows = [
        {"a": classes[j], "b": classes[i], "images": number, "ab": int(mistakes[j, i]), "ba": int(mistakes[i, j])}
        for number, i, j in found[:_PAIRS]
    ]
    columns = (
        Column("a", "class"),
        Column("b", "and"),
        Column("images", "confused with each other", "count"),
        Column("ab", "first as second", "count"),
        Column("ba", "second as first", "count"),
    )
    return Sheet(
        f"pairs-{_id(run)}",
        f"Most confused classes of {label(run)}",
        Table(columns, rows),
        "" if rows else "No test image was misclassified.",
    )


def _examples(
    view: View, run: Run, labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]
) -> list[Block]:
    """Images of its mistakes; without images, the reason, once on the page."""
    if view.pixels is not None:
        return [gallery(run, labels, probabilities, classes, view.pixels)]
    return [Words("examples", (view.without,))] if run is view.winners[0] else []


def _classes(run: Run, matrix: np.ndarray, classes: tuple[str, ...]) -> Figure:
    accuracies = metrics.class_accuracies(matrix)
    rows: Rows = []
    for i, accuracy in enumerate(accuracies):
        images = int(matrix[i].sum())
        if images:
            low, high = metrics.wilson(int(matrix[i, i]), images)
            rows.append({"class": classes[i], "images": images, "accuracy": float(accuracy), "low": low, "high": high})
    rows.sort(key=lambda row: -row["accuracy"])
    return Figure(
        key=f"classes-{_id(run)}",
        title=f"Accuracy by class, {label(run)}",
        sentence=f"The most accurate class is {rows[0]['class']} ({percent(rows[0]['accuracy'])}), the least accurate "
        f"{rows[-1]['class']} ({percent(rows[-1]['accuracy'])}). Lines are 95 % intervals.",
        alt="Intervals of accuracy, a class in each row, the best at the top.",
        table=Table(
            (
                Column("class", "class"),
                Column("images", "test images", "count"),
                Column("accuracy", "accuracy", "percent"),
                Column("low", "from", "percent"),
                Column("high", "to", "percent"),
            ),
            rows,
        ),
        marks=(Mark("intervals", "accuracy", "class", low="low", high="high"),),
        x=Axis("accuracy", "percent"),
        y=Axis("", "text", order=tuple(row["class"] for row in rows)),
        height=150 + (26 if len(rows) <= _READABLE else 13) * len(rows),
    )


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> tuple[Rows, float]:
    """Rows of a reliability diagram by confidence, and the expected calibration error (Naeini et al. 2015)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    rows: Rows = []
    error = 0.0
    for number in range(_BINS):
        mine = bins == number
        if mine.any():
            mean, share = float(confidence[mine].mean()), float(right[mine].mean())
            error += mine.mean() * abs(mean - share)
            rows.append({"confidence": mean, "accuracy": share, "ideal": mean, "images": int(mine.sum())})
    return rows, float(error)


def _calibration(run: Run, labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    rows, error = calibration(labels, probabilities)
    over = sum((row["confidence"] - row["accuracy"]) * row["images"] for row in rows) > 0
    told = "overconfident" if over else "underconfident"
    return Figure(
        key=f"calibration-{_id(run)}",
        title=f"Calibration of {label(run)}",
        sentence=f"The expected calibration error is {error:.3f}: "
        + ("its confidence matches its accuracy." if error < 0.02 else f"overall it is {told}."),
        alt="A line of accuracy over confidence beside the diagonal on which both are equal.",
        table=Table(
            (
                Column("confidence", "mean confidence", "percent"),
                Column("accuracy", "accuracy", "percent"),
                Column("ideal", "if calibrated", "percent"),
                Column("images", "images", "count"),
            ),
            rows,
        ),
        marks=(
            Mark("line", "confidence", "ideal", "if calibrated", role="faint"),
            Mark("line", "confidence", "accuracy", "this network"),
            Mark("points", "confidence", "accuracy"),
        ),
        x=Axis("confidence of the prediction", "percent"),
        y=Axis("share that is correct", "percent"),
        height=340,
    )
