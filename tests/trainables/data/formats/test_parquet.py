"""Parquet files: what is read, and what is refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trainables.data.pictures import encoded, good, parquet, picture, refused
from trainables.data.formats import parquet as parquet_format
from trainables.data.load import load


@pytest.mark.parametrize("folder", ["", "data"])
@pytest.mark.parametrize("plain", [False, True])
def test_parquet_shards_are_read_in_order(tmp_path: Path, folder: str, plain: bool) -> None:
    root = tmp_path / "set"
    images = [encoded(picture(i), "JPEG" if i % 2 else "PNG") for i in range(9)]
    names = ("zebra", "ant", "yak")
    for shard in range(3):
        rows = slice(3 * shard, 3 * shard + 3)
        file = root / folder / f"train-0000{shard}-of-00003.parquet"
        parquet(file, images[rows], [0, 1, 2], names=names, plain=plain, row_group_size=2)
    parquet(root / folder / "test-00000-of-00001.parquet", images[:2], [2, 0], names=names, plain=plain)
    parquet(root / folder / "validation.parquet", [b"broken"], [0], plain=plain)
    train, test = (load(str(root), part, data_dir=tmp_path) for part in ("train", "test"))
    assert train.classes == test.classes == names
    assert train.labels.tolist() == [0, 1, 2] * 3 and test.labels.tolist() == [2, 0]
    for i in (0, 4, 8):
        assert np.array_equal(train.pixels[i], np.asarray(picture(i)).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (["pear", "fig", "pear"], ("fig", "pear"), [1, 0, 1]),
        ([10, 2, 10], ("2", "10"), [1, 0, 1]),
        (pa.array(["pear", "fig", "pear"]).dictionary_encode(), ("fig", "pear"), [1, 0, 1]),
    ],
)
def test_without_class_names_the_sorted_labels_are_the_classes(
    tmp_path: Path, labels: Any, classes: tuple[str, ...], numbers: list[int]
) -> None:
    images = [encoded(picture(i)) for i in range(3)]
    for part in ("train", "test"):
        parquet(tmp_path / "set" / f"{part}.parquet", images, labels, label_column="kind")
    train = load(str(tmp_path / "set"), "train", data_dir=tmp_path)
    assert train.classes == classes and train.labels.tolist() == numbers


def test_a_well_known_label_column_is_preferred_among_several(tmp_path: Path) -> None:
    file = parquet(tmp_path / "set" / "train.parquet", [encoded(picture(i)) for i in range(4)], [0, 1, 0, 1])
    table = pq.read_table(file)
    columns = {"coarse_label": [5] * 4, "img": table["img"], "fine_label": table["label"], "id": list("abcd")}
    pq.write_table(pa.table(columns), file)
    assert load(str(tmp_path / "set"), "train", data_dir=tmp_path).classes == ("0", "1")
    pq.write_table(pa.table(columns).drop_columns("fine_label"), file)
    message = refused(tmp_path / "set", tmp_path)
    assert "coarse_label (int64)" in message and "fine_label" in message and "id (string)" in message


def test_a_path_inside_a_parquet_file_is_never_opened(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "secret.png")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 4
    (tmp_path / "set").mkdir()
    pq.write_table(pa.table({"img": pa.array(rows, kind), "label": [0, 1] * 2}), tmp_path / "set" / "train.parquet")
    message = refused(tmp_path / "set", tmp_path)
    assert "every label must have an image: 3 of 3" in message and "secret" not in message


def repeated(value: Any, count: int) -> pa.Array:
    """A column of one value, which a Parquet file holds once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([value]))


def write_repeated(root: Path, image: bytes, labels: Any) -> None:
    root.mkdir()
    columns = {"img": repeated(image, len(labels)), "label": labels}
    pq.write_table(pa.table(columns), root / "train.parquet", store_schema=False)


def test_a_parquet_file_that_unpacks_to_far_more_than_images_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_format, "MOST_UNPACKED", 1 << 20)
    write_repeated(tmp_path / "set", bytes(1 << 16), [0, 1] * 200)
    assert "more than 100 times its size" in refused(tmp_path / "set", tmp_path)


def test_a_label_that_is_no_name_is_refused(tmp_path: Path) -> None:
    write_repeated(tmp_path / "set", good(0), repeated("x" * 1001, 400))
    assert "at most 1,000 letters" in refused(tmp_path / "set", tmp_path)


def test_more_rows_than_a_dataset_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_format, "MOST_ROWS", 5)
    for number in range(2):
        parquet(tmp_path / "set" / f"train-{number}.parquet", [good(0), good(1), good(2)], [0, 1, 0])
    assert "at most 5 images" in refused(tmp_path / "set", tmp_path)


def test_files_that_are_not_parquet_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.parquet").write_bytes(b"PAR1 and nothing more")
    assert "must be a whole Parquet file" in refused(tmp_path / "set", tmp_path)


def test_shards_with_other_columns_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train-0.parquet", [good(0), good(1)], [0, 1])
    parquet(tmp_path / "set" / "train-1.parquet", [good(0), good(1)], [0, 1], label_column="kind")
    assert "train-1.parquet must be a whole Parquet file with the columns" in refused(tmp_path / "set", tmp_path)
    parquet(tmp_path / "set" / "train-1.parquet", [good(0), good(1)], [0, 1], plain=True)
    assert "train-1.parquet must be a whole Parquet file with the columns" in refused(tmp_path / "set", tmp_path)


def test_a_parquet_file_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    pq.write_table(pa.table({"x": [1.0], "label": [0]}), tmp_path / "set" / "train.parquet")
    assert "x (double), label (int64)" in refused(tmp_path / "set", tmp_path)


def test_parquet_files_need_one_named_train(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "all.parquet", [good(0), good(1)], [0, 1])
    message = refused(tmp_path / "set", tmp_path)
    assert "train*.parquet" in message and "all.parquet" in message
