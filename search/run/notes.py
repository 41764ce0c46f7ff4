"""What a launch says about its request before it trains: what has no effect, or may not be what was meant."""

import math
import statistics

from search.forecast.forecast import Plan
from search.history.metric import words
from search.history.pareto import in_words
from search.history.store import Request
from search.readable import count
from search.samplers import LEARNING
from search.schedulers.scheduler import scheduler_of

# On recorded curves (`digits-modern` in benchmarks/README.md) a rung at 0.2 of the usual warm-up cost accuracy, and one
# at 0.4 none.
_EARLY = 1 / 3
# Images that a trial is trained on before the first rung. On the pools of `cnn_all` there, halving's default has its
# first rung after 500 to 750 images, and winners were up to 25 thousandths worse than with four times as many.
_FEW = 1000


def objectives(request: Request) -> tuple[str, ...]:
    """A note on how trials are compared, if by more than the metric."""
    if not request.costs:
        return ()
    costs = in_words(request.costs)
    if not scheduler_of(request, request.samples).rungs and request.sampler not in LEARNING:
        given = " ".join(f"--also {name}" for name in request.costs)
        have = "have" if len(request.costs) > 1 else "has"
        why = f"no trial is stopped, and the sampler {request.sampler} does not learn"
        return (f"note: {given} {have} no effect on the search: {why}",)
    return (f"objectives: maximise {words(request.metric)}; minimise {costs}",)


def exhausted(samples: int, asked: int) -> tuple[str, ...]:
    """A note if a search has fewer trials than were asked for, as its space has no more."""
    if samples >= asked:
        return ()
    has = count(samples, "configuration")
    return (f"the space has only {has}, so {count(samples, 'trial')} instead of {asked}",)


def of_plan(plan: Plan, request: Request, num_train: int) -> tuple[str, ...]:
    """What a launch says about its request and its first draws, and a dry run too. num_train: images to train on."""
    return (*objectives(request), *held_back(plan), *judged_early(plan, request, num_train))


def held_back(plan: Plan) -> tuple[str, ...]:
    """A note if some configurations have transforms for which their training is too short."""
    trainings = [config.training for config in plan.configs]
    longest = max((each.mixing_from for each in trainings if each.transforms != each.active_transforms), default=0)
    names = sorted({name for each in trainings for name in each.transforms if name not in each.active_transforms})
    if not names:
        return ()
    are, them = ("is", "it") if len(names) == 1 else ("are", "them")
    return (
        f"note: {' and '.join(names)} may be drawn but {are} not applied in runs shorter than "
        f"{count(longest, 'epoch')} (mixing_from); a longer retraining applies {them}",
    )


def judged_early(plan: Plan, request: Request, num_train: int) -> tuple[str, ...]:
    """A note if trials are compared when they have hardly begun to learn, which also says when it would be better.

    num_train: images to train on.
    """
    rungs = scheduler_of(request, request.samples).rungs
    if not rungs:
        return ()
    trainings = [config.training for config in plan.configs]
    warmup = statistics.median(each.warmup * (each.epochs or request.epochs) for each in trainings)
    seen = rungs[0] * num_train
    better: dict[float, str] = {}
    if rungs[0] < _EARLY * warmup:
        better[_power_of_two(warmup / 2)] = (
            f"learning rates rise for about {count(round(warmup, 1), 'epoch')} (warmup), and the first rung is at "
            f"{rungs[0]:g}"
        )
    if seen < _FEW:
        better[_power_of_two(2 * _FEW / num_train)] = (
            f"the first rung is at {count(rungs[0], 'epoch')}, after {count(round(seen), 'image')}, when good networks "
            "may still be at chance"
        )
    if later := max((each for each in better if each < request.epochs), default=None):
        return (f"note: {better[later]}; --grace-period {later:g} compares trials later",)
    if better:
        return (f"note: {better[min(better)]}; give more --epochs, or --scheduler none to stop no trial early",)
    return ()


def _power_of_two(least: float) -> float:
    """The least power of two that is not below this."""
    return 2.0 ** math.ceil(math.log2(least))
