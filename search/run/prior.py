"""Trials of an earlier search that a sampler that learns starts from: those that this search could have drawn."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from architectures.errors import HpsearchError, one_line
from search.history import store
from search.history.events import FINAL, State
from search.history.load import record_of
from search.history.optuna_trial import drawn
from search.history.record import Run
from search.history.request import Request, finite
from search.readable import count
from search.samplers.hearing import Observed, observed, with_common
from search.samplers.optuna_sampler import as_draw
from search.schedulers.scheduler import scheduler_of
from search.spaces.drawing import Choice
from search.spaces.explorer import replayed
from search.spaces.space import Function
from trainables import files
from trainables.data.images import Images, fingerprint


class PriorError(HpsearchError):
    """An earlier search that this one cannot start from: one line with what is usable and what is not."""


@dataclass(frozen=True)
class Prior:
    """Trials that a search starts from; they are not its own trials."""

    observed: tuple[Observed, ...] = ()
    """What the sampler receives about them."""
    lines: tuple[str, ...] = ()
    """What a launch says about them."""


NO_PRIOR = Prior()


def prior_of(request: Request, function: Function | None, images: Images) -> Prior:
    """The usable trials of the earlier search that a request names.

    Raises PriorError if none is usable: the search has other images or another metric, or this one's space is a list or
    cannot draw any of its trials.
    """
    if request.warm_start is None:
        return NO_PRIOR
    folder = Path(request.warm_start)
    earlier = store.find(folder.parent, folder.name)
    runs = record_of(earlier).trials
    what = f"--warm-start {earlier.name}: none of its {count(len(runs), 'trial')} is usable"
    if function is None:
        raise PriorError(f"{what}, as the trials of a list follow its lines; leave --warm-start out")
    if earlier.facts["data"]["fingerprint"] != fingerprint(images):
        raise PriorError(
            f"{what}, as their accuracies are of other images ({earlier.request.dataset}); name a search of the same "
            "dataset, --limit-train and --image-size, or leave --warm-start out"
        )
    if earlier.request.metric != request.metric:
        raise PriorError(
            f"{what}, as it compared by {earlier.request.metric} and this one compares by {request.metric}; "
            f"give --metric {earlier.request.metric}, or leave --warm-start out"
        )
    found = tuple(_observed(run, choice, request) for run in runs if (choice := _drawn_by(function, run)) is not None)
    if not found:
        raise PriorError(
            f"{what}, as they were drawn from {earlier.request.space} and {request.space} can draw none of them; "
            "name a search of the same space, or leave --warm-start out"
        )
    left = len(runs) - len(found)
    which = "1 other is not used, as" if left == 1 else f"{left:,} others are not used, as"
    it = "it" if left == 1 else "them"
    but = f"; {which} {request.space} cannot draw {it}" if left else ""
    first = with_common((*scheduler_of(request, request.samples).rungs, request.epochs), found)[0]
    if not any(each.state in FINAL or each.until(first) is not None for each in found):
        least = count(first, "epoch")
        line = f"warm start: the sampler learns nothing from {earlier.name}, as no trial of it was trained for {least}"
        return Prior(found, (line,))
    line = f"warm start: the sampler starts from {count(len(found), 'trial')} of {earlier.name}{but}"
    return Prior(found, (line,))


def _drawn_by(function: Function, run: Run) -> Choice | None:
    """An earlier run as a space would draw it; None if it cannot."""
    params, _ = drawn(run.asked.params, run.asked.distributions)
    return replayed(function, params)


def _observed(run: Run, choice: Choice, request: Request) -> Observed:
    """What the sampler receives about an earlier run; one that ended before this search's trials do could go on.

    Otherwise its last value would count as one after all epochs of this search. choice: the run as this search's space
    would draw it, perhaps from other ranges.
    """
    draw = as_draw(choice)
    told = replace(observed(run, request.costs), params=draw.params, distributions=draw.distributions)
    is_shorter = "epochs" not in run.asked.params and run.config["training"]["epochs"] < request.epochs
    return replace(told, state=State.PAUSED) if is_shorter and told.state is State.DONE else told


def write_prior(folder: Path, prior: Prior) -> None:
    """Write the copy in a search's folder."""
    lines = (json.dumps(asdict(each)) + "\n" for each in prior.observed)
    files.write(folder / store.PRIOR, "".join(lines).encode())


def read_prior(folder: Path) -> Prior:
    """Read the copy in a search's folder. Raises PriorError if the file is damaged or missing."""
    path = folder / store.PRIOR
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = tuple(Observed(**{**fields, "state": State(fields["state"])}) for fields in map(json.loads, lines))
        return Prior(tuple(each for each in found if _fits(each)))
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise PriorError(f"{path} is damaged ({one_line(error, named=True)}); restore it") from error


def _fits(each: Observed) -> bool:
    """Whether a curve's points are in range; raises TypeError or ValueError if they or costs are not numbers."""
    for cost in each.costs:
        finite(cost)
    return all(finite(epoch) >= 0 and 0 <= finite(value) <= 1 for epoch, value in each.curve)
