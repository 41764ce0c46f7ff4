"""Datasets by name or path, decoded once."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.data.pictures import class_folders, first_kept, picture, refused
from trainables.data.formats import FORMATS
from trainables.data.images import fingerprint
from trainables.data.known import DATASETS
from trainables.data.load import load
from trainables.data.read import TEST_SEED, TEST_SHARE
from trainables.data.split import split

CIFAR10 = Path(os.environ.get("HPSEARCH_CIFAR10", Path(__file__).parents[3] / "shared" / "data" / "cifar10"))


def test_decoding_happens_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    calls: list[tuple[int, int]] = []
    first = load(str(root), "train", data_dir=tmp_path, progress=lambda *done: calls.append(done))
    assert calls == [(8, 8)]
    load(str(root), "train", data_dir=tmp_path, progress=lambda *done: calls.append(done))
    assert len(calls) == 1
    picture(77).save(root / "cat" / f"{first_kept(root)}.png")
    again = load(str(root), "train", data_dir=tmp_path)
    assert fingerprint(again) != fingerprint(first)
    assert np.array_equal(again.pixels[0], np.asarray(picture(77)).transpose(2, 0, 1))


def test_a_test_part_that_goes_or_comes_changes_what_train_holds(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    class_folders(root / "train", per_class=10)
    class_folders(root / "test", per_class=5, classes=("cat", "dog"))
    beside = tmp_path / "beside"
    for place, sizes in ((beside, (16, 4)), (root / "test", (20, 10)), (beside, (16, 4))):
        (beside if beside.exists() else root / "test").rename(place)
        train, test = (load(str(root), part, data_dir=tmp_path) for part in ("train", "test"))
        assert (len(train), len(test)) == sizes
        if place == beside:  # the test part's pictures are those of train
            assert not {image.tobytes() for image in train.pixels} & {image.tobytes() for image in test.pixels}


def test_a_test_part_that_goes_changes_the_colour_of_validation_images_if_only_held_out_ones_have_any(
    tmp_path: Path,
) -> None:
    root = tmp_path / "pets"
    class_folders(root / "train", mode="L")
    class_folders(root / "val", mode="L")
    class_folders(root / "test", mode="L")
    kept = load(str(root), "train", data_dir=tmp_path)
    assert len(kept) == 10
    _, held_out = split(kept.labels, TEST_SHARE, TEST_SEED)
    files = [file for name in ("cat", "dog") for file in sorted((root / "train" / name).iterdir())]
    picture(1).save(files[held_out[0]])
    assert load(str(root), "validation", data_dir=tmp_path).shape[0] == 3
    (root / "test").rename(tmp_path / "test")
    assert load(str(root), "validation", data_dir=tmp_path).shape[0] == 1


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    message = refused("cifar1000", tmp_path)
    assert (
        all(name in message for name in DATASETS)
        and "'cifar1000'" in message
        and "folder or file that exists" in message
    )


@pytest.mark.parametrize("path", ["x" * 5000, "~no-such-user/x", "a\0b", "\ud800"])
def test_what_can_be_no_path_is_refused(tmp_path: Path, path: str) -> None:
    assert "folder or file that exists" in refused(path, tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    message = refused(tmp_path / "nothing", tmp_path / "data")
    assert all(each.holds in message for each in FORMATS) and message.endswith("holds nothing")


def test_a_folder_of_something_else_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    for name in ("pets.zip", "README.md", ".hidden"):
        (tmp_path / "pets" / name).write_bytes(b"PK")
    message = refused(tmp_path / "pets", tmp_path)
    assert message.endswith(
        "pets.zip must be the archive that its name says; it is something else, which begins with b'PK'"
    )
    (tmp_path / "pets" / "pets.zip").rename(tmp_path / "pets" / "pets.h5")
    assert refused(tmp_path / "pets", tmp_path).endswith("it holds README.md, pets.h5")


def test_an_image_size_below_one_is_refused(tmp_path: Path) -> None:
    assert "at least 1 pixel, not 0" in refused("digits", tmp_path, image_size=0)


@pytest.mark.skipif(not CIFAR10.is_dir(), reason="needs CIFAR-10 as Parquet files; set HPSEARCH_CIFAR10")
def test_the_real_cifar10_is_read(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    test = load(str(CIFAR10), "test", data_dir=tmp_path, progress=lambda *done: seen.append(done))
    assert test.pixels.shape == (10000, 3, 32, 32)
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert test.classes[0] == "airplane" and test.classes[9] == "truck"
    assert seen[0] == (500, 10000) and seen[-1] == (10000, 10000)
    assert 100 < test.pixels.mean() < 140
