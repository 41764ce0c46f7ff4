"""A sampler by its name."""

from importlib import import_module

from search.samplers import SAMPLERS
from search.samplers.listed import ListSampler
from search.samplers.sampler import Check, Sampler
from search.spaces.space import Space, SpaceError


def make_sampler(space: Space, name: str, seed: int, check: Check) -> Sampler:
    """The sampler of that name for a space; a list is drawn in its order, whatever the name.

    seed: the search's. check: raises SizeError for a configuration that the images cannot be trained with, which is
    then drawn again. Raises SpaceError for an unknown name.
    """
    if space.function is None:
        return ListSampler(space.configs)
    if name not in SAMPLERS:
        raise SpaceError(f"unknown sampler '{name}'; known: {', '.join(SAMPLERS)}")
    made: Sampler = import_module(f"search.samplers.{name}").sampler(space.function, seed, check)
    return made
