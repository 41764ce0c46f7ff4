"""Datasets that are not clean: one line that says the rule and the first image or row that breaks it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.end_to_end.bad_input.cases import Refused, folder_of_images, says


def empty() -> Path:
    Path("empty").mkdir()
    return Path("empty")


def unreadable() -> Path:
    root = folder_of_images("cat", "dog")
    for file in (root / "cat").iterdir():
        file.write_text("a cat")
    return root


def parquet(**columns: Any) -> Path:
    Path("table").mkdir()
    pq.write_table(pa.table(columns), "table/train.parquet")
    return Path("table")


def csv(name: str) -> Path:
    Path("csv").mkdir()
    Path("csv", name).write_text("image,label\na.png,0\n")
    return Path("csv")


DATASETS = [
    (lambda: "imagenet", ("'imagenet'", "cifar100", "digits", "folder")),
    (lambda: "", ("''", "digits")),
    (lambda: "x" * 5000, ("digits",)),
    (lambda: "~no-such-user/images", ("~no-such-user", "digits")),
    (lambda: "no such folder", ("no such folder", "digits")),
    (lambda: "own.py", ("own.py", "class folders", ".npz", "something else")),
    (empty, ("empty", "class folders", "Parquet")),
    (lambda: folder_of_images("cat"), ("my images", "at least two classes", "1")),
    (lambda: folder_of_images("cat", "dog", sizes=()), ("every class folder must hold images", "2 of 2", "cat")),
    (lambda: folder_of_images("cat", "dog", sizes=(8,)), ("at least two images",)),
    (lambda: folder_of_images("cat", "dog", sizes=(8, 9, 8, 9)), ("one size", "8×8", "9×9", "--image-size")),
    (unreadable, ("every image must be readable", "3 of 6", "the first is", "my images/cat/", "PNG")),
    (lambda: parquet(label=[0, 1]), ("train.parquet", "column of encoded images", "label (int64)")),
    (lambda: parquet(image=[b""] * 2), ("train.parquet", "labels", "image (binary)")),
    (lambda: parquet(image=[b"", None] * 9, label=[0, 1] * 9), ("label must have an image", "have none")),
    (lambda: parquet(image=[b""] * 4, label=[0, 1, 0, None]), ("must have a label", "1 of 4", "row 3")),
    (lambda: parquet(image=[b""] * 4, label=[[0], [1]] * 2, image_id=[0, 1] * 2), ("'label'", "list", "--label")),
    (lambda: parquet(image=[b""] * 4, mask=[b""] * 4, label=[0, 1] * 2), ("image (binary), mask", "--image image")),
    (lambda: csv("train.csv"), ("csv", "class folders", "train*.parquet")),
    (lambda: csv("train.parquet"), ("train.parquet", "Parquet")),
    (lambda: csv("data.parquet"), ("train*.parquet", "data.parquet")),
]


@pytest.mark.parametrize(("make", "parts"), DATASETS)
def test_a_dataset_that_is_not_clean_is_refused(launch: Refused, make: Callable[[], object], parts: tuple[str, ...]):
    says(launch("--space", "cnn5", "--dataset", make()), *parts)


def test_a_share_to_hold_out_is_refused_where_validation_images_are_given(launch: Refused):
    for part in ("train", "val"):
        folder_of_images("cat", "dog", root=f"my images/{part}")
    asked = ("--space", "cnn5", "--dataset", "my images")
    says(launch(*asked, "--validation", "0.2"), "--validation", "my images", "in val/", "leave --validation out")


def test_a_known_dataset_has_no_columns_to_choose(launch: Refused):
    says(launch("--label", "coarse_label"), "--label", "digits")


def test_without_network_and_data_the_line_says_what_to_fetch_and_what_works_without(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    line = refused("launch", "--dataset", "cifar100", "--data-dir", "data")
    says(line, "cifar100", str(Path("data").resolve()), "https://", "cifar-100-python.tar.gz", "--dataset digits")


@pytest.mark.parametrize(("size", "parts"), [("100000", ("100000", "1438")), ("5", ("5", "10"))])
def test_a_subset_larger_than_the_dataset_or_smaller_than_its_classes_is_refused(
    launch: Refused, size: str, parts: tuple[str, ...]
):
    says(launch("--limit-train", size), *parts)
