"""A sampler by its name, and what it is told."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from search.history.request import Request
from search.samplers import HEARS, LEARNING, SAMPLERS
from search.samplers.first import FirstThen, draw_of
from search.samplers.hearing import Deepest, Ended, History, Observed
from search.samplers.listed import ListSampler
from search.samplers.sampler import Check, Sampler
from search.spaces.space import Space, SpaceError
from trainables.config import Config


def make_sampler(
    space: Space,
    name: str,
    seed: int,
    check: Check,
    history: History | None = None,
    first: Sequence[Config] = (),
) -> Sampler:
    """The sampler of that name for a space; a list is drawn in its order, whatever the name.

    seed: the search's. check: raises SizeError for a configuration that the images cannot be trained with, which is
    then drawn again. history: what one that learns is told; by default as in a search that has recorded no other.
    first: what is tried before anything is drawn. Raises SpaceError for an unknown name.
    """
    if space.function is None:
        return ListSampler(space.configs)
    if name not in SAMPLERS:
        raise SpaceError(f"unknown sampler '{name}'; known: {', '.join(SAMPLERS)}")
    if not SAMPLERS[name].learns:
        history = None
    elif history is None:
        history = Ended()
    function = space.function
    made: Sampler = import_module(f"search.samplers.{name}").sampler(function, seed, check, history)
    return FirstThen([draw_of(function, config) for config in first], made) if first else made


def history_of(request: Request, rungs: Sequence[float], prior: Sequence[Observed] = ()) -> History:
    """What the request's sampler is told. rungs: the scheduler's. prior: trials of an earlier search.

    Raises SpaceError for an unknown way to hear.
    """
    if request.hears not in (None, *HEARS):
        raise SpaceError(f"a sampler cannot hear '{request.hears}'; known: {', '.join(HEARS)}")
    return Ended() if request.hears is None else Deepest((*rungs, request.epochs), prior, request.costs)


def with_hearing(request: Request) -> Request:
    """The request with what its sampler hears, as it is recorded; raises SpaceError where its sampler hears nothing."""
    if request.sampler in LEARNING:
        return replace(request, hears=request.hears or next(iter(HEARS)))
    for option, value in (("--hears", request.hears), ("--warm-start", request.warm_start)):
        if value is not None:
            raise SpaceError(f"{option} belongs to {', '.join(LEARNING)}; --sampler {request.sampler} learns nothing")
    return request
