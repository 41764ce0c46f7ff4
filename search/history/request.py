"""The request of a search: what was asked for, with the rule of each field."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from search.history.metric import ACCURACY, METRICS, Guess
from search.history.pareto import COSTS
from trainables.augmentation import PRESETS

PRECISIONS = ("float32", "bfloat16")


def _ruled(rule: str, fits: Callable[[Any], bool], **default: Any) -> Any:
    """A field with its rule in words and as a function of a value of the right type."""
    return field(**default, metadata={"rule": rule, "fits": fits})


def _at_least(least: int, **default: Any) -> Any:
    return _ruled(f"at least {least}", lambda value: value is None or value >= least, **default)


def _of_scheduler(help: str, rule: str, fits: Callable[[float], bool]) -> Any:
    """An option of some schedulers; None for the scheduler's default."""
    ruled = {"rule": rule, "fits": lambda value: value is None or fits(value), "help": help}
    return field(default=None, metadata=ruled)


def _path(**default: Any) -> Any:
    return _ruled("text without a NUL", lambda value: b"\0" not in os.fsencode(value), **default)


def _maybe_path() -> Any:
    return _ruled("text without a NUL", lambda value: value is None or b"\0" not in os.fsencode(value), default=None)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for; it never changes, except for `samples`, which a resume may raise.

    The names of space, dataset, sampler, `hears` and scheduler are checked where they are looked up.
    """

    space: str = _path()
    """What configurations are drawn from: a space's name, a list's path, or package.module:function."""
    samples: int = _at_least(1)
    """Trials to draw."""
    epochs: int = _at_least(1, default=30)
    """Epochs of a trial whose configuration sets none: ASHA's max_t, and the length of a cosine schedule."""
    dataset: str = _path(default="cifar100")
    """A known dataset's name, or the absolute path of a folder or file of images."""
    label: str | None = None
    """The column of labels of Parquet files; None to find it by name or type."""
    image: str | None = None
    """The column of images of Parquet files; None for the only one."""
    data_dir: str = _path()
    """The folder of downloads and caches, absolute."""
    limit_train: int | None = _at_least(1, default=None)
    """Size of the stratified subset of the training images that is used; None for all."""
    image_size: int | None = _at_least(1, default=None)
    """Pixels a side to which every image is resized; None keeps the dataset's size."""
    validation: float = _ruled("inside (0, 1)", lambda value: 0 < value < 1, default=0.2)
    """Share of the training images held out to compare trials, unless the dataset has validation images."""
    augment: str = _ruled(f"one of {', '.join(PRESETS)}", lambda value: value in PRESETS, default="published")
    """The augmentation preset of a trial whose configuration sets none."""
    augment_all: bool = False
    """Whether drawn configurations that set a preset get this one instead, as the user asked; lists keep theirs."""
    sampler: str = "random"
    """The name of the sampler; unused if the space is a list."""
    hears: str | None = None
    """Which values a sampler that learns uses; None for other samplers, and to use ended trials only, as 0.1.0 did."""
    experience: str | None = None
    """What the sampler starts from, separated by commas: datasets whose recorded runs ship with hpsearch, and absolute
    paths of earlier searches. None for a sampler that has none."""
    first: str | None = _maybe_path()
    """The absolute path of a file of configurations that are tried before any is drawn."""
    warm_start: str | None = _maybe_path()
    """The absolute path of an earlier search, from whose trials a sampler that learns starts."""
    scheduler: str = "asha"
    """What stops trials early."""
    grace_period: float | int | None = _of_scheduler(
        "Epochs before the first comparison; may be a fraction",
        "above 0",
        lambda value: 0 < value < math.inf,
    )
    """Epochs to the first rung."""
    reduction_factor: float | int | None = _of_scheduler(
        "Ratio of epochs between successive rungs; one in this many trials is promoted",
        "at least 2",
        lambda value: 2 <= value < math.inf,
    )
    """The ratio of a rung's epochs to those of the rung before, and the inverse of the share that is promoted."""
    keep: float | int | None = _of_scheduler(
        "Share of the trials that each rung promotes", "inside (0, 1)", lambda value: 0 < value < 1
    )
    """The share of the trials that each rung promotes."""
    threads: int | None = _at_least(1, default=None)
    """Threads of each slot on the CPU; None for 1, or for as many as a version before this one recorded."""
    precision: str | None = _ruled(
        f"one of {', '.join(PRECISIONS)}", lambda value: value is None or value in PRECISIONS, default=None
    )
    """Precision of training; None for bfloat16 where the machine is faster with it, else float32."""
    seed: int = _at_least(0, default=0)
    """The seed from which the split, every draw and every training derive."""
    also: str | None = _ruled(
        f"some of {', '.join(COSTS)}, each once, with commas between them",
        lambda value: value is None or (set(words := value.split(",")) <= set(COSTS) and len(set(words)) == len(words)),
        default=None,
    )
    """Costs to minimise, as important as the metric, separated by commas; None for none."""
    metric: str = _ruled(f"one of {', '.join(METRICS)}", lambda value: value in METRICS, default=ACCURACY)
    """The metric by which trials are compared."""

    @property
    def costs(self) -> tuple[str, ...]:
        """The costs that `also` names."""
        return tuple(self.also.split(",")) if self.also else ()

    @property
    def scheduler_options(self) -> dict[str, float | None]:
        """The options of its scheduler, and None for those of others and for defaults."""
        return {option: getattr(self, option) for option in SCHEDULER_OPTIONS}


SCHEDULER_OPTIONS = {each.name: each.metadata for each in fields(Request) if "help" in each.metadata}
"""The fields that are options of schedulers: what each is for, and its rule."""


def check_request(request: Request) -> None:
    """Raise ValueError with the field, its value and its rule for a value that a launch would not write."""
    for each in fields(request):
        value = getattr(request, each.name)
        if isinstance(value, bool) is not (each.type is bool) or not isinstance(value, each.type):  # type: ignore[arg-type]
            raise ValueError(f"{each.name} is {value!r}")
        if each.metadata and not each.metadata["fits"](value):
            raise ValueError(f"{each.name} is {value!r}, not {each.metadata['rule']}")


def check_facts(facts: dict[str, Any]) -> None:
    """Raise ValueError, LookupError or TypeError for facts that are not as a launch writes them."""
    data = facts["data"]
    if not isinstance(data["fingerprint"], str):
        raise ValueError(f"the images' fingerprint is {data['fingerprint']!r}")
    counts = [data["num_train"], data["num_validation"], facts.get("threads", 1)]
    if not all(isinstance(count, int) and count > 0 for count in counts):
        raise ValueError(f"images or threads are {counts}")
    # These may be absent or 0: a cluster had no slots if no machine that trains had joined it.
    for key, held in (("slots", facts), ("room", facts), ("duplicates", data), ("num_test_hashed", data)):
        if not isinstance(held.get(key, 0), int) or held.get(key, 0) < 0:
            raise ValueError(f"{key} is {held[key]!r}")
    if guessing := data.get("guessing"):  # versions before this one recorded none
        for share in vars(Guess(**guessing)).values():
            if not 0 < finite(share) <= 1:
                raise ValueError(f"the majority-class baseline is {share}")
    machine = facts.get("machine", {})
    cores = [machine[key] for key in ("cores", "usable_cores") if machine.get(key) is not None]
    if not all(isinstance(each, int) for each in cores):
        raise ValueError(f"the machine's cores are {cores}")
    if facts.get("precision", "float32") not in PRECISIONS:
        raise ValueError(f"precision is {facts['precision']!r}")
    if not all(isinstance(digest, str) for digest in facts.get("code", {}).values()):
        raise ValueError(f"the code's digests are {facts['code']!r}")
    if "study" in facts:
        _check_study(facts["study"])
    for key in ("epochs", "seconds") if facts.get("forecast") else ():
        for end in ("low", "middle", "high"):
            finite(facts["forecast"][key][end])


def _check_study(study: dict[str, Any]) -> None:
    """As `check_facts`, for what is recorded of a study."""
    if not all(isinstance(study[key], list) for key in ("arms", "changed", "published")):
        raise ValueError("the study's arms, options and figures are not lists")
    texts = [study[key] for key in ("name", "question", "measure")]
    texts += [*study["arms"], *study["changed"], *(study[key] or "" for key in ("source", "part", "remark"))]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the study's words are {texts}")
    if isinstance(study["repeats"], bool) or not isinstance(study["repeats"], int) or study["repeats"] < 1:
        raise ValueError(f"the study's repeats are {study['repeats']!r}")
    for figure in study["published"]:
        finite(figure["value"])
        if not isinstance(figure["measure"], str) or not isinstance(figure["arm"], str):
            raise ValueError(f"a published figure is {figure!r}")
        if figure["std"] is not None:
            finite(figure["std"])


def finite(value: Any) -> float:
    """A value as a finite number; raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)
