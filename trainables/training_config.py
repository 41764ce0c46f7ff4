"""How a network is trained, as data: the part `training` of a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from architectures.checks import INITIALISATIONS
from trainables.augmentation import PRESETS, Augmentation
from trainables.optimizers import DECAYED
from trainables.rules import ConfigError, check_count, check_known, check_number, check_object
from trainables.schedules import SCHEDULES
from trainables.transforms import TRANSFORMS

#: The largest batch size in images and the largest number of epochs; a larger one is a typing error.
MOST = 1_000_000
MOST_PADDING = 1024  # pixels
#: Fields that the JSON always has; it has the others only if they differ from their defaults.
_ALWAYS = ("batch_size", "epochs", "label_smoothing", "schedule", "augment")


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained; raises ConfigError for a value outside its bounds."""

    batch_size: int = 128
    """Images per step."""
    epochs: int | None = None
    """Epochs of the training, also the schedule's horizon; None until the search sets it."""
    label_smoothing: float = 0.0
    """The share of a label that is spread over all classes, below 1."""
    schedule: str = "constant"
    """How the learning rate changes (`SCHEDULES`)."""
    augment: str | None = None
    """An augmentation preset (`PRESETS`); None until the search sets it."""
    init: str = "torch"
    """The weights that training begins with (`INITIALISATIONS`)."""
    warmup: float = 0.0
    """The share of the training, below 1, over which the learning rate rises from 0 before the schedule begins."""
    time_decay: float = 0.0
    """The learning rate is divided by 1 + time_decay · steps, besides what the schedule does."""
    decayed: str = "all"
    """Which parameters have weight decay (`DECAYED`)."""
    ema: float | None = None
    """The share of the averaged weights that is left an epoch later, between 0 and 1; None for no average. The
    averaged network is validated, tested and kept."""
    patience: int | None = None
    """Epochs without a better value on validation after which training ends; None for no early stopping."""
    class_weights: bool = False
    """Whether each class counts equally in the loss, however many images it has."""
    crop_padding: int | None = None
    """Pixels around the image from which a crop is taken; None for the preset's."""
    jitter: float | None = None
    """How far brightness, contrast and saturation change; None for the preset's."""
    rotation: float | None = None
    """Degrees of rotation either way, at most 180; None for the preset's."""
    offline: int = 0
    """Copies of each image that are augmented once and used beside it; 0 to augment each image again in every epoch."""
    mixing_from: int = 0
    """The number of epochs from which a training uses mixup and cutmix; a shorter training does not."""
    refine: float = 0.0
    """The share of the training, below 1, that is trained at its end without transforms; offline copies keep theirs."""
    transforms: Mapping[str, float] = field(default_factory=dict)
    """The strengths of further transforms by name (`TRANSFORMS`), without those that are off."""

    def __post_init__(self) -> None:
        check_count("batch_size", self.batch_size, 1, MOST)
        if self.epochs is not None:
            check_count("epochs", self.epochs, 1, MOST)
        check_number("label_smoothing", self.label_smoothing, least=0.0, below=1.0)
        check_known("schedule", self.schedule, SCHEDULES)
        if self.augment is not None:
            check_known("augmentation", self.augment, PRESETS)
        check_known("initialisation", self.init, INITIALISATIONS)
        check_number("warmup", self.warmup, least=0.0, below=1.0)
        check_number("time_decay", self.time_decay, least=0.0)
        check_known("choice of decayed", self.decayed, DECAYED)
        if self.ema is not None:
            check_number("ema", self.ema, above=0.0, below=1.0)
        if self.patience is not None:
            check_count("patience", self.patience, 1, MOST)
        if not isinstance(self.class_weights, bool):
            raise ConfigError(f"class_weights must be true or false, got {self.class_weights!r}")
        if self.crop_padding is not None:
            check_count("crop_padding", self.crop_padding, 0, MOST_PADDING)
        if self.jitter is not None:
            check_number("jitter", self.jitter, least=0.0, most=1.0)
        if self.rotation is not None:
            check_number("rotation", self.rotation, least=0.0, most=180.0)
        check_count("offline", self.offline, 0, MOST)
        check_count("mixing_from", self.mixing_from, 0, MOST)
        check_number("refine", self.refine, least=0.0, below=1.0)
        for name, strength in self.transforms.items():
            _check_strength(name, strength)
        object.__setattr__(self, "transforms", {name: value for name, value in self.transforms.items() if value})

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "TrainingConfig":
        """The configuration from JSON of `to_json` or of a user; raises ConfigError for an unknown name."""
        check_object("training", data, optional=SETTABLE)
        strengths = {name: data[name] for name in TRANSFORMS if name in data}
        return cls(**{name: value for name, value in data.items() if name in _PLAIN}, transforms=strengths)

    def to_json(self) -> dict[str, Any]:
        """A flat object; fields that came after the first version are absent if they are off."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        kept = {name: value for name, value in plain.items() if name in _ALWAYS or value != _DEFAULTS[name]}
        return kept | dict(self.transforms)

    @property
    def augmentation(self) -> Augmentation:
        """The preset, with the changes of this training."""
        changes: dict[str, Any] = {}
        if self.crop_padding is not None:
            changes["crop_padding"] = self.crop_padding
        if self.jitter is not None:
            changes |= dict.fromkeys(("brightness", "contrast", "saturation"), self.jitter)
        if self.rotation is not None:
            changes["rotation"] = self.rotation
        return replace(PRESETS[self.augment or "published"], **changes)

    @property
    def active_transforms(self) -> Mapping[str, float]:
        """The transforms that are in effect for this number of epochs."""
        is_short = (self.epochs or 0) < self.mixing_from
        return {name: value for name, value in self.transforms.items() if not (is_short and TRANSFORMS[name].mixes)}

    @property
    def batch_transforms(self) -> Mapping[str, float]:
        """The active transforms that are drawn for every batch: all, or with offline copies those that mix images."""
        active = self.active_transforms
        return {name: active[name] for name in active if not self.offline or TRANSFORMS[name].mixes}


#: The fields of `TrainingConfig` without the transforms, and their defaults.
_PLAIN = tuple(each.name for each in fields(TrainingConfig) if each.name != "transforms")
#: The names in a training's JSON.
SETTABLE = (*_PLAIN, *TRANSFORMS)
_DEFAULTS = {each.name: each.default for each in fields(TrainingConfig)}
#: The numbers that `to_json` leaves out, by name: what a configuration without them has.
LEFT_OUT: dict[str, float] = dict.fromkeys(TRANSFORMS, 0.0) | {
    name: default
    for name, default in _DEFAULTS.items()
    if isinstance(default, int | float) and not isinstance(default, bool) and name not in _ALWAYS
}


def _check_strength(name: str, strength: Any) -> None:
    check_known("transform", name, TRANSFORMS)
    transform = TRANSFORMS[name]
    if transform.whole and not isinstance(strength, int):
        raise ConfigError(f"{name} must be a whole number from 0 to {transform.most:g}, got {strength!r}")
    check_number(name, strength, least=0.0, most=transform.most)
