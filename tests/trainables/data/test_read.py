"""Which images are read for a part, and which labels a dataset may have."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.trainables.data.pictures import class_folders, encoded, good, parquet, picture, refused
from trainables.data.find import survey
from trainables.data.formats.format import AS_NAMED
from trainables.data.images import DatasetError
from trainables.data.load import load
from trainables.data.read import TEST_SEED, TEST_SHARE
from trainables.data.split import split


def test_train_is_loaded_without_a_look_at_test_images(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    class_folders(root / "train")
    class_folders(root / "test")
    for file in (root / "test").rglob("*.png"):
        file.write_bytes(b"broken")
    assert len(load(str(root), "train", data_dir=tmp_path)) == 10
    assert "10 of 10" in refused(root, tmp_path, "test")


def test_test_is_loaded_without_decoding_train_images(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    class_folders(root / "train")
    class_folders(root / "test")
    for file in (root / "train").rglob("*.png"):
        file.write_bytes(file.read_bytes()[:60])
    assert len(load(str(root), "test", data_dir=tmp_path)) == 10
    assert "10 of 10" in refused(root, tmp_path, "train")


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_held_out_part_is_loaded_without_the_other(tmp_path: Path, part: Any) -> None:
    labels = np.repeat([0, 1], 10)
    rows = dict(zip(("train", "test"), split(labels, TEST_SHARE, TEST_SEED), strict=True))
    images = [encoded(picture(i)) for i in range(20)]
    for row in rows["test" if part == "train" else "train"]:
        images[row] = images[row][:60]  # the header is whole, the pixels are gone
    parquet(tmp_path / "pets" / "train.parquet", images, labels.tolist(), row_group_size=3)
    loaded = load(str(tmp_path / "pets"), part, data_dir=tmp_path)
    expected = [np.asarray(picture(int(row))).transpose(2, 0, 1) for row in rows[part]]
    assert np.array_equal(loaded.pixels, np.stack(expected))
    assert np.array_equal(loaded.labels, labels[rows[part]])


def broken_parquet(root: Path, images: Callable[[int], bytes | None], labels: Sequence[Any], **options: Any) -> Path:
    parquet(root / "train.parquet", [images(i) for i in range(len(labels))], labels, **options)
    parquet(root / "test.parquet", [encoded(picture(0))], [labels[0]], **options)
    return root


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        (lambda i: None if i == 2 else good(i), [0, 1, 0, 1], {}, "label must have an image: 1 of 4 .*row 2 of"),
        (
            lambda i: good(i)[: 90 - 80 * (i == 1)],
            [0, 1, 0],
            {},
            r"image must be readable: 3 of 3 .*row 0 of .*parquet: ",
        ),
        (lambda i: b"GIF89a" if i == 1 else good(i), [0, 1, 0], {}, "readable: 1 of 3 .*row 1 of .*not a PNG, JPEG"),
        (good, [0, 0, 0], {}, "at least two classes"),
        (good, [0, 1, None], {}, "must have a label: 1 of 3 in the train part of .*row 2"),
        (good, [0, 1, 7], {"names": ("cat", "dog")}, r"must lie in 0\.\.1, one a class name, not 7"),
        (good, [0.5, 1.5], {}, "column 'label' of .* is double and holds others .*0.5"),
        (good, [1.0, float("nan")], {}, "column 'label' of .* is double and holds others"),
        (good, [[0], [1]], {}, "column 'label' of .* is list<element: int64>: choose another column with --label"),
        (good, [True, False], {}, "column 'label' of .* is bool"),
        (good, [0, 1], {"names": ("cat", "\ud800")}, r"name in UTF-8, which '.ud800'"),
    ],
)
def test_an_unclean_parquet_file_is_refused(
    tmp_path: Path, images: Any, labels: Any, options: dict[str, Any], message: str
) -> None:
    root = broken_parquet(tmp_path / "set", images, labels, **options)
    with pytest.raises(DatasetError, match=message):
        load(str(root), "train", data_dir=tmp_path)
    refused(root, tmp_path)


@pytest.mark.parametrize(
    ("names", "test_names", "label", "message"),
    [
        ((), (), 5, "occur in train: 1 in .* the first is 5"),
        (("cat", "dog", "emu"), ("cat", "dog", "emu"), 2, "the first is emu"),
        (("cat", "dog"), ("cat", "emu"), 1, "the first is emu"),
        (("cat", "dog"), (), -1, "the first is -1, which stands for a label that is not shared"),
        (("cat", "dog"), ("cat", "dog"), -1, "the first is -1"),
    ],
)
def test_test_classes_must_be_train_classes(
    tmp_path: Path, names: Any, test_names: Any, label: int, message: str
) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(0), good(1)], [0, 1], names=names)
    parquet(tmp_path / "set" / "test.parquet", [good(0)], [label], names=test_names)
    with pytest.raises(DatasetError, match=message):
        load(str(tmp_path / "set"), "test", data_dir=tmp_path)
    with pytest.raises(DatasetError, match=message):
        survey(str(tmp_path / "set"), AS_NAMED)


def test_test_labels_are_mapped_by_name(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(0), good(1)], [0, 1], names=("cat", "dog"))
    parquet(tmp_path / "set" / "test.parquet", [good(2), good(3), good(4)], [0, 0, 1], names=("dog", "cat"))
    assert load(str(tmp_path / "set"), "test", data_dir=tmp_path).labels.tolist() == [1, 1, 0]


def test_another_part_never_takes_its_labels_from_another_column(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(0), good(1)], [0, 1])
    parquet(tmp_path / "set" / "test.parquet", [good(2), good(3)], [0, 1], label_column="number")
    with pytest.raises(DatasetError, match="test.parquet must have the column 'label', as train"):
        survey(str(tmp_path / "set"), AS_NAMED)


def test_a_test_file_without_rows_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(0), good(1)], [0, 1])
    parquet(tmp_path / "set" / "test.parquet", [], pa.array([], pa.int64()))
    assert "must hold images" in refused(tmp_path / "set", tmp_path, "test")


def test_one_class_is_refused(tmp_path: Path) -> None:
    assert "two classes" in refused(class_folders(tmp_path / "pets", classes=("cat",)), tmp_path)
