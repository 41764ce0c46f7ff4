"""Datasets by name and by path: what is read, what is not read, and what is refused in one line."""

import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.data import decode, readers
from trainables.data.datasets import DATASETS, SUPERCLASSES, DatasetError, fingerprint, load, split

CIFAR10 = Path(os.environ.get("HPSEARCH_CIFAR10", Path(__file__).parents[3] / "shared" / "data" / "cifar10"))


def picture(seed: int, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> Image.Image:
    """Make a random image; size is (width, height)."""
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(image: Image.Image, file_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


def class_folders(root: Path, per_class: int = 5, classes: Sequence[str] = ("cat", "dog"), **kind: Any) -> Path:
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            picture(100 * number + i, **kind).save(root / name / f"{i}.png")
    return root


def parquet(
    file: Path,
    images: Sequence[bytes | None],
    labels: Sequence[Any],
    *,
    names: Sequence[str] = (),
    label_column: str = "label",
    plain: bool = False,
    **options: Any,
) -> Path:
    """Write a Parquet file of images as the `datasets` library does, or with a plain binary column."""
    column = list(images) if plain else [image and {"bytes": image, "path": "0.png"} for image in images]
    kind = pa.binary() if plain else pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(column, kind), label_column: pa.array(labels)})
    if names:
        features = {"img": {"_type": "Image"}, label_column: {"_type": "ClassLabel", "names": list(names)}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, **options)
    return file


def refused(dataset: Path | str, data_dir: Path, part: Any = "train", **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        load(str(dataset), part, data_dir=data_dir, **options)
    message = str(caught.value)
    assert "\n" not in message and "0x" not in message
    return message


# Class folders


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


def first_kept(root: Path) -> int:
    labels = np.repeat([0, 1], [len(list((root / name).iterdir())) for name in ("cat", "dog")])
    return int(split(labels, readers.TEST_SHARE, readers.TEST_SEED)[0][0])


def test_a_test_part_of_another_size_than_train_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", size=(9, 9))
    assert "6×5, 9×9" in refused(tmp_path / "pets", tmp_path, "test")


# Which images are read


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
    rows = dict(zip(("train", "test"), split(labels, readers.TEST_SHARE, readers.TEST_SEED), strict=True))
    images = [encoded(picture(i)) for i in range(20)]
    for row in rows["test" if part == "train" else "train"]:
        images[row] = images[row][:60]  # the header is whole, the pixels are gone
    parquet(tmp_path / "pets" / "train.parquet", images, labels.tolist(), row_group_size=3)
    loaded = load(str(tmp_path / "pets"), part, data_dir=tmp_path)
    expected = [np.asarray(picture(int(row))).transpose(2, 0, 1) for row in rows[part]]
    assert np.array_equal(loaded.pixels, np.stack(expected))
    assert np.array_equal(loaded.labels, labels[rows[part]])


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


# Parquet files


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


def broken_parquet(root: Path, images: Callable[[int], bytes | None], labels: Sequence[Any], **options: Any) -> Path:
    parquet(root / "train.parquet", [images(i) for i in range(len(labels))], labels, **options)
    parquet(root / "test.parquet", [encoded(picture(0))], [labels[0]], **options)
    return root


def good(seed: int) -> bytes:
    return encoded(picture(seed))


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
        (good, [0, 1, None], {}, "must have a label: 1 of 3 .*row 2"),
        (good, [0, 1, 7], {"names": ("cat", "dog")}, r"must lie in 0\.\.1, one a class name, not 7"),
        (good, [0.5, 1.5], {}, "one integer or string column .*label .double"),
    ],
)
def test_an_unclean_parquet_file_is_refused(
    tmp_path: Path, images: Any, labels: Any, options: dict[str, Any], message: str
) -> None:
    root = broken_parquet(tmp_path / "set", images, labels, **options)
    with pytest.raises(DatasetError, match=message):
        load(str(root), "train", data_dir=tmp_path)
    refused(root, tmp_path)


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
    monkeypatch.setattr(readers, "MOST_UNPACKED", 1 << 20)
    write_repeated(tmp_path / "set", bytes(1 << 16), [0, 1] * 200)
    assert "more than 100 times its size" in refused(tmp_path / "set", tmp_path)


def test_a_label_that_is_no_name_is_refused(tmp_path: Path) -> None:
    write_repeated(tmp_path / "set", good(0), repeated("x" * 1001, 400))
    assert "at most 1,000 letters" in refused(tmp_path / "set", tmp_path)


def test_more_rows_than_a_dataset_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_ROWS", 5)
    for number in range(2):
        parquet(tmp_path / "set" / f"train-{number}.parquet", [good(0), good(1), good(2)], [0, 1, 0])
    assert "at most 5 images" in refused(tmp_path / "set", tmp_path)


def test_an_image_of_more_pixels_than_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MOST_PIXELS", 29)
    assert "6×5 are more than 29 pixels" in refused(class_folders(tmp_path / "pets"), tmp_path)


def test_more_images_than_fit_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 0}[name])
    message = refused(class_folders(tmp_path / "pets"), tmp_path)
    assert "8 images of 6×5" in message and "--image-size" in message


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


@pytest.mark.parametrize(
    ("names", "test_names", "label", "message"),
    [
        ((), (), 5, "occur in train: 1 in .* the first is 5"),
        (("cat", "dog", "emu"), ("cat", "dog", "emu"), 2, "the first is emu"),
        (("cat", "dog"), ("dog", "cat"), 0, "same class names in the same order"),
        (("cat", "dog"), (), -1, "the first is -1"),
    ],
)
def test_test_classes_must_be_train_classes(
    tmp_path: Path, names: Any, test_names: Any, label: int, message: str
) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(0), good(1)], [0, 1], names=names)
    parquet(tmp_path / "set" / "test.parquet", [good(0)], [label], names=test_names)
    with pytest.raises(DatasetError, match=message):
        load(str(tmp_path / "set"), "test", data_dir=tmp_path)


def test_a_test_file_without_rows_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "train.parquet", [good(0), good(1)], [0, 1])
    parquet(tmp_path / "set" / "test.parquet", [], pa.array([], pa.int64()))
    assert "must hold images" in refused(tmp_path / "set", tmp_path, "test")


# Folders that are no dataset


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    message = refused("cifar1000", tmp_path)
    assert all(name in message for name in DATASETS) and "'cifar1000'" in message and "folder that exists" in message


@pytest.mark.parametrize("path", ["x" * 5000, "~no-such-user/x", "a\0b", "\ud800"])
def test_what_can_be_no_path_is_refused(tmp_path: Path, path: str) -> None:
    assert "folder that exists" in refused(path, tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "class folders with images or Parquet files" in refused(tmp_path / "nothing", tmp_path / "data")


def test_empty_class_folders_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for name in ("emu", "fox"):
        (root / name).mkdir()
    message = refused(root, tmp_path)
    assert "2 of 4" in message and message.endswith("the first is emu")


def test_one_class_is_refused(tmp_path: Path) -> None:
    assert "two classes" in refused(class_folders(tmp_path / "pets", classes=("cat",)), tmp_path)


def test_a_test_folder_alone_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "test")
    assert "must have a folder train" in refused(tmp_path / "pets", tmp_path)


def test_a_test_class_folder_that_train_lacks_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", classes=("cat", "emu"))
    assert "the first is emu" in refused(tmp_path / "pets", tmp_path, "test")


def test_unreadable_images_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets" / "train").parent
    class_folders(root / "test")
    (root / "train" / "cat" / "1.png").write_bytes(b"no image")
    (root / "train" / "dog" / "4.png").write_bytes(good(0)[:50])
    message = refused(root, tmp_path)
    assert "2 of 10" in message and f"cat{os.sep}1.png: not a PNG, JPEG, BMP, WEBP image" in message
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_an_image_size_below_one_is_refused(tmp_path: Path) -> None:
    assert "at least 1 pixel, not 0" in refused("digits", tmp_path, image_size=0)


# Known names


def test_digits_are_a_grey_set_with_a_stratified_test_part(tmp_path: Path) -> None:
    train, test = (load("digits", part, data_dir=tmp_path) for part in ("train", "test"))
    assert (len(train), len(test)) == (1438, 359)
    assert train.shape == test.shape == (1, 16, 16)
    assert train.classes == tuple("0123456789")
    assert train.pixels.max() == 255 and train.pixels.min() == 0
    shares = np.bincount(test.labels) / (np.bincount(train.labels) + np.bincount(test.labels))
    assert (np.abs(shares - 0.2) < 0.006).all()
    assert load("digits", "test", data_dir=tmp_path, image_size=8).shape == (1, 8, 8)


def test_the_superclasses_partition_a_hundred_classes() -> None:
    fine = [name for members in SUPERCLASSES.values() for name in members]
    assert len(SUPERCLASSES) == 20 and len(set(fine)) == len(fine) == 100
    assert list(SUPERCLASSES) == sorted(SUPERCLASSES)


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def write_cifar(folder: Path, kind: Any, monkeypatch: pytest.MonkeyPatch, label_key: str, names: Sequence[str]) -> None:
    """Write files as CIFAR's authors do, one image a class and file, and let torchvision expect their checksums."""
    folder = folder / kind.base_folder
    folder.mkdir(parents=True)
    for parts in ("train_list", "test_list"):
        checked = []
        for seed, (name, _) in enumerate(getattr(kind, parts)):
            pixels = np.random.default_rng(seed).integers(0, 256, (len(names), 3072), dtype=np.uint8)
            (folder / name).write_bytes(pickle.dumps({"data": pixels, label_key: list(range(len(names)))}))
            checked.append([name, md5(folder / name)])
        monkeypatch.setattr(kind, parts, checked)
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: list(names)}))
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})


def test_cifar10_is_read_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from torchvision.datasets import CIFAR10 as KIND

    names = [f"class{i}" for i in range(10)]
    write_cifar(tmp_path, KIND, monkeypatch, "labels", names)
    train, test = (load("cifar10", part, data_dir=tmp_path) for part in ("train", "test"))
    assert (len(train), len(test)) == (50, 10) and train.shape == (3, 32, 32) and train.classes == tuple(names)
    raw = np.random.default_rng(0).integers(0, 256, (10, 3072), dtype=np.uint8)
    assert np.array_equal(test.pixels, raw.reshape(10, 3, 32, 32))
    assert test.labels.tolist() == list(range(10))
    assert load("cifar10", "test", data_dir=tmp_path, image_size=9).shape == (3, 9, 9)
    assert capfd.readouterr() == ("", "")


def test_cifar100_has_fine_and_coarse_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR100 as KIND

    fine_names = sorted(name for members in SUPERCLASSES.values() for name in members)
    write_cifar(tmp_path, KIND, monkeypatch, "fine_labels", fine_names)
    fine = load("cifar100", "train", data_dir=tmp_path)
    coarse = load("cifar100-coarse", "train", data_dir=tmp_path)
    assert fine.classes == tuple(fine_names) and coarse.classes == tuple(SUPERCLASSES)
    assert np.array_equal(fine.pixels, coarse.pixels)
    assert np.bincount(coarse.labels).tolist() == [5] * 20
    for name, superclass in (("whale", "aquatic_mammals"), ("maple_tree", "trees"), ("tank", "vehicles_2")):
        assert coarse.classes[coarse.labels[fine_names.index(name)]] == superclass


def write_fashion(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write files as Fashion-MNIST's authors do, and let their checksums be the known ones."""
    from torchvision.datasets import FashionMNIST

    folder = folder / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 20), ("t10k", 10)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        images = gzip.compress(struct.pack(">4i", 2051, count, 28, 28) + pixels.tobytes())
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">2i", 2049, count) + labels.tobytes())
        )
    monkeypatch.setattr(FashionMNIST, "resources", [(n, md5(folder / n)) for n, _ in FashionMNIST.resources])
    return folder


def test_fashion_mnist_is_read_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path, monkeypatch)
    test = load("fashion-mnist", "test", data_dir=tmp_path)
    assert test.shape == (1, 28, 28) and test.labels.tolist() == list(range(10)) and "Sneaker" in test.classes
    assert np.array_equal(test.pixels[:, 0], np.random.default_rng(10).integers(0, 256, (10, 28, 28), dtype=np.uint8))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # made at the first request, with the proxies of then


def test_an_archive_with_another_checksum_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    folder = write_fashion(tmp_path, monkeypatch)
    (folder / "train-images-idx3-ubyte").write_bytes(b"unpacked by somebody")
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"other images"))
    assert f"into {folder}, " in refused("fashion-mnist", tmp_path)


def test_what_an_archive_would_write_outside_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    from torchvision.datasets import CIFAR10 as KIND

    (tmp_path / "data").mkdir()
    archive = tmp_path / "data" / KIND.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    assert "which failed" in refused("cifar10", tmp_path / "data")
    monkeypatch.setattr(KIND, "tgz_md5", md5(archive))
    assert "outside" in refused("cifar10", tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize(
    ("name", "file", "folder"),
    [
        ("cifar10", "cifar-10-python.tar.gz", ""),
        ("cifar100", "cifar-100-python.tar.gz", ""),
        ("cifar100-coarse", "cifar-100-python.tar.gz", ""),
        ("fashion-mnist", "t10k-labels-idx1-ubyte.gz", "FashionMNIST/raw"),
    ],
)
def test_without_a_network_the_message_says_what_to_fetch_and_what_works(
    tmp_path: Path, no_network: None, capfd: pytest.CaptureFixture[str], name: str, file: str, folder: str
) -> None:
    message = refused(name, tmp_path)
    assert name in message and file in message and "--dataset digits" in message
    assert f"into {tmp_path / folder}, " in message
    assert capfd.readouterr() == ("", "")


# Real images


@pytest.mark.skipif(not CIFAR10.is_dir(), reason="needs CIFAR-10 as Parquet files; set HPSEARCH_CIFAR10")
def test_the_real_cifar10_is_read(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    test = load(str(CIFAR10), "test", data_dir=tmp_path, progress=lambda *done: seen.append(done))
    assert test.pixels.shape == (10000, 3, 32, 32)
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert test.classes[0] == "airplane" and test.classes[9] == "truck"
    assert seen[0] == (500, 10000) and seen[-1] == (10000, 10000)
    assert 100 < test.pixels.mean() < 140
