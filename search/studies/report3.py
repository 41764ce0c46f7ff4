"""Report 3: coarse and fine labels of CIFAR-100, and what a small network learns of them (Keras)."""

from typing import Any

from search.studies.study import Part, Published, Quick, arm, study
from trainables.config import Config

_SOURCE = "report 3"
_COARSE = (Part(dataset="cifar100-coarse", label="coarse_label"),)
_FINE = (Part(dataset="cifar100", label="fine_label"),)
_WORDS = {"source": _SOURCE, "parts": _COARSE, "epochs": 50, "measure": "val_accuracy"}
#: The best epoch on the validation images is kept, as in the report.
_PATIENCE = 10
_VALIDATION = "val_accuracy"


def _first(optimizer: str = "adam", lr: float = 1e-3, batch_size: int = 32) -> Config:
    return arm("coarse", optimizer, lr, training={"batch_size": batch_size, "patience": _PATIENCE})


def _deep(network: str = "coarse_deep", **hyperparameters: Any) -> Config:
    return arm(network, training={"batch_size": 32, "patience": _PATIENCE}, **hyperparameters)


study(
    "optimizers",
    "Adam or SGD, at the same learning rate?",
    **_WORDS,
    arms={"adam": _first(), "sgd": _first("sgd"), "sgd at .01": _first("sgd", 1e-2)},
    published=(
        Published(arm="adam", value=0.480, measure=_VALIDATION),
        Published(arm="sgd", value=0.469, measure=_VALIDATION),
    ),
    remark="The third arm is ours: Keras's default rate for SGD.",
)

study(
    "batch-size",
    "Does the batch size matter?",
    **_WORDS,
    arms={"32": _first(), "16": _first(batch_size=16), "64": _first(batch_size=64)},
    published=(
        Published(arm="32", value=0.480, measure=_VALIDATION),
        Published(arm="64", value=0.496, measure=_VALIDATION),
    ),
    remark="The learning rate is the same for all, as there.",
)

study(
    "learning-rate",
    "Which learning rate for Adam?",
    **_WORDS,
    arms={".001": _first(), ".01": _first(lr=1e-2), ".0001": _first(lr=1e-4)},
    published=(
        Published(arm=".001", value=0.480, measure=_VALIDATION),
        Published(arm=".01", value=0.05, measure=_VALIDATION),
        Published(arm=".0001", value=0.502, measure=_VALIDATION),
    ),
    remark="Of .01 the report says that it was no better than guessing, which is .05.",
)

study(
    "depth",
    "Two convolutions or four, with dropout or without?",
    **_WORDS,
    arms={
        "two": _first(),
        "two with dropout": arm(
            "coarse",
            conv_dropout=0.25,
            flat_dropout=0.25,
            head_dropout=0.5,
            training={"batch_size": 32, "patience": _PATIENCE},
        ),
        "four": _deep(conv_dropout=0.0, flat_dropout=0.0, head_dropout=0.0),
        "four with dropout": _deep(),
    },
    published=(
        Published(arm="two", value=0.480, measure=_VALIDATION),
        Published(arm="two with dropout", value=0.513, measure=_VALIDATION),
        Published(arm="four with dropout", value=0.552, measure=_VALIDATION),
    ),
    remark="The report has no figure for four convolutions without dropout.",
)

#: The widths that the report's random search chose, and nine others, drawn once and uniformly from its choices.
_WIDTHS = (
    (32, 32, 64, 64, 128), (16, 32, 128, 64, 64), (64, 16, 32, 128, 256), (32, 64, 64, 32, 64), (16, 16, 32, 32, 128),
    (64, 64, 128, 128, 256), (32, 16, 128, 32, 256), (16, 64, 64, 128, 128), (64, 32, 32, 64, 128),
    (64, 64, 64, 32, 64),
)  # fmt: skip

study(
    "filters",
    "Which numbers of filters, and are those that the random search chose the best?",
    **_WORDS,
    arms={
        "-".join(map(str, widths)): _deep(conv_widths=list(widths[:4]), head_widths=[widths[4]]) for widths in _WIDTHS
    },
    published=(Published(arm="32-32-64-64-128", value=0.552, measure=_VALIDATION),),
    remark="The report's search trained ten draws once; here its choice and nine other draws are trained alike. "
    "Names are the widths of four convolutions and of the hidden layer.",
)

study(
    "coarse-fine",
    "What changes with 20 labels or 100, and does a network of fine labels know the coarse ones better?",
    source="reports 3 and 4",
    parts=(*_FINE, *_COARSE),
    epochs=50,
    arms={
        "four convolutions": _deep("fine"),
        "final": arm("baseline_final", training={"batch_size": 128, "patience": _PATIENCE}),
    },
    published=(
        Published(arm="four convolutions", value=0.552, measure=_VALIDATION, dataset="cifar100-coarse"),
        Published(arm="four convolutions", value=0.385, measure=_VALIDATION, dataset="cifar100"),
        Published(arm="final", value=0.7249, dataset="cifar100-coarse"),
        Published(arm="final", value=0.6188, dataset="cifar100"),
    ),
    remark="The final network's widths and λ are not given in report 4; see hpsearch networks baseline_final.",
)

study(
    "transfer",
    "Is a pretrained network better than the small one?",
    source=_SOURCE,
    parts=_FINE,
    epochs=20,
    measure="val_accuracy",
    arms={
        "small": _deep("fine"),
        "vgg16 frozen": arm("vgg16", training={"patience": _PATIENCE}),
        "vgg16 tuned": arm("vgg16", lr=1e-4, body_lr=0.1, training={"patience": _PATIENCE}),
    },
    published=(
        Published(arm="small", value=0.385, measure=_VALIDATION),
        Published(arm="vgg16 frozen", value=0.155, measure=_VALIDATION),
    ),
    quick=Quick(network={"size": 64}),
    remark="Images are enlarged and normalised as the weights expect, which the report does not mention. Weights are "
    "downloaded once.",
)
