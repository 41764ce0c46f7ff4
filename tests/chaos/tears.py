"""Writes that were torn, as a machine that loses its power, or a disk, leaves them."""

import random
from collections.abc import Callable
from pathlib import Path

from search.history.events import State
from search.history.record import Key, Record, Run

#: Tears a search's files, in its folder; says what it did, and which runs must begin anew.
Tear = Callable[[Path, Record, random.Random], tuple[str, set[Key]]]


def cut_line(folder: Path, _record: Record, rng: random.Random) -> tuple[str, set[Key]]:
    """The last line ends somewhere within."""
    return _cut(folder, lambda length: rng.randrange(1, length - 1))


def cut_end(folder: Path, _record: Record, _rng: random.Random) -> tuple[str, set[Key]]:
    """Nothing of the last line is missing but that it has no end."""
    return _cut(folder, lambda length: length - 1)


def _cut(folder: Path, kept_of: Callable[[int], int]) -> tuple[str, set[Key]]:
    path = folder / "ledger.jsonl"
    data = path.read_bytes()
    start = data.rfind(b"\n", 0, -1) + 1  # 0 where the ledger has one line
    length = len(data) - start
    kept = kept_of(length)
    path.write_bytes(data[: start + kept])
    return f"{kept} of the last line's {length} bytes", set()


def append_zeros(folder: Path, _record: Record, _rng: random.Random) -> tuple[str, set[Key]]:
    """A block that was given to the file and never written."""
    return _append(folder, bytes(4096), "4096 zeros after the last line")


def append_noise(folder: Path, _record: Record, rng: random.Random) -> tuple[str, set[Key]]:
    """What stood in the block before; with an end of a line or without."""
    noise = rng.randbytes(200).translate(None, b"\r\n")
    return _append(folder, noise + b"\n" * rng.randint(0, 1), f"{len(noise)} random bytes after the last line")


def append_half_a_line(folder: Path, _record: Record, _rng: random.Random) -> tuple[str, set[Key]]:
    """A line of which nobody has heard."""
    return _append(folder, b'{"v":1,"seq":99,"time":17', "half a line after the last one")


def _append(folder: Path, data: bytes, what: str) -> tuple[str, set[Key]]:
    with (folder / "ledger.jsonl").open("ab") as file:
        file.write(data)
    return what, set()


def leave_checkpoints(folder: Path, record: Record, _rng: random.Random) -> tuple[str, set[Key]]:
    """A checkpoint that is half written, and a whole one of which no line tells."""
    run = _at_work(record)
    name = f"{run.key[0]}-0-{run.attempt}-99999.pt"
    data = (folder / "checkpoints" / str(run.checkpoint)).read_bytes()
    (folder / "checkpoints" / f"{name}.12ab34cd.tmp").write_bytes(data[: len(data) // 2])
    (folder / "checkpoints" / name).write_bytes(data)
    return "half a checkpoint, and one without a line", set()


def leave_temporary_files(folder: Path, _record: Record, _rng: random.Random) -> tuple[str, set[Key]]:
    """Files that are half written and have not got their names."""
    data = (folder / "search.json").read_bytes()
    for name in ("search.json", "trials.parquet", "ledger.jsonl"):
        (folder / f"{name}.12ab34cd.tmp").write_bytes(data[: len(data) // 2])
    return "search.json, trials.parquet and ledger.jsonl half written under other names", set()


def halve_checkpoint(folder: Path, record: Record, _rng: random.Random) -> tuple[str, set[Key]]:
    """A checkpoint that has lost its half since it was durable: its trial begins anew."""
    run = _at_work(record)
    path = folder / "checkpoints" / str(run.checkpoint)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return f"the checkpoint of trial {run.key[0]} halved under its own name", {run.key}


def _at_work(record: Record) -> Run:
    return next(run for run in record.trials if run.state is State.RUNNING and run.checkpoint)


_LINE, _CHECKPOINT = "line written, before its fsync", "line on disk, before the older checkpoint goes"

#: Ten tears, each with the boundary at which the driver dies before.
TEARS: list[tuple[str, Tear]] = [
    *[(_LINE, cut_line)] * 3,
    (_LINE, cut_end),
    (_CHECKPOINT, append_zeros),
    (_CHECKPOINT, append_noise),
    (_CHECKPOINT, append_half_a_line),
    (_CHECKPOINT, leave_checkpoints),
    (_CHECKPOINT, leave_temporary_files),
    (_CHECKPOINT, halve_checkpoint),
]
