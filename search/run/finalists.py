"""Finalists: the best of a search, each trained again on folds of the images, to choose the winners among them.

A search compares trials on one small set of validation images, by the best epoch. Here each finalist is evaluated on
every image, by networks that were not trained on it, and all finalists use the same folds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from architectures.cost import Cost
from search.history.events import Chosen
from search.history.metric import BALANCED
from search.history.record import Key, Record, Run
from search.history.store import retrain_folder
from search.run.driver import Driver
from search.run.problem import RequestError
from search.run.repeats import Way, ask
from search.run.widen import widened
from trainables.config import Config
from trainables.metrics import ensemble_weights
from trainables.predictions import PredictionsError, read_predictions


@dataclass(frozen=True, kw_only=True)
class Finals:
    """How winners are chosen among finalists."""

    number: int
    """How many of the search's best are trained again."""
    folds: int
    """Parts of the images, each of which is left out of one training."""
    epochs: int | None = None
    """Epochs of each training; None for those of the trial in the search."""
    width: float = 1.0
    """A factor on each network's width in the search."""

    def config_of(self, finalist: Run, patience: int | None) -> Config:
        """A finalist's configuration as it is trained on folds; raises RequestError for one that cannot be widened."""
        config = widened(Config.from_json(finalist.config), self.width, "--finalist-width")
        return config.with_training(epochs=self.epochs or config.training.epochs, patience=patience)


def check(finals: Finals, top: int, ranked: Sequence[Run]) -> None:
    """Raise RequestError if there cannot be so many finalists. ranked: the search's trials that were measured."""
    if finals.number < top:
        raise RequestError(
            f"--top {top} winners are chosen among --finalists, which must be as many or more; got {finals.number}"
        )
    if finals.number > len(ranked):
        raise RequestError(
            f"--finalists {finals.number} exceeds the {len(ranked)} trials of the search that have a value; give fewer"
        )


def ask_for(driver: Driver, seed: int, trial: int, way: Way, cost: Cost) -> list[Key]:
    """A finalist's runs, one for each of the way's folds in order."""
    folds = range(1, (way.folds or 0) + 1)
    return [key for fold in folds for key in ask(driver, seed, trial, replace(way, fold=fold), cost)]


def choose(
    folder: Path, record: Record, judges: Sequence[Sequence[Key]], *, top: int, images: int, metric: str
) -> Chosen:
    """The finalists with the best mean over folds, and their weights as an ensemble.

    folder: the search's. judges: each finalist's runs by fold, in the search's ranking, which decides among equals. A
    finalist with a run that is not done, for example because it diverged, is not chosen.
    """
    runs = {keys[0][0]: [record.runs[key] for key in keys] for keys in judges}
    trials = best_of(runs, top)
    return Chosen(
        trials=trials,
        finalists=list(runs),
        repeats=[repeat for keys in judges for _, repeat in keys],
        images=images,
        weights=_weights(folder, {trial: runs[trial] for trial in trials}, metric),
    )


def best_of(runs: Mapping[int, Sequence[Run]], top: int) -> list[int]:
    """The trials with the best mean over folds. runs: each finalist's, by trial, in the search's ranking."""
    means = {trial: mean_of(of) for trial, of in runs.items()}
    judged = {trial: mean for trial, mean in means.items() if mean is not None}
    return sorted(judged, key=lambda trial: -judged[trial])[:top]


def mean_of(runs: Sequence[Run]) -> float | None:
    """The mean over a finalist's folds; None unless all are done."""
    values = [run.left_out for run in runs if run.left_out is not None]
    return float(np.mean(values)) if len(values) == len(runs) else None


def _weights(folder: Path, runs: dict[int, list[Run]], metric: str) -> dict[str, float] | None:
    """Ensemble weights by trial, from predictions on the left-out images; None for one trial or lost predictions."""
    if len(runs) < 2:
        return None
    try:
        found = {trial: [read_predictions(retrain_folder(folder, run)) for run in of] for trial, of in runs.items()}
    except (OSError, PredictionsError):
        return None
    probabilities = [np.concatenate([each for _, each, _ in of]) for of in found.values()]
    labels = np.concatenate([each for each, _, _ in next(iter(found.values()))])
    weights = ensemble_weights(probabilities, labels, balanced=metric == BALANCED)
    return {str(trial): weight for trial, weight in zip(found, weights, strict=True)}
