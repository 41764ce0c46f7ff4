"""Report 2: batch norm, dropout and width, on 10 and on 100 classes (CIFAR-10 and CIFAR-100, Keras).

It gives neither optimizer nor batch size; here these are Adam with Keras's default rate and 128 images.
"""

from search.studies.study import Part, Published, Quick, arm, study

_WORDS = {
    "source": "report 2",
    "parts": (Part(dataset="cifar10"), Part(dataset="cifar100")),
    "epochs": 40,
    "validation": 0.25,
    "remark": "The report does not give the optimizer: here Adam at .001, batches of 128. It splits 60/20/20; here the "
    "test images are the dataset's own, and a quarter of the others validates.",
}
_TEN, _HUNDRED = "cifar10", "cifar100"

study(
    "batch-norm",
    "Does batch norm close the gap between training and validation, and at what test accuracy?",
    **_WORDS,
    arms={"without": arm("coursework"), "with": arm("coursework_bn")},
    published=(
        Published(arm="without", value=0.71, dataset=_TEN),
        Published(arm="without", value=0.44, dataset=_HUNDRED),
        Published(arm="with", value=0.54, dataset=_HUNDRED),
    ),
    quick=Quick(network={"width": 0.5}),
)

study(
    "dropout",
    "How much dropout closes the gap between training and validation, and at what test accuracy?",
    **_WORDS,
    arms={
        name: arm("coursework_bn", conv_dropout=share, head_dropout=share)
        for name, share in (("none", 0.0), (".3", 0.3), (".5", 0.5), (".7", 0.7))
    },
    published=(
        Published(arm=".3", value=0.54, dataset=_HUNDRED),
        Published(arm=".5", value=0.54, dataset=_HUNDRED),
    ),
    quick=Quick(network={"width": 0.5}),
)

study(
    "width",
    "Does a wider network generalise better at equal epochs?",
    **_WORDS
    | {"remark": f"{_WORDS['remark']} Of the last network it gives dropout .2 or .4; its figures stand at .2."},
    arms={
        "coursework_bn": arm("coursework_bn"),
        "last": arm("last"),
        "last with dropout .4": arm("last", conv_dropout=0.4),
        "anh": arm("anh"),
    },
    published=(
        Published(arm="last", value=0.85, dataset=_TEN),
        Published(arm="coursework_bn", value=0.54, dataset=_HUNDRED),
        Published(arm="last", value=0.59, dataset=_HUNDRED),
        Published(arm="anh", value=0.555, dataset=_HUNDRED),
    ),
    quick=Quick(network={"width": 0.25}),
)
