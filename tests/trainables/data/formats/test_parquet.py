"""Parquet files: what is read, and what is refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trainables.data.pictures import encoded, good, parquet, picture, refused
from trainables.data import members
from trainables.data.find import survey
from trainables.data.formats import parquet as parquet_format
from trainables.data.formats.format import AS_NAMED, Columns
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


def write_columns(root: Path, **columns: Any) -> Path:
    """A dataset of four images with more columns."""
    image = pq.read_table(parquet(root / "train.parquet", [good(i) for i in range(4)], [0, 1, 0, 1]))["img"]
    pq.write_table(pa.table({"img": image, **columns}), root / "train.parquet")
    return root


IDS, NAMES = [7, 8, 9, 10], ["0.png", "1.png", "2.png", "3.png"]


def test_floats_that_are_whole_numbers_are_labels(tmp_path: Path) -> None:
    root = write_columns(tmp_path / "set", filename=NAMES, label=[0.0, 1.0, 0.0, 1.0])
    assert load(str(root), "train", data_dir=tmp_path).classes == ("0", "1")
    assert survey(str(root), AS_NAMED).labels == "column 'label'"


@pytest.mark.parametrize("name", ["label", "Labels", "class", "target", "category"])
def test_a_column_that_is_called_a_label_decides_or_is_refused(tmp_path: Path, name: str) -> None:
    root = write_columns(tmp_path / "set", image_id=IDS, **{name: [0, 1, 0, 1]})
    assert survey(str(root), AS_NAMED).labels == f"column '{name}'"
    root = write_columns(tmp_path / "set", image_id=IDS, **{name: [[0], [1], [0], [1]]})
    assert f"column '{name}' of" in refused(root, tmp_path)


@pytest.mark.parametrize("name", ["id", "image_id", "filename", "file", "path", "index"])
def test_what_tells_images_apart_is_a_label_only_if_it_is_asked_for(tmp_path: Path, name: str) -> None:
    root = write_columns(tmp_path / "set", **{name: [0, 1, 0, 1]})
    assert f"{name} (int64): choose one with --label NAME" in refused(root, tmp_path)
    assert load(str(root), "train", data_dir=tmp_path, columns=Columns(label=name)).classes == ("0", "1")


def test_the_column_of_labels_can_be_chosen(tmp_path: Path) -> None:
    root = write_columns(tmp_path / "set", fine_label=[0, 1, 2, 2], coarse_label=[0, 1, 0, 1])
    classes = [
        load(str(root), "train", data_dir=tmp_path, columns=Columns(label=name)).classes
        for name in (None, "coarse_label")
    ]
    assert classes == [("0", "1", "2"), ("0", "1")]
    message = refused(root, tmp_path, columns=Columns(label="medium_label"))
    assert "column 'medium_label', as train or --label says" in message and "coarse_label (int64)" in message
    assert "must have the column" in refused(
        root, tmp_path, columns=Columns(label="caf\udce9")
    )  # a byte that is no UTF-8


def test_two_columns_that_could_be_the_labels_or_the_images_need_the_choice(tmp_path: Path) -> None:
    root = write_columns(tmp_path / "set", target=[0, 1, 0, 1], category=[1, 0, 1, 0])
    assert "target (int64), category (int64)): choose one, --label target" in refused(root, tmp_path)
    mask = pa.array([encoded(picture(9))] * 4)
    root = write_columns(tmp_path / "set", label=[0, 1, 0, 1], mask=mask)
    assert "mask (binary)): choose one, --image img" in refused(root, tmp_path)
    masks = load(str(root), "train", data_dir=tmp_path, columns=Columns(image="mask")).pixels
    assert (masks == np.asarray(picture(9)).transpose(2, 0, 1)).all()
    assert "column 'label' of" in refused(root, tmp_path, columns=Columns(image="label"))


def test_shards_that_number_their_classes_in_another_order_are_mapped_by_name(tmp_path: Path) -> None:
    images = [good(i) for i in range(10)]
    parquet(tmp_path / "set" / "train-0.parquet", images[:5], [0, 1, 2, 0, 1], names=("cat", "dog", "owl"))
    parquet(tmp_path / "set" / "train-1.parquet", images[5:], [2, 1, 0, 2, 1], names=("owl", "dog", "cat"))
    parquet(tmp_path / "set" / "test.parquet", images[:1], [1], names=("cat", "dog", "owl"))
    train = load(str(tmp_path / "set"), "train", data_dir=tmp_path)
    assert train.classes == ("cat", "dog", "owl") and train.labels.tolist() == [0, 1, 2, 0, 1] * 2
    parquet(tmp_path / "set" / "train-1.parquet", images[5:], [2, 1, 0, 2, 1], names=("owl", "dog", "emu"))
    assert "train-1.parquet names emu as well" in refused(tmp_path / "set", tmp_path)


@pytest.mark.parametrize("digest", ["", "-0a1b2c3d4e5f6789"])
def test_shards_that_are_not_all_there_are_refused(tmp_path: Path, digest: str) -> None:
    for shard in (0, 2):
        name = f"train-0000{shard}-of-00003{digest and digest + str(shard)}.parquet"
        parquet(tmp_path / "set" / name, [good(0), good(1)], [0, 1])
    message = refused(tmp_path / "set", tmp_path)
    assert "2 of 3 files train-*-of-00003.parquet" in message and message.endswith("the number 00001")


@pytest.mark.parametrize(
    ("train", "validation", "shown"),
    [
        (
            "data/train-00000-of-00001.parquet",
            "data/validation-00000-of-00001.parquet",
            "validation-00000-of-00001.parquet",
        ),
        ("plain_text/train.parquet", "plain_text/val.parquet", "val.parquet"),
        ("train/0000.parquet", "validation/0000.parquet", "validation/"),
        ("default/train/0000.parquet", "default/valid/0000.parquet", "valid/"),
    ],
)
def test_a_validation_part_is_found_in_every_layout(tmp_path: Path, train: str, validation: str, shown: str) -> None:
    parquet(tmp_path / "set" / train, [good(0), good(1)] * 4, [0, 1] * 4)
    parquet(tmp_path / "set" / validation, [good(2), good(3), good(4)], [1, 0, 1])
    assert load(str(tmp_path / "set"), "validation", data_dir=tmp_path).labels.tolist() == [1, 0, 1]
    assert survey(str(tmp_path / "set"), AS_NAMED).validation == shown


def test_a_part_without_parquet_files_beside_train_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train" / "0000.parquet", [good(0), good(1)], [0, 1])
    (tmp_path / "set" / "test").mkdir()
    assert "set/test, the test part, holds none" in refused(tmp_path / "set", tmp_path)


def test_parquet_files_of_no_part_are_named(tmp_path: Path) -> None:
    for name in ("train", "extra", "values"):
        parquet(tmp_path / "set" / f"{name}.parquet", [good(0), good(1)], [0, 1])
    found = survey(str(tmp_path / "set"), AS_NAMED)
    assert found.left_out == ("2 Parquet files of no part (extra.parquet, values.parquet)",)
    assert found.validation is None


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test/0000.parquet"),
        ("data/train.parquet", "test/0000.parquet"),
        ("train.parquet", "data/test.parquet"),
        ("train/0000.parquet", "test.parquet"),
    ],
)
def test_a_part_that_lies_elsewhere_than_train_is_taken_or_refused(tmp_path: Path, train: str, test: str) -> None:
    root = tmp_path / "set"
    parquet(root / train, [good(i) for i in range(10)], [0, 1] * 5)
    parquet(root / test, [good(10), good(11), good(12)], [1, 0, 1])
    assert load(str(root), "test", data_dir=tmp_path).labels.tolist() == [1, 0, 1]
    (root / "val").mkdir()
    picture(0).save(root / "val" / "0.png")
    assert "set/val, the validation part, holds none" in refused(root, tmp_path)


def test_a_part_in_two_places_is_refused(tmp_path: Path) -> None:
    for name in ("train.parquet", "test.parquet", "test/0000.parquet"):
        parquet(tmp_path / "set" / name, [good(i) for i in range(4)], [0, 1] * 2)
    message = refused(tmp_path / "set", tmp_path)
    assert f"one test part, and not both {tmp_path}/set/test.parquet and {tmp_path}/set/test:" in message


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
    monkeypatch.setattr(members, "MOST_UNPACKED", 1 << 20)
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


def test_an_empty_label_is_none(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(i) for i in range(9)], ["pear", "", " "] * 3)
    assert "every image must have a label: 6 of 9" in refused(tmp_path / "set", tmp_path)


def test_one_file_is_train(tmp_path: Path) -> None:
    file = parquet(tmp_path / "images.parquet", [good(i) for i in range(10)], [0, 1] * 5)
    assert [len(load(str(file), part, data_dir=tmp_path)) for part in ("train", "test")] == [8, 2]
    for digest in ("", "-0a1b2c3d4e5f6789"):
        name = f"train-00000-of-00002{digest}.parquet"
        shard = parquet(tmp_path / name, [good(i) for i in range(10)], [0, 1] * 5)
        assert "is one of several: give the folder" in refused(shard, tmp_path)
        file = file.rename(tmp_path / f"train-00000-of-00001{digest}.parquet")
        assert len(load(str(file), "train", data_dir=tmp_path)) == 8


def test_a_git_lfs_pointer_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    assert "a Git LFS pointer" in refused(tmp_path / "set", tmp_path)


def test_a_part_without_a_file_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(i) for i in range(10)], [0, 1] * 5)
    assert "holds no validation images" in refused(tmp_path / "set", tmp_path, "validation")


def test_shards_with_other_columns_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train-0.parquet", [good(0), good(1)], [0, 1])
    parquet(tmp_path / "set" / "train-1.parquet", [good(0), good(1)], [0, 1], label_column="kind")
    assert "train-1.parquet must be a whole Parquet file with the columns" in refused(tmp_path / "set", tmp_path)


def test_shards_may_hold_images_with_and_without_their_paths(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train-0.parquet", [good(0), good(1)], [0, 1])
    parquet(tmp_path / "set" / "train-1.parquet", [good(2), good(3)], [0, 1], plain=True)
    parquet(tmp_path / "set" / "test.parquet", [good(4)], [0], plain=True)
    pixels = load(str(tmp_path / "set"), "train", data_dir=tmp_path).pixels
    assert np.array_equal(pixels, [np.asarray(picture(i)).transpose(2, 0, 1) for i in range(4)])


NAMED = {"labels": [0, 1], "names": ("cat", "dog")}
IN_TEXT = {"labels": ["cat", "dog"]}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (NAMED, IN_TEXT, ("is string in", "and int64 in")),
        (IN_TEXT, NAMED, ("is int64 with class names in", "and string without class names in")),
    ],
)
def test_shards_with_labels_of_two_types_are_refused_with_both(
    tmp_path: Path, first: Any, second: Any, said: tuple[str, str]
) -> None:
    for number, content in enumerate((first, second)):
        parquet(tmp_path / "set" / f"train-{number}.parquet", [good(0), good(1)], **content)
    message = refused(tmp_path / "set", tmp_path)
    root = tmp_path / "set"
    assert f"'label' {said[0]} {root}/train-1.parquet {said[1]} {root}/train-0.parquet" in message


def test_a_parquet_file_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    pq.write_table(pa.table({"x": [1.0], "label": [0]}), tmp_path / "set" / "train.parquet")
    assert "x (double), label (int64)" in refused(tmp_path / "set", tmp_path)


def test_parquet_files_need_one_named_train(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "all.parquet", [good(0), good(1)], [0, 1])
    message = refused(tmp_path / "set", tmp_path)
    assert "train*.parquet" in message and "all.parquet" in message
