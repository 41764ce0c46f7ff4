"""Writing what was trained elsewhere as a recording, which the sampler `transfer` begins with."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pools import read_pool

from search.experience.recordings import side
from search.history.load import read_search
from search.run.experience import comparable, places
from search.schedulers.scheduler import scheduler_of


def remember(asked: argparse.Namespace) -> None:
    """Write what the configurations of a pool or a search came to, as `search.experience.recordings` reads it."""
    size, lines = _of_search(asked.search) if asked.search else (asked.image_size, _of_pool(asked.pool, asked.max_t))
    lines.insert(0, {"dataset": asked.dataset, "what": asked.what, "size": size})
    asked.out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _of_pool(path: Path, max_t: int) -> list[dict[str, Any]]:
    found = read_pool(path, max_t).configurations
    if any(each.config is None for each in found):
        sys.exit(f"{path} does not say all of its configurations")
    return [
        {"accuracy": round(each.quality, 4), "config": rounded(each.config.to_json())} for each in found if each.config
    ]


def _of_search(folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """Pixels a side of its images, and its trials."""
    search = read_search(folder.parent, folder.name)
    runs = comparable(search.record)
    rungs = scheduler_of(search.search.request, search.samples).rungs
    found = zip(places(runs, rungs), runs, strict=True)
    lines = [{"value": value, "config": rounded(run.config)} for value, run in found]
    return side(search.search.facts["data"]["shape"]), lines


def rounded(value: Any) -> Any:
    """A JSON value with numbers of four significant digits, which are enough to learn from."""
    match value:
        case dict():
            return {key: rounded(each) for key, each in value.items()}
        case float():
            return float(f"{value:.4g}")
    return value
