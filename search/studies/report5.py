"""Report 5: dense networks on Fashion-MNIST, and a residual network against a plain one on CIFAR-100 (Keras)."""

from typing import Any

from search.studies.study import Part, Published, Quick, arm, study
from trainables.config import Config

_SOURCE = "report 5"

study(
    "fashion-mlp",
    "Which shape of a dense network?",
    source=_SOURCE,
    parts=(Part(dataset="fashion-mnist"),),
    epochs=100,
    validation=1 / 6,
    arms={
        "inverted triangle": arm("mlp", training={"batch_size": 32}),
        "rectangle": arm("mlp", shape="rectangle", width=200, training={"batch_size": 32}),
        "hexagon": arm("mlp", shape="hexagon", width=250, training={"batch_size": 32}),
    },
    published=(
        Published(arm="inverted triangle", value=0.88),
        Published(arm="rectangle", value=0.882),
        Published(arm="hexagon", value=0.8803),
    ),
    quick=Quick(limit_train=6000, epochs=10),
    remark="The report does not give the optimizer: here Adam at .001.",
)


def _rmsprop(network: str, **hyperparameters: Any) -> Config:
    return arm(network, "rmsprop", 1e-4, training={"batch_size": 32, "time_decay": 1e-6}, **hyperparameters)


study(
    "residual",
    "Is a residual network better or faster, also at equal cost?",
    source=_SOURCE,
    parts=(Part(dataset="cifar100", label="fine_label"),),
    epochs=100,
    arms={
        "model1": _rmsprop("model1_counted"),
        "model2 (residual)": _rmsprop("model2"),
        "plain9": _rmsprop("plain9", width=0.25),
        "resnet9 (residual)": _rmsprop("resnet9", width=0.25),
    },
    published=(
        Published(arm="model1", value=0.5352),
        Published(arm="model2 (residual)", value=0.446),
    ),
    quick=Quick(epochs=10),
    remark="The report does not give batch size and epochs: here 32 and 100. plain9 and resnet9 are ours: the same "
    "layers and cost, without sums and with them.",
)
