"""Samplers, which draw configurations from a space. One file each; listing their names does not import Optuna."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """What the command line shows about a sampler."""

    what: str
    """What it draws, in a few words."""
    learns: bool = False
    """Whether its draws depend on the results of earlier trials."""
    is_experienced: bool = False
    """Whether it begins with what searches of other images found."""
    suits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By scheduler, the options that suit its draws better than the scheduler's own defaults."""


#: The samplers of spaces that are functions. Each is a module with its name in this package, with a function
#: `sampler(function, seed, check, history)` that returns a `search.samplers.sampler.Sampler` (see
#: `search.samplers.make`). The history is None for samplers that do not learn; one that is experienced also takes
#: its experience (`search.experience.recordings.Experience`).
SAMPLERS = {
    "random": Kind("each trial independently"),
    "tpe": Kind("near good trials, by Optuna's TPE", learns=True),
    "gp": Kind("where a Gaussian process has the highest expected improvement", learns=True),
    "transfer": Kind(
        "like gp, but starting from results on other datasets",
        learns=True,
        is_experienced=True,
        # Good draws are close to each other, and values of half an epoch cannot tell them apart.
        suits={"halving": {"grace_period": 2.0, "keep": 0.5}},
    ),
    "qmc": Kind("evenly, by a Sobol sequence"),
}

LEARNING = tuple(name for name, kind in SAMPLERS.items() if kind.learns)
"""The samplers whose draws depend on the results of earlier trials."""

EXPERIENCED = tuple(name for name, kind in SAMPLERS.items() if kind.is_experienced)
"""The samplers that begin with what searches of other images found."""

HEARS = {
    "everything": "all available when a trial is drawn",
    "waves": "trials are drawn ten at a time, once all earlier ones have ended or paused",
}
"""Which results a model-based sampler uses, the default first."""
