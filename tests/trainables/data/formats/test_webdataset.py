"""Tar files of samples, as WebDataset keeps them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.data.pictures import class_folders, good, picture, refused, shard
from trainables.data.find import survey
from trainables.data.formats.format import AS_NAMED, Columns
from trainables.data.load import load


def samples(numbers: Any, *, names: Any = "{:04}", **fields: Any) -> dict[str, Any]:
    """Members of samples: `field` is the content that belongs to each number."""
    members: dict[str, Any] = {}
    for number in numbers:
        key = names.format(number)
        members[f"{key}.png"] = good(number)
        for field, content in fields.items():
            members[f"{key}.{field}"] = content(number)
    return members


def parity(number: int) -> str:
    return f"{number % 2}\n"


def word(number: int) -> str:
    return ("pear", "fig")[number % 2]


def shown(root: Path, folder: Path) -> list[Any]:
    train = load(str(root), "train", data_dir=folder)
    return [train.classes, train.labels.tolist()]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_one_file_is_read(tmp_path: Path, mode: str) -> None:
    shard(tmp_path / "set.tar", samples(range(20), cls=parity), mode)
    parts = [load(str(tmp_path / "set.tar"), part, data_dir=tmp_path) for part in ("train", "test")]
    assert [len(part) for part in parts] == [16, 4] and parts[0].classes == ("0", "1")
    pixels = np.concatenate([part.pixels for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    expected = {good_pixels(number).tobytes(): number % 2 for number in range(20)}
    assert {image.tobytes(): int(label) for image, label in zip(pixels, labels, strict=True)} == expected
    assert survey(str(tmp_path / "set.tar"), AS_NAMED).labels == ".cls files"


def good_pixels(number: int) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture(number)).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("train", "validation", "test", "place"),
    [
        ("train-{:06}.tar", "val-{:06}.tar", "test-{:06}.tar", "val-000000.tar"),
        ("cifar-train-{:06}.tar", "cifar-validation-{:06}.tar", "cifar-test-{:06}.tar", "cifar-validation-000000.tar"),
        ("data/train-{:05}-of-00002.tar", "data/val.tar", "data/test.tar", "val.tar"),
        ("train/{:06}.tar", "valid/{:06}.tar", "test/{:06}.tar", "valid/"),
    ],
)
def test_shards_are_split_by_their_names_or_folders(
    tmp_path: Path, train: str, validation: str, test: str, place: str
) -> None:
    for number in range(2):
        shard(tmp_path / "set" / train.format(number), samples(range(4 * number, 4 * number + 4), cls=word))
    shard(tmp_path / "set" / validation.format(0), samples([81, 82, 83], cls=word))
    shard(tmp_path / "set" / test.format(0), samples([91], cls=word))
    assert shown(tmp_path / "set", tmp_path) == [("fig", "pear"), [1, 0] * 4]
    train_pixels = load(str(tmp_path / "set"), "train", data_dir=tmp_path).pixels
    assert np.array_equal(train_pixels, np.stack([good_pixels(number) for number in range(8)]))
    assert load(str(tmp_path / "set"), "validation", data_dir=tmp_path).labels.tolist() == [0, 1, 0]
    assert load(str(tmp_path / "set"), "test", data_dir=tmp_path).labels.tolist() == [0]
    assert survey(str(tmp_path / "set"), AS_NAMED).validation == place


def test_shards_without_names_of_parts_are_train(tmp_path: Path) -> None:
    for number in range(4):
        shard(tmp_path / "set" / f"{number:06}.tar", samples(range(5 * number, 5 * number + 5), cls=word))
    parts = [load(str(tmp_path / "set"), part, data_dir=tmp_path) for part in ("train", "test")]
    assert [len(part) for part in parts] == [16, 4]


def test_shards_that_are_not_all_there_are_refused(tmp_path: Path) -> None:
    for number in (0, 2):
        shard(tmp_path / "set" / f"train-0000{number}-of-00003.tar", samples(range(4), cls=word))
    assert "2 of 3 files train-*-of-00003.tar" in refused(tmp_path / "set", tmp_path)


@pytest.mark.parametrize("train", ["train-0.tar", "000000.tar"])
def test_a_part_that_lies_elsewhere_than_train_is_taken_or_refused(tmp_path: Path, train: str) -> None:
    shard(tmp_path / "set" / train, samples(range(10), cls=word))
    shard(tmp_path / "set" / "test" / "0.tar", samples([91, 92], cls=word))
    assert load(str(tmp_path / "set"), "test", data_dir=tmp_path).labels.tolist() == [0, 1]
    (tmp_path / "set" / "val").mkdir()
    picture(0).save(tmp_path / "set" / "val" / "0.png")
    assert "set/val, the validation part, holds none" in refused(tmp_path / "set", tmp_path)


def test_samples_without_an_image_that_is_read_are_counted(tmp_path: Path) -> None:
    for part, numbers in (("train", range(10)), ("test", range(10, 16))):
        members = samples(numbers, cls=word, txt=lambda n: "a caption")
        for number in numbers[-3:]:
            members[f"{number:04}.jp2"] = members.pop(f"{number:04}.png")
        shard(tmp_path / "set" / f"{part}.tar", members)
    found = survey(str(tmp_path / "set"), AS_NAMED)
    assert found.left_out == ("6 samples without an image that is read (6 .jp2 and .txt)",)
    assert len(load(str(tmp_path / "set"), "test", data_dir=tmp_path)) == 3


def test_labels_are_a_field_of_json(tmp_path: Path) -> None:
    def both(number: int) -> str:
        return json.dumps({"width": 6, "label": word(number), "shade": number % 3})

    shard(tmp_path / "set" / "train-0.tar", samples(range(6), json=both))
    shard(tmp_path / "set" / "test-0.tar", samples(range(6, 9), json=both))
    assert shown(tmp_path / "set", tmp_path) == [("fig", "pear"), [1, 0] * 3]
    assert survey(str(tmp_path / "set"), AS_NAMED).labels == "field 'label' of .json files"
    asked = {"data_dir": tmp_path, "columns": Columns(label="shade")}
    assert load(str(tmp_path / "set"), "train", **asked).labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert load(str(tmp_path / "set"), "test", **asked).labels.tolist() == [0, 1, 2]
    message = refused(tmp_path / "set", tmp_path, columns=Columns(label="colour"))
    assert "'colour', as train or --label says; it has width, label, shade" in message


def test_points_in_keys_and_fields_of_more_than_one_word_are_told_apart(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", samples(range(20), names="22.{:02}", cls=word))
    assert len(load(str(tmp_path / "a.tar"), "train", data_dir=tmp_path)) == 16
    members = {f"{n:02}.{end}": good(n) if end == "input.png" else word(n) for n in range(20) for end in ENDS}
    shard(tmp_path / "b.tar", members)
    assert len(load(str(tmp_path / "b.tar"), "train", data_dir=tmp_path)) == 16


ENDS = ("input.png", "output.cls")


def test_two_images_in_a_sample_need_the_choice(tmp_path: Path) -> None:
    members = samples(range(20), cls=word) | {f"{n:04}.mask.png": good(500 + n) for n in range(20)}
    shard(tmp_path / "set.tar", members)
    assert "2 images (png, mask.png): choose one, --image png" in refused(tmp_path / "set.tar", tmp_path)
    masks = load(str(tmp_path / "set.tar"), "train", data_dir=tmp_path, columns=Columns(image="mask.png"))
    assert masks.pixels[0].tobytes() in {good_pixels(500 + n).tobytes() for n in range(20)}
    assert "key.depth.png" in refused(tmp_path / "set.tar", tmp_path, columns=Columns(image="depth.png"))


def test_labels_and_images_need_not_lie_side_by_side(tmp_path: Path) -> None:
    members = samples(range(20), cls=word)
    shard(tmp_path / "set.tar", dict(sorted(members.items(), key=lambda each: each[0][-3:])))
    assert len(load(str(tmp_path / "set.tar"), "train", data_dir=tmp_path)) == 16


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cls": lambda n: "" if n == 3 else "1"}, "every image must have a label: 1 of 8"),
        ({"cls": lambda n: f"{n / 7}"}, "labels are whole numbers or names; column 'cls'"),
        ({"cls": lambda n: f"{n}" * 2000}, "at most 1,000 letters"),
        ({"json": lambda n: "{"}, "must be JSON"),
        ({"json": lambda n: "[1]"}, "must hold an object with a field for the label"),
        ({"json": lambda n: json.dumps({"label": [n]})}, "an image has one label"),
        ({"json": lambda n: json.dumps({"caption": "x"})}, "must have a column of labels"),
        ({"txt": lambda n: "a caption"}, "must hold"),
    ],
)
def test_samples_without_a_label_that_can_be_used_are_refused(tmp_path: Path, fields: Any, said: str) -> None:
    shard(tmp_path / "set.tar", samples(range(8), **fields))
    assert said in refused(tmp_path / "set.tar", tmp_path)


def test_a_sample_without_a_label_is_counted(tmp_path: Path) -> None:
    members = samples(range(8), cls=word)
    del members["0003.cls"]
    shard(tmp_path / "set.tar", members)
    assert "every image must have a label: 1 of 8" in refused(tmp_path / "set.tar", tmp_path)


def test_a_part_whose_tar_files_hold_no_samples_is_refused(tmp_path: Path) -> None:
    shard(tmp_path / "set" / "train-0.tar", samples(range(8), cls=word))
    shard(tmp_path / "set" / "test-0.tar", {"0.png": good(0)})
    assert "key.jpg beside key.cls or key.json; " in refused(tmp_path / "set", tmp_path, "test")


@pytest.mark.parametrize("other", ["test", "val"])
def test_a_name_that_says_two_parts_is_refused(tmp_path: Path, other: str) -> None:
    for part in ("train", other):
        shard(tmp_path / "set" / f"test-data-{part}-000.tar", samples(range(10), cls=parity))
    message = refused(tmp_path / "set", tmp_path)
    assert "test-data-train-000.tar does not: it says train and test; rename it" in message


def test_a_name_that_says_two_parts_does_no_harm_beside_class_folders(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set" / "train").parent
    (root / "train-test-logs.tar").write_bytes(b"")
    assert len(load(str(root), "train", data_dir=tmp_path)) == 8
