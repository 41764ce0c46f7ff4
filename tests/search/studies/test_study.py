"""The built-in studies: what each compares can be trained, and what was published belongs to what it compares."""

import pytest

from architectures.families import network_cost
from search.studies import STUDIES, StudyError
from search.studies.study import Part, Published, Study, arm
from trainables.fits import check_training

SHAPES = {"cifar10": ((3, 32, 32), 10), "cifar100": ((3, 32, 32), 100), "cifar100-coarse": ((3, 32, 32), 20),
          "fashion-mnist": ((1, 28, 28), 10)}  # fmt: skip
ARMS = {"one": arm("cnn5"), "two": arm("cnn5", "sgd", 0.01)}
GOOD = {"name": "mine", "question": "Which?", "parts": (Part(dataset="digits"),), "arms": ARMS, "epochs": 3}


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_can_be_trained_on_every_part_as_published_and_quickly(name):
    study = STUDIES[name]
    for quick in (False, True):
        listed = study.listed(repeats=2, quick=quick)
        if listed is None:
            assert study.space and study.samples
            continue
        assert listed.configs[: len(study.arms)] == listed.configs[len(study.arms) :]
        for part in study.parts:
            shape, classes = SHAPES[part.dataset]
            for config in listed.configs[: len(study.arms)]:
                assert network_cost(config.network.name, config.network.hyperparameters, shape, classes).flops
                check_training(config.with_defaults(epochs=study.epochs, augment=study.augment), shape, classes)


def test_every_experiment_of_the_facts_has_its_study():
    assert len(STUDIES) == 21
    grid = STUDIES["activation-optimizer"]
    assert len(grid.arms) == len(grid.published) == 29
    assert max(grid.published, key=lambda each: each.value).arm == "selu+adam"
    sixty = STUDIES["published-list"]
    assert len(sixty.arms) == 60
    assert sum(config.training.epochs for config in sixty.arms.values()) == 212, "as its own table counts"


def test_a_residual_network_is_compared_with_a_plain_one_of_its_size():
    arms = STUDIES["residual"].arms
    plain, residual = (
        network_cost(arms[name].network.name, arms[name].network.hyperparameters, (3, 32, 32), 100)
        for name in ("plain9", "resnet9 (residual)")
    )
    assert plain.parameters == residual.parameters
    assert plain.flops < residual.flops < 1.001 * plain.flops, "the sums"


def test_quick_changes_images_epochs_and_the_hyperparameters_that_a_network_has():
    study = STUDIES["transfer"]
    small, frozen, _ = study.listed(repeats=1, quick=True).configs
    assert frozen.network.hyperparameters["size"] == 64
    assert "size" not in small.network.hyperparameters
    sixty = STUDIES["published-list"].listed(repeats=1, quick=True).configs
    assert {config.training.epochs for config in sixty} <= set(range(1, STUDIES["published-list"].quick.epochs + 1))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arms": {}}, "either arms to compare or a space"),
        ({"space": "cnn_all"}, "either arms to compare or a space"),
        ({"arms": {"one": arm("cnn5")}}, "two arms or more, and has one alone"),
        ({"parts": ()}, "images to be asked on"),
        ({"parts": (Part(dataset="digits", label=3),)}, "study mine: label must be text, got 3"),
        ({"question": None}, "study mine: question must be text, got None"),
        ({"arms": {"one": {"network": {"name": "cnn5"}}}}, "arm one must be a trainables.config.Config ("),
        ({"arms": {1: arm("cnn5"), 2: arm("cnn6")}}, "the name of an arm must be text, got 1"),
        ({"arms": list(ARMS.values())}, "arms must be configurations by name, got [Config("),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"repeats": True}, "repeats must be a whole number of at least 1, got True"),
        ({"validation": 1.5}, "validation must lie inside (0, 1), got 1.5"),
        ({"measure": "speed"}, "unknown measure 'speed'; known: test_accuracy, val_accuracy, gap"),
        ({"scheduler": "sha"}, "unknown scheduler 'sha'"),
        ({"scheduler": "asha"}, "every arm is trained to its end, so scheduler must be none"),
        ({"measure": ["gap"]}, "unknown measure ['gap']"),
        ({"arms": {}, "space": "cnn_all"}, "compared by val_accuracy alone"),
        ({"published": (Published(arm="one", value=0.5),) * 2}, "two figures were published for arm 'one'; give one"),
        ({"published": (Published(arm="one", value=0.5, std=-0.1),)}, "is a fraction of one"),
        (
            {"published": (Published(arm="three", value=0.5),)},
            "published for arm 'three', which it has not",
        ),
        ({"published": (Published(arm="one", value=54.0),)}, "is a fraction of one, such as 0.54; one has 54.0"),
        ({"published": (Published(arm="one", value=0.5, dataset="mnist"),)}, "known: digits"),
    ],
)
def test_a_study_that_cannot_be_asked_is_one_line(changes, says):
    with pytest.raises(StudyError) as error:
        Study(**GOOD | changes)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
