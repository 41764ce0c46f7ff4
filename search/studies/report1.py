"""Report 1 (Lopez 2024): its search, its three winners, and its list of sixty."""

import csv
from pathlib import Path

from search.studies.study import Part, Published, Quick, arm, study
from trainables.config import Config

_SOURCE = "report 1 (Lopez 2024)"
_CIFAR100 = (Part(dataset="cifar100"),)
_LIST = Path(__file__).with_name("report1.csv")

study(
    "published-search",
    "How good are the winners of the published search?",
    source=_SOURCE,
    parts=_CIFAR100,
    space="cnn_published",
    samples=60,
    epochs=30,
    augment="published",
    scheduler="asha",
    measure="val_accuracy",
    published=(
        Published(arm="best", value=0.539, measure="val_accuracy"),
        Published(arm="second", value=0.5329, measure="val_accuracy"),
        Published(arm="third", value=0.4889, measure="val_accuracy"),
        Published(arm="best", value=0.601),
        Published(arm="second", value=0.611),
        Published(arm="third", value=0.587),
    ),
    quick=Quick(limit_train=2000, epochs=8, samples=16),
    remark="Its validation images were augmented and these are not. Its test figures are of retrains: "
    "hpsearch retrain --top 3, then ask again.",
)


def _winner(network: str, lr: float, momentum: float, dampening: float) -> Config:
    arguments = {"momentum": momentum, "dampening": dampening}
    return arm(network, "sgd", lr, arguments=arguments, training={"batch_size": 100})


study(
    "published-winners",
    "Do the three published winners reach their published test accuracies?",
    source=_SOURCE,
    parts=_CIFAR100,
    arms={
        "cnn6": _winner("cnn6", 0.004278, 0.00958, 0.0946),
        "cnn7": _winner("cnn7", 0.0390, 0.178957, 0.34405),
        "cnn2": _winner("cnn2", 0.0498, 0.0867, 0.0415),
    },
    epochs=100,
    validation=0.02,
    augment="published",
    published=(
        Published(arm="cnn6", value=0.601),
        Published(arm="cnn7", value=0.611),
        Published(arm="cnn2", value=0.587),
    ),
    quick=Quick(network={"width": 0.5}),
    remark="The report trained on all 50,000 images, one run each; here 2 % of them are held out.",
)


def _row(row: dict[str, str]) -> tuple[str, Config, float]:
    """A trial of the published list: its name, its configuration, and its validation accuracy."""
    names = ("beta1", "beta2", "alpha", "momentum", "dampening", "initial_accumulator_value", "lr_decay")
    arguments = {name: float(row[name]) for name in names if row[name]}
    network, optimizer = row["network"], row["optimizer"]
    training = {"batch_size": 8, "epochs": int(row["epochs"])}
    config = arm(network, optimizer, float(row["lr"]), arguments=arguments, training=training)
    return f"{int(row['trial']):02} {network} {optimizer}", config, float(row["val_accuracy"])


with _LIST.open(encoding="utf-8") as _file:
    _SIXTY = [_row(row) for row in csv.DictReader(_file)]

study(
    "published-list",
    "Do the sixty configurations of the published search rank as they were published?",
    source=_SOURCE,
    parts=_CIFAR100,
    arms={name: config for name, config, _ in _SIXTY},
    epochs=30,
    repeats=1,
    augment="published",
    measure="val_accuracy",
    published=tuple(Published(arm=name, value=value, measure="val_accuracy") for name, _, value in _SIXTY),
    remark="Each for as many epochs as it had there, batch size 8; its validation images were augmented.",
)
