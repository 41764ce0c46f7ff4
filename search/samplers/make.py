"""Makes a sampler by its name, and the history that it learns from."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from architectures.errors import instead
from search.experience.recordings import Experience
from search.history.request import Request
from search.samplers import EXPERIENCED, HEARS, LEARNING, SAMPLERS
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
    experience: Experience | None = None,
) -> Sampler:
    """The sampler with that name for a space; a list is drawn in its order, whatever the name.

    seed: the search's. check: raises SizeError for a configuration that the images cannot be trained with, which is
    then drawn again. history: what a sampler that learns uses; by default as in a search that has recorded no other.
    first: configurations to try before anything is drawn. experience: what one of `EXPERIENCED` begins with; by
    default the recordings that ship with hpsearch. Raises SpaceError for an unknown name.
    """
    if space.function is None:
        return ListSampler(space.configs)
    if name not in SAMPLERS:
        raise SpaceError(f"unknown sampler '{name}'{instead(name, SAMPLERS)}")
    if not SAMPLERS[name].learns:
        history = None
    elif history is None:
        history = Ended()
    function = space.function
    make = import_module(f"search.samplers.{name}").sampler
    more = {"experience": experience or Experience()} if name in EXPERIENCED else {}
    made: Sampler = make(function, seed, check, history, **more)
    return FirstThen([draw_of(function, config) for config in first], made) if first else made


def history_of(request: Request, rungs: Sequence[float], prior: Sequence[Observed] = ()) -> History:
    """The history for the request's sampler. rungs: the scheduler's. prior: trials of an earlier search.

    Raises SpaceError for an unknown value of `hears`.
    """
    if request.hears not in (None, *HEARS):
        raise SpaceError(f"unknown value '{request.hears}' of --hears{instead(request.hears, HEARS)}")
    return Ended() if request.hears is None else Deepest((*rungs, request.epochs), prior, request.costs)


def with_hearing(request: Request) -> Request:
    """The request with `hears` set if its sampler uses it, as it is recorded.

    Raises SpaceError for an option that its sampler does not use.
    """
    if request.experience is not None and request.sampler not in EXPERIENCED:
        raise SpaceError(f"--experience applies only to --sampler {', '.join(EXPERIENCED)}; got {request.sampler}")
    if request.sampler in LEARNING:
        return replace(request, hears=request.hears or next(iter(HEARS)))
    for option, value in (("--hears", request.hears), ("--warm-start", request.warm_start)):
        if value is not None:
            raise SpaceError(f"{option} applies only to --sampler {', '.join(LEARNING)}; got {request.sampler}")
    return request
