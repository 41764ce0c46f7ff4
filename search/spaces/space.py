"""A space is a function of an Optuna trial that returns a configuration, or a finite list of configurations.

A function suggests flat names and returns `config_of(trial.params)` (see `search.spaces.flat_names`). One that is
decorated with `space` is found by its own name; `search.spaces` imports the modules of the built-in ones.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import BaseTrial

from architectures.errors import HpsearchError, one_line
from trainables.config import Config, with_tuples

Function = Callable[[optuna.Trial], Config]


class SpaceError(HpsearchError):
    """A space that cannot be found, read or drawn from: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class Space:
    """A named space: either a function that draws, or a finite list."""

    name: str
    """As the user gave it: a built-in space, a file, or `package.module:function`."""
    function: Function | None = None
    """What draws; None for a list."""
    configs: tuple[Config, ...] = ()
    """The list."""
    places: tuple[str, ...] = ()
    """Where each configuration of the list stands, for errors: "line 3", from 1."""
    arms: tuple[str, ...] = ()
    """The names of a study's arms: the first configurations of its list, of which all others are repeats."""


SPACES: dict[str, Function] = {}


def space(function: Function) -> Function:
    """Register a function as the space of its name; raises ValueError on a duplicate."""
    if function.__name__ in SPACES:
        raise ValueError(f"the space '{function.__name__}' exists already")
    SPACES[function.__name__] = function
    return function


def draw(function: Function, trial: BaseTrial) -> Config:
    """Call a space; raises SpaceError when it fails or returns anything other than a Config."""
    try:
        config = function(_WithTuples(trial))  # type: ignore[arg-type]
    except SpaceError:  # of the sampler that gives the values
        raise
    except (Exception, SystemExit) as error:
        raise SpaceError(f"the space raised {one_line(error, named=True)}") from error
    if not isinstance(config, Config):
        raise SpaceError(
            f"a space must return a trainables.config.Config (see search.spaces.config_of), got {type(config).__name__}"
        )
    return config


class _WithTuples:
    """A trial whose choices are tuples where a space gives lists, as they are when the ledger is read."""

    def __init__(self, trial: BaseTrial) -> None:
        self._trial = trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of the choices, as the space gives it; raises SpaceError for choices that a ledger cannot hold."""
        choices = tuple(choices)
        tuples = with_tuples(choices)
        try:
            json.dumps(tuples)
        except (TypeError, ValueError) as error:
            raise SpaceError(
                f"'{name}' has a choice that is not plain JSON ({one_line(error)}): give texts, numbers, True, False, "
                "None, or lists of these; of a NumPy array, its tolist()"
            ) from error
        return choices[tuples.index(self._trial.suggest_categorical(name, tuples))]
