"""What a retrain has left: weights, what rebuilds the network, predictions."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules.rule import FINISHED, RETRAIN, Place, Rule, both, runs_when_read

MAY_CHANGE = (f"results/{FINISHED}/ledger.jsonl", f"results/{FINISHED}/*.parquet", f"results/{FINISHED}/checkpoints*")


def folder(place: Place) -> Path:
    """The folder of the only retrain."""
    (found,) = (place.search() / "retrain").iterdir()
    return found


def untested(place: Place) -> None:
    """The finished search as if it had been killed between its retrain's last epoch and the test."""
    lines = place.ledger().read_bytes().splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if b'"event":"testing"' in line)
    place.ledger().write_bytes(b"".join(lines[:number]))
    (folder(place) / "predictions.parquet").unlink()


def read(rule: str, shown: str, name: str, how: Callable[[Place, Path], object], *says: str) -> Rule:
    """A test pass that finds its network so."""
    return Rule(
        rule=rule,
        input=shown,
        command=RETRAIN,
        breaks=both(untested, lambda place: how(place, folder(place) / name)),
        code=(1, 2),
        lines=None,
        says=says,
        may_change=MAY_CHANGE,
        seconds=300,
    )


def shown_again(rule: str, shown: str, how: Callable[[Place, Path], object]) -> Rule:
    """A retrain that is done already, whose network is tested again as its predictions cannot be read."""
    return Rule(
        rule=rule,
        input=shown,
        command=RETRAIN,
        breaks=lambda place: how(place, folder(place) / "predictions.parquet"),
        code=0,
        lines=None,
        says=("testing 2-1 on",),
        may_change=(*MAY_CHANGE, "results/finished/retrain/2-1/README.md"),
        seconds=300,
    )


def settings(how: Callable[[dict[str, Any]], Any]) -> Callable[[Place, Path], None]:
    """A config.json with other data."""

    def breaks(_: Place, path: Path) -> None:
        data = how(json.loads(path.read_text()))
        del data["crc32"]  # as a forger would
        path.write_text(json.dumps(data))

    return breaks


def half(_: Place, path: Path) -> None:
    """The first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_shape(place: Place, path: Path) -> None:
    """Weights of another network."""
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, path)
    settings(lambda data: data)(place, path.with_name("config.json"))


def pickled(place: Place, path: Path) -> None:
    """A pickle in place of the weights."""
    path.write_bytes(pickle.dumps(runs_when_read(place.home / "evil")))
    settings(lambda data: data)(place, path.with_name("config.json"))


def turned_over(_: Place, path: Path) -> None:
    """A byte of a weight, turned over."""
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 0xFF]) + data[-2:])


def other_predictions(_: Place, path: Path) -> None:
    """A Parquet file of something else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"label": [1, 2], "probabilities": [0.5, 0.5]}), path)


def stranger(place: Place) -> None:
    """A network that came from somebody else, and names a function that runs a command."""
    given = place.home / "stranger"
    given.mkdir()
    for file in folder(place).iterdir():
        (given / file.name).write_bytes(file.read_bytes())
    named = {"name": "subprocess:getoutput", "cmd": f"touch {place.home / 'evil'}"}
    settings(lambda data: data | {"config": data["config"] | {"network": named}})(place, given / "config.json")


LOAD = """
import sys
from pathlib import Path
from trainables.saved_network import NetworkError, load_network
try:
    load_network(Path("stranger"))
except NetworkError as error:
    print(f"hpsearch: {error}", file=sys.stderr)
    sys.exit(2)
"""

RULES = [
    read("weights are whole", "their first half", "model.safetensors", half, "model.safetensors"),
    read(
        "weights are safetensors and nothing else",
        "a pickle that makes a file",
        "model.safetensors",
        pickled,
        "model.safetensors",
    ),
    read("weights are their network's", "a tensor of two numbers", "model.safetensors", other_shape),
    read("weights are what was written", "a byte of a weight turned over", "model.safetensors", turned_over),
    read("weights are there", "none", "model.safetensors", lambda _, path: path.unlink(), "model.safetensors"),
    read("config.json is whole", "its first half", "config.json", half, "config.json"),
    read("config.json has a configuration", "none", "config.json", settings(lambda data: data | {"config": {}})),
    read("config.json has the images' shape", "3", "config.json", settings(lambda data: data | {"input_shape": 3})),
    read(
        "config.json has the class names",
        "a class less",
        "config.json",
        settings(lambda data: data | {"classes": data["classes"][1:]}),
    ),
    Rule(
        rule="reading a network of somebody else runs no code",
        input="config.json with the network subprocess:getoutput",
        command=("-c", LOAD),
        program=True,
        breaks=stranger,
        says=("subprocess:getoutput",),
    ),
    shown_again("predictions are whole", "their first half", half),
    shown_again("predictions are a test pass's", "a table of something else", other_predictions),
    shown_again("predictions are there", "none", lambda _, path: path.unlink()),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="weights and predictions") for rule in RULES]
