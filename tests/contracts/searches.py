"""A small search of four configurations on handwritten digits; as a program, in a process of its own.

python -m tests.contracts.searches RESULTS DATA ENGINE SCHEDULER SLOTS     begins the search there, or goes on with it
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import tests.contracts.halves  # noqa: F401  registers the schedulers of these tests
from search.history.record import Record
from search.history.store import Request, Search
from search.run.launch import launch, resume
from search.run.session import Options

EPOCHS = 3
CONFIGS = [
    {
        "network": {"name": "cnn5", "width": width, "conv_dropout": 0.1, "norm": "everywhere"},
        "optimizer": {"name": optimizer, "lr": 0.01},
        "training": {"batch_size": 16, "epochs": epochs},
    }
    for width, optimizer, epochs in ((0.25, "adam", 3), (0.125, "sgd", 2), (0.25, "rmsprop", 3), (0.5, "sgd", 3))
]


@contextmanager
def one_core() -> Iterator[None]:
    """Within this, the process has one core: so a slot has one thread, and sums in the order of others that do."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(results: Path, data: Path, *, engine: str, scheduler: str, slots: int = 1) -> Record:
    """Begin the search, or go on with it; returns its record."""
    options = Options(engine=engine, parallel=slots)
    results.mkdir(exist_ok=True)
    listed = results / "list.jsonl"
    listed.write_text("".join(json.dumps(config) + "\n" for config in CONFIGS))
    request = Request(
        space=str(listed),
        samples=len(CONFIGS),
        epochs=EPOCHS,
        dataset="digits",
        data_dir=str(data),
        limit_train=150,
        augment="published",
        scheduler=scheduler,
        seed=1,
    )
    folder = results / "search"
    with one_core() if engine == "inline" else nullcontext():
        if not folder.exists():
            return launch(request, options, results=results, name="search").record
        facts = json.loads((folder / "search.json").read_text())
        return resume(Search(folder=folder, request=request, created=0.0, facts=facts), options, samples=None).record


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), engine=sys.argv[3], scheduler=sys.argv[4], slots=int(sys.argv[5]))
