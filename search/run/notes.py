"""What a launch says about its request before it trains: what has no effect, or may not be what was meant."""

import math
import statistics

from search.forecast.forecast import Plan
from search.history.front import in_words
from search.history.metric import words
from search.history.store import Request
from search.readable import count
from search.samplers import LEARNING
from search.schedulers.scheduler import scheduler_of

# On recorded curves (`digits-modern` in benchmarks/README.md) a rung at 0.2 of the usual warm-up cost accuracy, and one
# at 0.4 none.
_EARLY = 1 / 3


def objectives(request: Request) -> tuple[str, ...]:
    """A note on how trials are compared, if by more than the metric."""
    if not request.costs:
        return ()
    costs = in_words(request.costs)
    if not scheduler_of(request, request.samples).rungs and request.sampler not in LEARNING:
        return (f"note: nothing here goes by {costs}: no trial is stopped, and {request.sampler} does not learn",)
    return (f"compared by {words(request.metric)}, the more the better, and {costs}, the less the better",)


def exhausted(samples: int, asked: int) -> tuple[str, ...]:
    """A note if a search has fewer trials than were asked for, as its space has no more."""
    return (f"the space holds no more: {count(samples, 'trial')} instead of {asked}",) if samples < asked else ()


def held_back(plan: Plan) -> tuple[str, ...]:
    """A note if some configurations have transforms for which their training is too short."""
    trainings = [config.training for config in plan.configs]
    longest = max((each.mixing_from for each in trainings if each.transforms != each.active_transforms), default=0)
    names = sorted({name for each in trainings for name in each.transforms if name not in each.active_transforms})
    if not names:
        return ()
    return (
        f"note: {' and '.join(names)} may be drawn, but trainings of fewer than {longest} epochs go without "
        "(mixing_from); a longer retrain has it",
    )


def judged_early(plan: Plan, request: Request) -> tuple[str, ...]:
    """A note if trials are compared when their learning rates have hardly begun to rise (`warmup`)."""
    rungs = scheduler_of(request, request.samples).rungs
    trainings = [config.training for config in plan.configs]
    usual = statistics.median(each.warmup * (each.epochs or request.epochs) for each in trainings)
    if not rungs or rungs[0] >= _EARLY * usual:
        return ()
    later = 2 ** math.ceil(math.log2(usual / 2))
    return (
        f"note: learning rates rise for about {count(round(usual, 1), 'epoch')} (warmup), and the first rung is at "
        f"{rungs[0]:g}; --grace-period {later:g} compares trials later",
    )
