"""What a request leaves open, settled as it is recorded: a later default does not change the search."""

from dataclasses import replace
from typing import Any

from search.history.request import SCHEDULER_OPTIONS, Request
from search.samplers import SAMPLERS
from search.samplers.make import with_hearing
from search.schedulers.scheduler import options_of, scheduler_of
from search.spaces.space import Space, SpaceError


def settled(request: Request) -> Request:
    """The request with `hears` and all options of its scheduler, those that suit its sampler first.

    Raises SchedulerError for an unknown scheduler, and SpaceError for an option that its sampler does not use.
    """
    own = options_of(request.scheduler)
    suiting = SAMPLERS[request.sampler].suits.get(request.scheduler, {}) if request.sampler in SAMPLERS else {}
    if (request.grace_period or suiting.get("grace_period", 0)) >= request.epochs:  # trials too short to be compared
        suiting = {}
    left_out: dict[str, Any] = {
        option: value for option, value in {**own, **suiting}.items() if getattr(request, option) is None
    }
    return with_hearing(replace(request, **left_out))


def checked(request: Request, space: Space) -> Request:
    """The request, settled; raises SchedulerError or SpaceError for options that its scheduler or space does not take.

    A list has an order of its own, so it takes no sampler.
    """
    request = settled(request)
    scheduler_of(request, request.samples)
    if space.function is None and request.sampler != "random":
        raise SpaceError(
            f"--sampler {request.sampler} is for a space that is drawn from, and {space.name} is a list, whose trials "
            "follow its lines; leave --sampler out"
        )
    return request


def with_scheduler(request: Request, scheduler: str) -> Request:
    """The request with another scheduler and what is usual for that one."""
    unset: dict[str, Any] = dict.fromkeys(SCHEDULER_OPTIONS)
    return settled(replace(request, scheduler=scheduler, **unset))
