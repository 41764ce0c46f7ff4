"""Class folders: what is read, and what is refused in one line."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.pictures import class_folders, picture, refused, zipped
from trainables.data.find import survey
from trainables.data.formats.format import AS_NAMED, Columns
from trainables.data.load import load


def test_train_and_test_folders_are_read_in_sorted_order(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    class_folders(root / "train", classes=("dog", "cat"))
    class_folders(root / "test", per_class=1, classes=("dog",))
    train, test = (load(str(root), part, data_dir=tmp_path) for part in ("train", "test"))
    assert train.classes == test.classes == ("cat", "dog")
    assert train.labels.tolist() == [0] * 5 + [1] * 5 and test.labels.tolist() == [1]
    assert train.shape == (3, 5, 6) and train.pixels.dtype == np.uint8 and train.labels.dtype == np.int64
    with Image.open(root / "train" / "dog" / "2.png") as image:
        assert np.array_equal(train.pixels[7], np.asarray(image).transpose(2, 0, 1))


def test_one_folder_of_classes_holds_out_a_fifth_of_each_as_test(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets", per_class=10)
    train, test = (load(str(tmp_path / "pets"), part, data_dir=tmp_path) for part in ("train", "test"))
    assert np.bincount(train.labels).tolist() == [8, 8] and np.bincount(test.labels).tolist() == [2, 2]
    rows = {image.tobytes() for image in train.pixels} | {image.tobytes() for image in test.pixels}
    assert len(rows) == 20


def test_every_file_format_is_decoded(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for i, suffix in enumerate(("jpg", "JPEG", "bmp", "webp")):
        picture(i).save(root / "cat" / f"extra{i}.{suffix}")
    (root / "cat" / "Thumbs.db").write_bytes(b"not an image, and not called one")
    (root / ".hidden").mkdir()
    parts = [load(str(root), part, data_dir=tmp_path) for part in ("train", "test")]
    assert sum(map(len, parts)) == 14


def test_what_systems_leave_beside_images_is_passed_over(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    class_folders(root / "__MACOSX")
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (root / "cat" / name).write_bytes(b"no image")
    assert load(str(root), "train", data_dir=tmp_path).classes == ("cat", "dog")
    assert survey(str(root), AS_NAMED).left_out == ()


def test_images_are_told_by_their_content_and_all_else_is_counted(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for number, (name, kind) in enumerate((("a.tif", "TIFF"), ("b", "PNG"), ("c.img", "BMP"), ("d.jfif", "JPEG"))):
        picture(number).save(root / "cat" / name, kind)
    for name in ("notes.txt", "BM.txt", "photo.heic", "empty"):
        (root / "dog" / name).write_bytes(b"BM begins a bitmap, and this text" if name == "BM.txt" else b"")
    class_folders(root / "dog" / "more")
    picture(9).save(root / "cover.png")
    parts = [load(str(root), part, data_dir=tmp_path) for part in ("train", "test")]
    assert sum(map(len, parts)) == 14
    assert survey(str(root), AS_NAMED).left_out == (
        "4 files that are no images (2 .txt, 1 without a suffix, 1 .heic)",
        "1 image outside class folders",
        "1 folder inside class folders",
    )


def test_raw_files_and_copies_are_no_images_whatever_they_begin_with(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for number, name in enumerate(("0.NEF", "0.dng", "0.cr2")):
        picture(number).save(root / "cat" / name, "TIFF")
    for name in ("0.png.bak", "0.png.orig", "0.png~"):
        (root / "dog" / name).write_bytes((root / "dog" / "0.png").read_bytes())
    expected = ("6 files that are no images (1 .NEF, 1 .cr2, 1 .dng, …)",)
    assert survey(str(root), AS_NAMED).left_out == expected
    assert len(load(str(root), "train", data_dir=tmp_path)) == 8
    assert survey(str(zipped(root, tmp_path / "pets.zip")), AS_NAMED).left_out == expected


def test_links_that_lead_nowhere_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    (root / "cat" / "link.png").symlink_to(root / "dog" / "0.png")
    assert len(load(str(root), "train", data_dir=tmp_path)) == 9
    (root / "dog" / "gone.png").symlink_to("moved-away.png")
    message = refused(root, tmp_path)
    assert "1 in" in message and message.endswith("gone.png")


@pytest.mark.parametrize("folder", ["val", "valid", "Validation"])
def test_a_validation_folder_is_the_validation_part(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "pets"
    class_folders(root / "train")
    class_folders(root / folder, per_class=2, classes=("dog",))
    assert load(str(root), "validation", data_dir=tmp_path).labels.tolist() == [1, 1]
    found = survey(str(root), AS_NAMED)
    assert (found.validation, found.test) == (f"{folder}/", None)
    assert found.line(0.2) == (
        f"labels from folder names (2 classes), validation from {folder}/, test from 20% of train"
    )


def test_parts_by_other_names_and_in_one_more_folder_are_found(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    class_folders(root / "pets" / "Training")
    class_folders(root / "pets" / "Testing", per_class=2)
    class_folders(root / "__MACOSX")
    (root / "README.md").write_text("not an image")
    assert len(load(str(root), "train", data_dir=tmp_path)) == 10
    assert len(load(str(root), "test", data_dir=tmp_path)) == 4


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_part_without_class_folders_is_refused(tmp_path: Path, part: str) -> None:
    root = class_folders(tmp_path / "pets" / "train").parent
    (root / part).mkdir()
    picture(0).save(root / part / "0.png")
    message = refused(root, tmp_path)
    assert f"pets/{part}, the" in message and "no labels" in message


def test_two_folders_of_one_part_are_refused(tmp_path: Path) -> None:
    for part in ("train", "val", "valid"):
        class_folders(tmp_path / "pets" / part)
    assert "one validation part, not val and valid" in refused(tmp_path / "pets", tmp_path)


def test_a_folder_beside_train_that_is_no_part_is_named(tmp_path: Path) -> None:
    for part in ("train", "unlabelled"):
        class_folders(tmp_path / "pets" / part)
    assert survey(str(tmp_path / "pets"), AS_NAMED).left_out == ("1 folder beside train (unlabelled)",)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    class_folders(tmp_path / "vehicles", classes=("car", "plane", "train"))
    assert load(str(tmp_path / "vehicles"), "train", data_dir=tmp_path).classes == ("car", "plane", "train")


def test_a_class_whose_name_is_not_utf_8_is_refused_with_the_name_escaped(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    (root / "dog").rename(root / os.fsdecode(b"caf\xe9"))
    assert "caf\\xe9 has not: rename it" in refused(root, tmp_path)
    old = root.rename(tmp_path / os.fsdecode(b"pets\xe9"))
    assert "pets\\xe9 is not: rename" in refused(old, tmp_path)


def test_class_folders_have_no_columns_to_choose(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    assert "--label and --image" in refused(root, tmp_path, columns=Columns(label="label"))


def test_empty_class_folders_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for name in ("emu", "fox"):
        (root / name).mkdir()
    message = refused(root, tmp_path)
    assert "2 of 4" in message and message.endswith("the first is emu")


def test_folders_in_folders_are_not_guessed_at(tmp_path: Path) -> None:
    for kind, classes in (("mammals", ("cat", "dog")), ("birds", ("hen", "owl"))):
        class_folders(tmp_path / "animals" / kind, classes=classes)
    message = refused(tmp_path / "animals", tmp_path)
    assert "(birds, mammals) hold folders alone, such as birds/hen" in message


def test_a_test_folder_alone_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "test")
    assert "must have a folder train" in refused(tmp_path / "pets", tmp_path)


def test_a_test_class_folder_that_train_lacks_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", classes=("cat", "emu"))
    assert "the first is emu" in refused(tmp_path / "pets", tmp_path, "test")
