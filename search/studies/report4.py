"""Report 4: hypothesis tests on a baseline (CIFAR-100, Keras), and its grid of activations and optimizers.

It gives neither learning rates, batch size nor epochs: here they are Keras's default rates, 128 images and at most 30
epochs, of which the best on the validation images counts.
"""

from typing import Any

from search.studies.study import Part, Published, Quick, arm, study
from trainables.config import Config

_WORDS: dict[str, Any] = {
    "source": "report 4",
    "parts": (Part(dataset="cifar100", label="fine_label"),),
    "epochs": 30,
    "measure": "val_accuracy",
}
_REMARK = (
    "The report does not give rates, batch size or epochs: here Adam at .001, batches of 128, the best of 30 epochs."
)
_TRAINING = {"batch_size": 128, "patience": 8}
_DEEP: dict[str, Any] = {"conv_widths": [32, 64, 128], "padding": "same", "pool": "mixed"}


def _arm(optimizer: str = "adam", lr: float = 1e-3, training: dict[str, Any] | None = None, **changes: Any) -> Config:
    return arm("baseline", optimizer, lr, training=_TRAINING | (training or {}), **{**_DEEP, **changes})


def _published(arm: str, value: float, std: float | None = None) -> Published:
    return Published(arm=arm, value=value, std=std, measure="val_accuracy")


study(
    "pooling",
    "Max or average pooling, or both?",
    **_WORDS,
    arms={
        "max": _arm(pool="max"),
        "average": _arm(pool="average"),
        "mixed": _arm(),
        "none": arm("baseline", training=_TRAINING),
    },
    repeats=5,
    published=(
        _published("max", 0.29652, 0.01538),
        _published("average", 0.33974, 0.01062),
        _published("mixed", 0.32522, 0.01008),
    ),
    remark=f"{_REMARK} The arm 'none' is its baseline of two convolutions.",
)

study(
    "padding",
    "Does padding matter?",
    **_WORDS,
    arms={"same": _arm(), "valid": _arm(padding="valid")},
    repeats=5,
    published=(_published("same", 0.32522, 0.01088), _published("valid", 0.32186, 0.00483)),
    remark=_REMARK,
)

study(
    "normalization",
    "Does batch norm help, and dropout beside it?",
    **_WORDS,
    arms={
        "without": _arm(),
        "norm": _arm(norm=True),
        "norm and dropout": _arm(norm=True, conv_dropout=0.3, head_dropout=0.3),
    },
    repeats=5,
    published=(
        _published("without", 0.418, 0.00866),
        _published("norm", 0.55634, 0.00882),
        _published("norm and dropout", 0.60752, 0.0139),
    ),
    remark=f"{_REMARK} It names no dropout: here .3.",
)

study(
    "l2",
    "Does L2 help?",
    **_WORDS,
    arms={
        "none": _arm(norm=True),
        "head": _arm(norm=True, head_l2=1e-4),
        "convolutions": _arm(norm=True, conv_l2=1e-4),
        "both": _arm(norm=True, conv_l2=1e-4, head_l2=1e-4),
    },
    repeats=5,
    remark=f"{_REMARK} Of L2 it states about 49 and 55 % and not which is which; here λ is .0001.",
)

#: Rotation by up to 90°, shear, zoom and channel shift of 0.2, both flips.
_STRONG = {
    "augment": "flip-crop", "crop_padding": 0, "rotation": 90.0, "shear": 0.2, "zoom": 0.2,
    "channel_shift": 0.2, "vertical_flip": 0.5,
}  # fmt: skip

study(
    "augmentation",
    "Does augmentation help, anew in every epoch or as copies beside the originals?",
    **_WORDS,
    arms={
        "none": _arm(norm=True),
        "anew": _arm(training={"augment": "flip-crop"}, norm=True),
        "strong anew": _arm(training=_STRONG, norm=True),
        "strong as 2 copies": _arm(training=_STRONG | {"offline": 2}, norm=True),
    },
    remark=f"{_REMARK} It ran out of memory with 600,000 images, and has no figure.",
)

#: Keras's default learning rates.
_RATES = {
    "adam": 1e-3, "nadam": 1e-3, "adamax": 1e-3, "rmsprop": 1e-3, "sgd": 1e-2, "adagrad": 1e-3, "adadelta": 1e-3,
}  # fmt: skip
#: Validation accuracies in per cent, one run each.
_GRID = {
    "selu": {
        "adam": 39.73, "adamax": 38.69, "nadam": 38.10, "rmsprop": 34.43, "sgd": 28.58, "adagrad": 25.45,
        "adadelta": 17.66,
    },
    "elu": {
        "nadam": 39.35, "adam": 38.93, "adamax": 38.28, "sgd": 37.98, "rmsprop": 36.73, "adagrad": 21.33,
        "adadelta": 16.28,
    },
    "leaky_relu": {"adam": 37.54},
    "relu": {
        "nadam": 38.14, "rmsprop": 38.12, "adamax": 37.06, "adam": 36.99, "sgd": 29.10, "adagrad": 26.43,
        "adadelta": 13.22,
    },
    "tanh": {
        "adam": 30.92, "nadam": 28.77, "adamax": 28.46, "sgd": 26.58, "rmsprop": 24.31, "adagrad": 21.94,
        "adadelta": 12.75,
    },
}  # fmt: skip

study(
    "activation-optimizer",
    "Which activation with which optimizer?",
    **_WORDS,
    arms={
        f"{activation}+{optimizer}": _arm(optimizer, _RATES[optimizer], activation=activation)
        for activation, values in _GRID.items()
        for optimizer in values
    },
    published=tuple(
        _published(f"{activation}+{optimizer}", round(value / 100, 4))
        for activation, values in _GRID.items()
        for optimizer, value in values.items()
    ),
    quick=Quick(network={"width": 0.5}),
    remark=f"{_REMARK.replace('Adam at .001', 'the default rates of Keras')} It ran each once.",
)
