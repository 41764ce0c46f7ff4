"""The options of every baseline, and what it writes."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: What is written of each epoch. began, ended: Unix times; seconds: training and validation.
FIELDS = ("trial", "pid", "epoch", "began", "ended", "seconds", "val_accuracy")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every baseline has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--configs", type=Path, required=True, help="configurations as JSON lines, each with its epochs")
    made.add_argument("--data", type=Path, required=True, help="an .npz: {train,val}_{pixels,labels}, num_classes")
    made.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    made.add_argument("--out", type=Path, required=True, help="a .json file: a list with an object an epoch")
    return made


def write(out: Path, epochs: Iterable[dict[str, Any]]) -> None:
    """Write `FIELDS` of every epoch."""
    out.write_text(json.dumps([{field: epoch[field] for field in FIELDS} for epoch in epochs]))
