"""Making a pool with the product: configurations trained to their ends and tested, the best with a second seed too."""

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd
from pools import TESTED

from search.history.load import read_search
from search.history.store import Request
from search.run.launch import launch
from search.run.session import Options
from search.schedulers.none import NoScheduler
from search.schedulers.scheduler import scheduler
from search.spaces.lists import write_list
from search.spaces.space import Space
from trainables.config import Config


@scheduler("marked")
class Marked(NoScheduler):
    """Stops nothing, and has trials measured early on: a pool without such values plays no early rung."""

    rungs = (1 / 8, 1 / 4, 1 / 2)


def record(asked: argparse.Namespace) -> None:
    """Train configurations to their ends, and write their curves with what they are.

    Another seed draws other images and other weights: by the mean over both, the best are told apart better than by
    the values that a search may see.
    """
    with tempfile.TemporaryDirectory(prefix="hpsearch-pool-") as folder:
        results = Path(folder)
        found = _trained(asked, results, "first", asked.space, asked.samples, asked.seed)
        best = found.groupby("trial").val_accuracy.max().nlargest(round(asked.again * asked.samples)).index
        if len(best):
            configs = found.drop_duplicates("trial").set_index("trial").config[best]
            path = results / "best.jsonl"
            path.write_bytes(
                write_list(Space("best", configs=tuple(Config.from_json(json.loads(each)) for each in configs)))
            )
            again = _trained(asked, results, "again", str(path), len(best), asked.seed + 1)
            again = again.assign(trial=best.to_numpy()[again.trial], repeat=1)
            found = pd.concat([found, again], ignore_index=True)
    found.to_parquet(asked.out, index=False)


def _trained(asked: argparse.Namespace, results: Path, name: str, space: str, samples: int, seed: int) -> pd.DataFrame:
    """The measurements of a search that stops nothing, with the configurations beside them."""
    request = Request(
        space=space,
        samples=samples,
        epochs=asked.max_t,
        dataset=asked.dataset,
        label=asked.label,
        data_dir=str(asked.data_dir.expanduser().absolute()),
        limit_train=asked.limit_train,
        image_size=asked.image_size,
        validation=asked.validation,
        scheduler="marked",
        seed=seed,
    )
    launch(request, Options(parallel=asked.parallel, engine=asked.engine), results=results, name=name, kept=True)
    search = read_search(results, name)
    what = search.trials[["trial", "network", "optimizer", "parameters", "flops", "config"]]
    tests = {run.key[0]: run.test.correct / run.test.images for run in search.record.trials if run.test is not None}
    return search.epochs.merge(what.assign(**{TESTED: what.trial.map(tests)}), on="trial")
