"""The interface of samplers, their draws, and the seeds of draws and trainings.

Trial n's draw depends on (search seed, n), on the draws before it, which it does not repeat, and, for a sampler that
learns, on the history in the ledger. So a resumed search draws the same as an uninterrupted one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from search.history.record import Run
from trainables.config import Config

#: Raises SizeError for a configuration that the images cannot be trained with.
Check = Callable[[Config], None]


@dataclass(frozen=True)
class Draw:
    """A drawn configuration, and what the history keeps about the draw."""

    config: Config
    """The configuration."""
    params: dict[str, Any]
    """Optuna's flat parameters; empty for a configuration of a list."""
    distributions: dict[str, str]
    """The distribution that each parameter was drawn from, as Optuna's JSON."""
    impossible: tuple[str, ...] = ()
    """For each draw that was discarded before this one, why the images cannot be trained with it."""


class Sampler(Protocol):
    """Draws configurations. One thread uses it; all that it learns can be given to it again from the ledger."""

    def draw(self, trial: int) -> Draw | None:
        """The configuration of trial number `trial`; None when the space is exhausted."""

    def tell(self, run: Run) -> None:
        """Take a new run, or a run's current state. Runs come in any order, and may come again."""


def derive_seed(seed: int, trial: int, repeat: int = 0, purpose: Literal["train", "draw"] = "train") -> int:
    """A seed below 2^32 for one purpose of one run, independent of all others."""
    entropy = [seed, trial, repeat, 0 if purpose == "train" else 1]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def history_json(draw: Draw) -> dict[str, Any]:
    """The fields of an *asked* event that a draw gives."""
    return {
        "config": draw.config.to_json(),
        "params": json.loads(json.dumps(draw.params)),
        "distributions": draw.distributions,
        "redrawn": len(draw.impossible),
    }
