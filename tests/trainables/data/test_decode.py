"""Encoded images: colour, depth and size, and images that cannot be decoded."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.pictures import class_folders, first_kept, good, picture, refused
from trainables import limits
from trainables.data import decode
from trainables.data.find import find
from trainables.data.formats.format import AS_NAMED
from trainables.data.images import DatasetError
from trainables.data.load import check_test, load


def test_colour_is_dropped_only_if_every_train_image_is_grey(tmp_path: Path) -> None:
    class_folders(tmp_path / "grey" / "train", mode="L")
    class_folders(tmp_path / "grey" / "test")
    assert load(str(tmp_path / "grey"), "train", data_dir=tmp_path).shape == (1, 5, 6)
    assert load(str(tmp_path / "grey"), "test", data_dir=tmp_path).shape == (1, 5, 6)
    class_folders(tmp_path / "mixed" / "train", mode="L")
    class_folders(tmp_path / "mixed" / "test", mode="L")
    picture(0).save(tmp_path / "mixed" / "train" / "dog" / "last.png")
    train, test = (load(str(tmp_path / "mixed"), part, data_dir=tmp_path) for part in ("train", "test"))
    assert train.shape == test.shape == (3, 5, 6)
    assert (test.pixels[:, 0] == test.pixels[:, 2]).all()


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "deep" / name).mkdir(parents=True)
        for i in range(2):
            ramp = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
            Image.fromarray(ramp).save(tmp_path / "deep" / name / f"{i}.png")
    images = load(str(tmp_path / "deep"), "train", data_dir=tmp_path)
    assert images.pixels[0, 0, 0].tolist() == [0, 1, 128, 255]


def test_a_camera_s_twelve_bits_are_scaled_as_what_they_are_in_all_parts(tmp_path: Path) -> None:
    for part, largest in (("train", 4095), ("test", 9000)):
        for name in ("cat", "dog"):
            (tmp_path / "deep" / part / name).mkdir(parents=True)
            ramp = np.array([[0, 16, 2048, largest]], dtype=np.uint16)
            Image.fromarray(ramp).save(tmp_path / "deep" / part / name / "0.png")
    for _ in ("decoded", "from the cache"):
        for part in ("train", "test"):
            images = load(str(tmp_path / "deep"), part, data_dir=tmp_path)
            assert images.pixels[0, 0, 0].tolist() == [0, 1, 128, 255] and images.bits == 12
    assert load(str(class_folders(tmp_path / "pets", mode="L")), "train", data_dir=tmp_path).bits is None


def test_twelve_bits_are_scaled_as_what_they_are_beside_colour_images(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "mixed" / name).mkdir(parents=True)
        for i in range(6):
            picture(i, size=(4, 1)).save(tmp_path / "mixed" / name / f"{i}.png")
            ramp = np.array([[0, 16, 2048, 4095]], dtype=np.uint16)
            Image.fromarray(ramp).save(tmp_path / "mixed" / name / f"{i}-deep.png")
    images = load(str(tmp_path / "mixed"), "train", data_dir=tmp_path)
    assert images.shape == (3, 1, 4) and images.bits == 12
    assert [0, 1, 128, 255] in images.pixels[:, 0, 0].tolist()


def test_mixed_sizes_are_refused_or_resized(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    picture(9, size=(8, 7)).save(root / "dog" / "other.png")
    message = refused(root, tmp_path)
    assert "6×5, 8×7" in message and "--image-size N" in message
    train = load(str(root), "train", data_dir=tmp_path, image_size=4)
    assert train.shape == (3, 4, 4)
    with Image.open(root / "cat" / f"{first_kept(root)}.png") as image:
        expected = np.asarray(image.resize((4, 4), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.array_equal(train.pixels[0], expected)


def test_a_test_part_of_another_size_than_train_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", size=(9, 9))
    assert "6×5, 9×9" in refused(tmp_path / "pets", tmp_path, "test")


def test_an_image_of_more_pixels_than_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MOST_PIXELS", 29)
    assert "6×5 is more than 29 pixels" in refused(class_folders(tmp_path / "pets"), tmp_path)


def test_more_images_than_fit_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory", lambda: (719, 0))  # a container's limit; the images take 720
    message = refused(class_folders(tmp_path / "pets"), tmp_path)
    assert "8 images of 6×5" in message and "or its container has" in message and "--image-size" in message
    monkeypatch.setattr(limits, "memory", lambda: (720, 0))
    assert len(load(str(tmp_path / "pets"), "train", data_dir=tmp_path)) == 8


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_unreadable_images_are_counted_by_part(tmp_path: Path, part: Any) -> None:
    root = tmp_path / "pets"
    for each in ("train", "validation", "test"):
        class_folders(root / each)
    (root / part / "cat" / "0.png").write_bytes(b"no image")
    assert f"readable: 1 of 10 in the {part} part of {root} are not" in refused(root, tmp_path, part)
    if part == "test":
        with pytest.raises(DatasetError, match="readable: 1 of 10 in the test part of "):
            check_test(find(str(root), AS_NAMED), data_dir=tmp_path, image_size=None, size=(6, 5))


def test_unreadable_images_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets" / "train").parent
    class_folders(root / "test")
    (root / "train" / "cat" / "1.png").write_bytes(b"no image")
    (root / "train" / "dog" / "4.png").write_bytes(good(0)[:50])
    message = refused(root, tmp_path)
    assert "2 of 10" in message and f"cat{os.sep}1.png: not a PNG, JPEG, BMP, WEBP, GIF, TIFF, PPM image" in message
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_a_git_lfs_pointer_is_called_by_its_name(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"
    (root / "cat" / f"{first_kept(root)}.png").write_bytes(pointer)
    assert "a Git LFS pointer" in refused(root, tmp_path)


def test_photos_held_in_any_way_have_one_upright_size(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    picture(9, size=(5, 6)).save(root / "cat" / f"{first_kept(root)}.png", exif=exif)
    train = load(str(root), "train", data_dir=tmp_path)
    assert train.shape == (3, 5, 6)
    assert np.array_equal(train.pixels[0], np.rot90(np.asarray(picture(9, size=(5, 6))), -1).transpose(2, 0, 1))
