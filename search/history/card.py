"""The model card of a retrained winner: Markdown whose head is the metadata that model hubs read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.history import scores
from search.history.load import Loaded
from search.history.record import Run, is_family
from search.history.store import CARD, Search, retrain_folder
from search.readable import count, duration
from trainables import files
from trainables.predictions import read_predictions

#: The names of `contents`.
FILES = ("model.safetensors", "config.json", CARD)

_CARD = """\
---
{metadata}
---

# {name}

A {network} with {parameters:,} parameters that distinguishes {classes} in images of {shape}. It is trial {trial} of \
the search `{search}`, trained again from scratch as `{run}`.

## How good it is

| on {images} test images | value | 95 % interval | majority-class baseline |
| --- | --- | --- | --- |
| accuracy | {accuracy:.1%} | {low:.1%}–{high:.1%} | {guess:.1%} |
| balanced accuracy | {balanced:.1%} | {balanced_low:.1%}–{balanced_high:.1%} | {balanced_guess:.1%} |
| loss, nats per image | {loss:.3f} | | |

{flips}The test set was evaluated {passes}, always after training, and hpsearch never used it for selection. The \
intervals reflect only the number of test images, not variation between seeds.

## Data

- Dataset: `{dataset}`{size}. The training images have the fingerprint `{fingerprint}`, the test images \
`{test_fingerprint}`.
- Trials were compared on {split}.
- This network was trained on {trained_on}.
- Classes, in the order of the outputs: {names}.

## Training

- {optimizer}
- {training}
- Trained for {epochs} in {seconds}, seed {seed}, {versions}.

## Use

`hpsearch predict {search} IMAGE{allow}` classifies an image, and `hpsearch export {search} --format onnx{allow}` \
writes it for other programs. In Python:

```python
from pathlib import Path

from trainables.saved_network import load_network

network = load_network(Path("FOLDER"){own})  # .model: images (N, C, H, W) in [-1, 1] to logits
```

## Limits

- It answers with one of its classes whatever an image shows, and its probabilities are not calibrated.
- It was tested on images of the same dataset. On other cameras, crops or classes it may be much worse.
- Not evaluated for bias; gaps and imbalances in the training images carry over.

## Licence

Not chosen. Whoever publishes the network adds `license:` to the metadata above, as the training images allow.
"""


def write_card(found: Loaded, run: Run) -> None:
    """Write a tested retrain's card beside its weights. Raises OSError if it cannot be written."""
    files.write(retrain_folder(found.search.folder, run) / CARD, card(found, run).encode())


def contents(found: Loaded, run: Run) -> dict[str, bytes]:
    """A tested retrain's weights, configuration and card, by the names of their files.

    Raises OSError for files that cannot be read, and what `card` raises.
    """
    folder = retrain_folder(found.search.folder, run)
    return {name: (folder / name).read_bytes() for name in FILES[:2]} | {CARD: card(found, run).encode()}


def card(found: Loaded, run: Run) -> str:
    """The card of a tested retrain; raises PredictionsError if its predictions are gone or damaged."""
    search, (trial, repeat) = found.search, run.key
    assert run.test is not None, "only what was tested has a card"
    labels, probabilities, _ = read_predictions(retrain_folder(search.folder, run))
    row = scores.score(labels, probabilities)
    data, name = search.facts["data"], f"{search.name} {trial}-{repeat}"
    classes: list[str] = data.get("classes") or []
    optimizer, training = (dict(run.config[part]) for part in ("optimizer", "training"))
    versions = search.facts.get("versions", {})
    is_own = not is_family(run.config["network"]["name"])
    return _CARD.format(
        metadata=_metadata(name, _dataset(search), row),
        name=name,
        network=run.network,
        parameters=run.asked.parameters,
        classes=f"{len(classes):,} classes",
        shape="×".join(map(str, data["shape"])) + " (channels, height, width)",
        trial=trial,
        search=search.name,
        run=f"{trial}-{repeat}",
        images=f"{row['test_images']:,}",
        accuracy=row["test_accuracy"],
        low=row["test_low"],
        high=row["test_high"],
        guess=row["test_guess"],
        balanced=row["test_balanced_accuracy"],
        balanced_low=row["test_balanced_low"],
        balanced_high=row["test_balanced_high"],
        balanced_guess=row["test_balanced_guess"],
        loss=row["test_loss"],
        flips=f"Predictions {scores.FLIPS}. " if run.test.flips else "",
        passes=count(found.record.test_passes, "time"),
        dataset=_dataset(search),
        size=f", resized to {search.request.image_size} pixels a side" if search.request.image_size else "",
        fingerprint=data["fingerprint"],
        test_fingerprint=run.test.fingerprint or "not recorded",
        split=_split(search),
        trained_on=_trained_on(search, run),
        names=", ".join(f"`{each}`" for each in classes),
        optimizer=_settings(optimizer),
        training=_settings(training),
        epochs=count(run.epochs, "epoch"),
        seconds=duration(run.seconds),
        seed=run.asked.seed,
        versions=", ".join(f"{package} {version}" for package, version in versions.items()) or "versions not recorded",
        allow=" --own-code" if is_own else "",
        own=", run_own_code=True" if is_own else "",
    )


def _metadata(name: str, dataset: str, row: Mapping[Any, Any]) -> str:
    """The metadata as lines of YAML, with values in JSON, which YAML includes."""
    interval = f"Accuracy (95 % interval {row['test_low']:.4f} to {row['test_high']:.4f})"
    metrics = [
        {"type": "accuracy", "value": round(row["test_accuracy"], 4), "name": interval},
        {"type": "balanced_accuracy", "value": round(row["test_balanced_accuracy"], 4), "name": "Balanced accuracy"},
    ]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": dataset, "type": dataset, "split": "test"},
        "metrics": metrics,
    }
    lines = {
        "library_name": "hpsearch",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "hpsearch"],
        "model-index": [{"name": name, "results": [result]}],
    }
    return "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in lines.items())


def _dataset(search: Search) -> str:
    """A known dataset's name, or the last part of a path: a card is read on other machines."""
    return Path(search.request.dataset).name


def _split(search: Search) -> str:
    data = search.facts["data"]
    images = f"{data['num_validation']:,} validation images"
    if "validation_fingerprint" in data:
        return f"the dataset's own {images} (fingerprint `{data['validation_fingerprint']}`)"
    return f"{images}, held out of train with seed {search.request.seed}, while {data['num_train']:,} were trained on"


def _trained_on(search: Search, run: Run) -> str:
    """The training images of a retrain, in words; their number is that of one epoch."""
    last = run.measurements[-1]
    number = f"{round(last.images / last.epoch):,} images"
    if run.config["training"].get("patience") is not None:
        found = f"{number}, without those for validation, by which its epoch was chosen"
    elif run.asked.with_validation:
        found = f"{number}, the dataset's own validation images among them"
    elif "validation_fingerprint" in search.facts["data"]:
        found = f"{number}, without the validation images"
    else:
        found = f"{number}, those among them that trials were compared on"
    if run.teachers:
        found += f". It {scores.taught(scores.in_words(run.teachers))}"
    return found


def _settings(settings: dict[str, Any]) -> str:
    """The settings that have a value, on one line."""
    name = settings.pop("name", None)
    told = ", ".join(f"{key} {_value(value)}" for key, value in settings.items() if value not in (None, [], {}, False))
    return f"{name}: {told}" if name else told


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
