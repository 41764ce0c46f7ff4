"""What a dataset is said to hold."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.pictures import class_folders, encoded, parquet, picture
from trainables.data.description import Description, describe
from trainables.data.formats.format import AS_NAMED
from trainables.data.images import DatasetError
from trainables.data.superclasses import SUPERCLASSES, superclasses_of


def described(place: Path | str, folder: Path, image_size: int | None = None) -> Description:
    return describe(
        str(place), AS_NAMED, data_dir=folder, image_size=image_size, near=True, begin=lambda _: lambda *_: None
    )


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Ten images to train on and six to test, of which a dog is a cat of train, and train has that cat twice."""
    place = tmp_path / "pets"
    class_folders(place / "train", per_class=5)
    for number, name in enumerate(("cat", "dog")):
        (place / "test" / name).mkdir(parents=True)
        for i in range(3):
            picture(500 + 10 * number + i).save(place / "test" / name / f"{i}.png")
    shutil.copy(place / "train" / "cat" / "3.png", place / "test" / "dog" / "copy.png")
    shutil.copy(place / "train" / "cat" / "3.png", place / "train" / "cat" / "again.png")
    return place


def test_equal_images_are_found_within_and_between_parts_with_their_files(tmp_path, pets) -> None:
    found = described(pets, tmp_path)
    assert {part: len(images) for part, images in found.parts.items()} == {"train": 11, "test": 7}
    (group,) = found.groups
    names = [found.places[copy.part, copy.number] for copy in group]
    assert sorted(names) == sorted(
        str(pets / name) for name in ("train/cat/3.png", "train/cat/again.png", "test/dog/copy.png")
    )
    assert found.also_in_train("test") == 1
    assert [len(each) for each in found.within("train")] == [2] and not found.within("test")
    assert found.contradictions == 1
    assert [found.label(copy.part, copy.number) for copy in group] == ["cat", "cat", "dog"]
    assert found.near == ()


def test_a_picture_that_was_saved_anew_is_nearly_the_same(tmp_path, pets) -> None:
    brighter = Image.fromarray(np.asarray(picture(101)) | np.uint8(4))
    brighter.save(pets / "test" / "cat" / "anew.png")
    found = described(pets, tmp_path)
    assert found.near and [[found.label(copy.part, copy.number) for copy in pair] for pair in found.near] == [
        ["dog", "cat"]
    ]
    assert found.nearly_in_train("test") == 1 and found.also_in_train("test") == 1
    assert found.places["test", found.near[0][1].number] == str(pets / "test" / "cat" / "anew.png")


def test_held_out_images_are_those_that_a_search_would_be_tested_on(tmp_path) -> None:
    found = described(class_folders(tmp_path / "pets", per_class=10), tmp_path)
    assert {part: len(images) for part, images in found.parts.items()} == {"train": 16, "test": 4}
    assert found.survey and found.survey.test is None and not found.groups


def test_validation_images_are_a_part_of_their_own(tmp_path, pets) -> None:
    shutil.copytree(pets / "test", pets / "val")
    found = described(pets, tmp_path)
    assert list(found.parts) == ["train", "validation", "test"]
    assert found.also_in_train("validation") == 1


def test_sizes_are_those_before_images_are_resized(tmp_path, pets) -> None:
    picture(900, size=(9, 7)).save(pets / "test" / "cat" / "large.png")
    with pytest.raises(DatasetError, match="all images must have one size"):
        described(pets, tmp_path)
    found = described(pets, tmp_path, image_size=4)
    assert found.sizes == {(6, 5): 18, (9, 7): 1} and found.train.shape == (3, 4, 4)


def test_known_names_and_columns_are_checked(tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"a dataset is one of cifar100, .*'nosuch' is none of these"):
        described("nosuch", tmp_path)
    digits = described("digits", tmp_path)
    assert digits.sizes == {(16, 16): 1797} and digits.superclasses is None and digits.survey is None


def test_the_classes_of_cifar100_have_superclasses_wherever_they_lie(tmp_path) -> None:
    names = sorted(name for own in SUPERCLASSES.values() for name in own)
    images = [encoded(picture(number, size=(2, 2))) for number in range(200)]
    parquet(tmp_path / "set" / "train.parquet", images, list(range(100)) * 2, names=names)
    found = described(tmp_path / "set", tmp_path)
    assert found.superclasses == SUPERCLASSES
    numbers = superclasses_of(names)
    assert numbers and np.bincount(numbers).tolist() == [5] * 20
    assert names[numbers.index(list(SUPERCLASSES).index("trees"))] == "maple_tree"
    assert superclasses_of(("cat", "dog")) is None
