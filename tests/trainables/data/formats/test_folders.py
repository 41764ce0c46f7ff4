"""Class folders: what is read, and what is refused in one line."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.trainables.data.pictures import class_folders, picture, refused
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


def test_empty_class_folders_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for name in ("emu", "fox"):
        (root / name).mkdir()
    message = refused(root, tmp_path)
    assert "2 of 4" in message and message.endswith("the first is emu")


def test_a_test_folder_alone_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "test")
    assert "must have a folder train" in refused(tmp_path / "pets", tmp_path)


def test_a_test_class_folder_that_train_lacks_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", classes=("cat", "emu"))
    assert "the first is emu" in refused(tmp_path / "pets", tmp_path, "test")
