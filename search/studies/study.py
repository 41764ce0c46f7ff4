"""A study: a comparison of a few configurations, each trained several times; a preset of a launch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from architectures.errors import HpsearchError, instead
from architectures.families import FAMILIES
from search.history.request import finite
from search.schedulers import SCHEDULERS
from search.spaces.space import Space
from trainables.augmentation import PRESETS
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig

#: The measures by which a study may compare, and what they are called.
MEASURES = {
    "test_accuracy": "test accuracy",
    "val_accuracy": "validation accuracy",
    "gap": "training minus validation accuracy",
}
#: What a study without arms has instead of them: the best trials of its search.
PLACES = ("best", "second", "third")


class StudyError(HpsearchError):
    """A study that cannot be found, read, run or answered: the rule, the value and what would be right, in one line."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Images on which a study is run."""

    dataset: str
    """A known dataset's name, or a folder or file."""
    label: str | None = None
    """The column of labels to use if `--dataset` names other files; None for their only one."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A figure that was published for an arm."""

    arm: str
    """The arm, or one of `PLACES` for a study without arms."""
    value: float
    """The figure, a fraction of one."""
    std: float | None = None
    """Its standard deviation over repeats, if published."""
    measure: str = "test_accuracy"
    """What it is a figure of: one of `MEASURES`."""
    dataset: str | None = None
    """The part that it was measured on; None for a study with one part."""


@dataclass(frozen=True, kw_only=True)
class Quick:
    """What `--quick` makes of a study: the same question in minutes, on a part of the images."""

    limit_train: int | None = 2000
    """Size of the stratified subset of the training images that is used; None for all."""
    epochs: int = 8
    """Epochs."""
    network: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters for the arms whose networks have them: narrower networks, smaller images."""
    samples: int = 16
    """Trials, for a study without arms."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study's question and its settings; raises StudyError for impossible ones."""

    name: str
    """Its name on the command line."""
    question: str
    """What is asked, in a sentence."""
    source: str = ""
    """Where the question comes from."""
    parts: tuple[Part, ...]
    """The images that it is run on; one search each."""
    arms: Mapping[str, Config] = field(default_factory=dict)
    """What is compared, by name; every arm is compared with the first."""
    space: str | None = None
    """The space that a study without arms searches."""
    samples: int = 60
    """Trials, of a study without arms."""
    epochs: int
    """Epochs of an arm whose configuration sets none."""
    repeats: int = 3
    """Trainings of each arm. The same repeat of all arms has the same seed."""
    validation: float = 0.2
    """Share of the training images that is held out."""
    augment: str = "none"
    """The augmentation preset of an arm whose configuration sets none."""
    scheduler: str = "none"
    """What ends trials early."""
    measure: str = "test_accuracy"
    """The measure by which arms are compared: one of `MEASURES`."""
    published: tuple[Published, ...] = ()
    """What was published."""
    quick: Quick = Quick()
    """The quick form."""
    remark: str = ""
    """How this differs from what was published."""

    def __post_init__(self) -> None:
        if not self.parts:
            raise StudyError(f"study {self.name}: it needs images to be asked on")
        self._check_texts()
        self._check_arms()
        if bool(self.arms) == bool(self.space):
            raise StudyError(f"study {self.name}: it has either arms to compare or a space to search")
        if len(self.arms) == 1:
            raise StudyError(f"study {self.name}: it compares two arms or more, and has {next(iter(self.arms))} alone")
        self._check_numbers()
        if self.arms and self.scheduler != "none":
            raise StudyError(f"study {self.name}: every arm is trained to its end, so scheduler must be none")
        if self.space and self.measure != "val_accuracy":
            raise StudyError(f"study {self.name}: the trials of a space are compared by val_accuracy alone")
        self._check_published()

    def _check_texts(self) -> None:
        texts = [(each, getattr(self, each)) for each in ("name", "question", "source", "remark")]
        texts += [("dataset", part.dataset) for part in self.parts]
        texts += [("label", part.label) for part in self.parts if part.label is not None]
        for name, value in texts:
            if not isinstance(value, str):
                raise StudyError(f"study {self.name}: {name} must be text, got {value!r}")

    def _check_arms(self) -> None:
        if not isinstance(self.arms, Mapping):
            raise StudyError(f"study {self.name}: arms must be configurations by name, got {self.arms!r:.60}")
        for name, config in self.arms.items():
            if not isinstance(name, str):
                raise StudyError(f"study {self.name}: the name of an arm must be text, got {name!r}")
            if not isinstance(config, Config):
                raise StudyError(
                    f"study {self.name}: arm {name} must be a trainables.config.Config (search.studies.study.arm "
                    f"makes one), got {type(config).__name__}"
                )

    def _check_numbers(self) -> None:
        counts = {"epochs": self.epochs, "repeats": self.repeats, "samples": self.samples}
        quick = {"epochs": self.quick.epochs, "samples": self.quick.samples}
        if self.quick.limit_train is not None:
            quick["limit_train"] = self.quick.limit_train
        for name, value in (*counts.items(), *((f"quick.{each}", quick[each]) for each in quick)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise StudyError(f"study {self.name}: {name} must be a whole number of at least 1, got {value!r}")
        if isinstance(self.validation, bool) or not isinstance(self.validation, float) or not 0 < self.validation < 1:
            raise StudyError(f"study {self.name}: validation must lie inside (0, 1), got {self.validation!r}")
        for name, choice, known in (
            ("measure", self.measure, MEASURES),
            ("augment", self.augment, PRESETS),
            ("scheduler", self.scheduler, SCHEDULERS),
        ):
            if not isinstance(choice, str) or choice not in known:
                raise StudyError(f"study {self.name}: unknown {name} {choice!r}{instead(choice, known)}")

    def _check_published(self) -> None:
        datasets = [part.dataset for part in self.parts]
        seen: set[tuple[str, str, str | None]] = set()
        for each in self.published:
            _among(self.name, "arm", each.arm, tuple(self.arms) or PLACES)
            _among(self.name, "measure", each.measure, tuple(MEASURES))
            if each.dataset is not None:
                _among(self.name, "dataset", each.dataset, tuple(datasets))
            key = each.arm, each.measure, each.dataset
            if key in seen:
                raise StudyError(f"study {self.name}: two figures were published for arm {each.arm!r}; give one")
            seen.add(key)
            for value, least in ((each.value, -1), *([] if each.std is None else [(each.std, 0)])):
                try:
                    is_share = least <= finite(value) <= 1
                except ValueError:
                    is_share = False
                if not is_share:
                    raise StudyError(
                        f"study {self.name}: a published figure is a fraction of one, such as 0.54; {each.arm} has "
                        f"{value!r}"
                    )

    def listed(self, *, repeats: int, quick: bool) -> Space | None:
        """The arms as a list, all of them for each repeat in turn; None for a study that searches a space."""
        if not self.arms:
            return None
        configs = [self._quick(config) if quick else config for config in self.arms.values()]
        names = tuple(self.arms)
        return Space(
            f"study {self.name}",
            configs=tuple(configs * repeats),
            places=tuple(f"arm {name}" for name in names * repeats),
            arms=names,
        )

    def _quick(self, config: Config) -> Config:
        """An arm as `--quick` trains it."""
        name = config.network.name
        known = FAMILIES[name].hyperparameters if name in FAMILIES else {}
        changes = {key: value for key, value in self.quick.network.items() if key in known}
        if config.training.epochs is not None:
            epochs = math.ceil(config.training.epochs * self.quick.epochs / self.epochs)
            config = config.with_training(epochs=epochs)
        return replace(config, network=NetworkConfig(name, {**config.network.hyperparameters, **changes}))

    def facts(self, part: Part | None, *, repeats: int, changed: Sequence[str]) -> dict[str, Any]:
        """What `search.json` records about it: enough to answer it later.

        part: the one that the search's images belong to; None for other images, for which nothing was published.
        changed: the options that make it differ from the published study.
        """
        known = [each for each in self.published if part and each.dataset in (None, part.dataset)]
        return {
            "name": self.name,
            "question": self.question,
            "source": self.source,
            "part": part.dataset if part and len(self.parts) > 1 else None,
            "arms": list(self.arms),
            "repeats": repeats,
            "measure": self.measure,
            "changed": list(changed),
            "published": [
                {"arm": each.arm, "value": each.value, "std": each.std, "measure": each.measure} for each in known
            ],
            "remark": self.remark,
        }


def _among(name: str, what: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise StudyError(
            f"study {name}: a figure was published for {what} {value!r}, which it has not{instead(value, known)}"
        )


STUDIES: dict[str, Study] = {}


def study(name: str, question: str, **words: Any) -> None:
    """Register a study under its name; raises ValueError on a duplicate."""
    if name in STUDIES:
        raise ValueError(f"the study '{name}' exists already")
    STUDIES[name] = Study(name=name, question=question, **words)


def arm(
    network: str,
    optimizer: str = "adam",
    lr: float = 1e-3,
    *,
    arguments: Mapping[str, float] | None = None,
    training: Mapping[str, Any] | None = None,
    **hyperparameters: Any,
) -> Config:
    """A configuration in one call: a network with its hyperparameters, an optimizer with its arguments, a training."""
    return Config(
        NetworkConfig(network, hyperparameters),
        OptimizerConfig(optimizer, lr, arguments=arguments or {}),
        TrainingConfig.of(training or {}),
    )
