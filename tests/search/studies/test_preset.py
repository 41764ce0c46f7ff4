"""A study as searches: which images, which words of a request, and what a user may change."""

from dataclasses import replace

import numpy as np
import pytest

from search.studies import STUDIES, StudyError
from search.studies.preset import presets
from search.studies.study import Part
from tests.trainables.data.pictures import class_folders, good, parquet


def of(name, given=None, repeats=None, quick=False):
    return presets(STUDIES[name], given or {}, repeats=repeats, quick=quick)


def test_each_part_is_a_search_with_its_own_published_figures():
    ten, hundred = of("batch-norm")
    assert (ten.words["dataset"], ten.words["label"]) == ("cifar10", None)
    assert [each["value"] for each in ten.facts["published"]] == [0.71]
    assert [each["value"] for each in hundred.facts["published"]] == [0.44, 0.54]
    assert ten.words["samples"] == len(ten.listed.configs) == 2 * STUDIES["batch-norm"].repeats
    assert ten.words["epochs"] == 40


def test_a_folder_is_taken_for_the_dataset_whose_name_it_has():
    fine, coarse = of("coarse-fine", {"dataset": "/images/cifar100"})
    assert [each.words["label"] for each in (fine, coarse)] == ["fine_label", "coarse_label"]
    assert [each.facts["part"] for each in (fine, coarse)] == ["cifar100", "cifar100-coarse"]
    (one,) = of("coarse-fine", {"dataset": "/images/cifar100", "label": "coarse_label"})
    assert one.facts["part"] == "cifar100-coarse"
    (ten,) = of("dropout", {"dataset": "/images/cifar10"})
    assert ten.facts["part"] == "cifar10"


def test_without_columns_a_folder_or_file_has_the_labels_that_its_name_says(tmp_path):
    for name in ("cifar100", "cifar100-coarse"):
        (one,) = of("coarse-fine", {"dataset": str(class_folders(tmp_path / name))})
        assert (one.words["label"], one.facts["part"], one.note) == (None, name, None)
    pixels, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "cifar100.npz", train_images=pixels, train_labels=labels)
    (arrays,) = of("padding", {"dataset": str(tmp_path / "cifar100.npz")})
    assert (arrays.words["label"], arrays.note) == (None, None)
    assert arrays.facts["published"]
    (asked,) = of("padding", {"dataset": str(tmp_path / "cifar100"), "label": "fine_label"})
    assert asked.words["label"] == "fine_label", "the launch says that there are no columns"
    parquet(tmp_path / "tables" / "cifar100" / "train.parquet", [good(i) for i in range(4)], [0, 1, 0, 1])
    (table,) = of("padding", {"dataset": str(tmp_path / "tables" / "cifar100")})
    assert table.words["label"] == "fine_label"


def test_of_other_images_nothing_is_published():
    (own,) = of("batch-norm", {"dataset": "/images/flowers"})
    assert own.words["dataset"] == "/images/flowers"
    assert own.facts["published"] == []
    assert own.note == (
        "note: the published figures are of cifar10 or cifar100, and /images/flowers is not compared with them "
        "(a folder or file named cifar10 or cifar100 is)"
    )
    (known,) = of("padding", {"dataset": "digits"})
    assert known.note == "note: the published figures are of cifar100, and digits is not compared with them"
    assert {each.note for each in of("batch-norm")} == {None}


def test_what_a_user_gives_takes_the_place_of_what_the_study_says():
    (quick,) = of("padding", {"epochs": 2, "seed": 7}, repeats=4, quick=True)
    assert (quick.words["epochs"], quick.words["seed"], quick.words["limit_train"]) == (2, 7, 2000)
    assert (quick.facts["repeats"], quick.words["samples"]) == (4, 8)
    assert quick.facts["changed"] == ["--quick", "--epochs"]


def test_a_study_without_arms_is_a_search_of_its_space():
    (search,) = of("published-search")
    assert (search.words["space"], search.words["samples"], search.words["scheduler"]) == ("cnn_published", 60, "asha")
    assert search.listed is None
    assert of("published-search", {"samples": 5})[0].words["samples"] == 5


@pytest.mark.parametrize(
    "option", ["space", "samples", "sampler", "experience", "first", "keep", "submit", "scheduler", "metric"]
)
def test_what_a_study_settles_is_not_asked_for_as_well(option):
    with pytest.raises(StudyError, match=rf"--study padding does not take --{option}, which is for a search of your"):
        of("padding", {option: "x"})


def test_repeats_are_for_arms():
    with pytest.raises(StudyError, match=r"--repeats is for a study that compares arms"):
        of("published-search", repeats=3)


def test_a_study_of_files_keeps_its_column_of_labels_unless_another_is_asked_for():
    own = replace(STUDIES["padding"], parts=(Part(dataset="/faces", label="age"),))
    (found,) = presets(own, {}, repeats=None, quick=False)
    assert (found.words["dataset"], found.words["label"]) == ("/faces", "age")
    (other,) = presets(own, {"label": "sex"}, repeats=None, quick=False)
    assert other.words["label"] == "sex"
