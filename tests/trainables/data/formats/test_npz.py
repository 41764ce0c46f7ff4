"""Arrays in an .npz file, as MedMNIST keeps them."""

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.data.pictures import refused
from trainables.data import members
from trainables.data.find import survey
from trainables.data.formats.format import AS_NAMED, Columns
from trainables.data.load import load


def pixels(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def arrays(shape: tuple[int, ...] = (5, 4, 3), **changes: Any) -> dict[str, Any]:
    """The six arrays of a dataset of two classes."""
    found: dict[str, Any] = {}
    for part, count in (("train", 8), ("val", 4), ("test", 2)):
        found[f"{part}_images"] = pixels(count, *shape)
        found[f"{part}_labels"] = (np.arange(count, dtype=np.uint8) % 2)[:, None]
    return {name: array for name, array in (found | changes).items() if array is not None}


def written(file: Path, content: dict[str, Any], *, packed: bool = False) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    (np.savez_compressed if packed else np.savez)(file, **content)
    return str(file)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_the_parts_are_read_grey_or_in_colour(tmp_path: Path, shape: tuple[int, ...], packed: bool) -> None:
    content = arrays(shape)
    file = written(tmp_path / "pathmnist.npz", content, packed=packed)
    for part, prefix in (("train", "train"), ("validation", "val"), ("test", "test")):
        images = load(file, part, data_dir=tmp_path)
        expected = content[f"{prefix}_images"].reshape(-1, 5, 4, shape[2] if shape[2:] else 1).transpose(0, 3, 1, 2)
        assert np.array_equal(images.pixels, expected)
        assert images.labels.tolist() == content[f"{prefix}_labels"][:, 0].tolist() and images.classes == ("0", "1")
    assert survey(file, AS_NAMED).line(0.2) == (
        "labels from train_labels (2 classes), validation from val_images, test from test_images"
    )
    assert load(file, "train", data_dir=tmp_path, image_size=7).pixels.shape == (8, len(expected[0]), 7, 7)


def test_a_folder_with_one_file_is_read_too(tmp_path: Path) -> None:
    written(tmp_path / "med" / "train.npz", arrays())
    (tmp_path / "med" / "README.md").write_text("not an image")
    assert len(load(str(tmp_path / "med"), "train", data_dir=tmp_path)) == 8
    written(tmp_path / "med" / "other.npz", arrays())
    message = refused(tmp_path / "med", tmp_path)
    assert "it holds README.md, other.npz, train.npz: give one of them" in message


def test_without_a_test_part_a_fifth_is_held_out_row_by_row(tmp_path: Path) -> None:
    content = arrays(test_images=None, test_labels=None, val_images=None, val_labels=None)
    file = written(tmp_path / "a.npz", content)
    parts = [load(file, part, data_dir=tmp_path) for part in ("train", "test")]
    assert [len(part) for part in parts] == [6, 2]
    rows = {image.tobytes() for part in parts for image in part.pixels.transpose(0, 2, 3, 1)}
    assert rows == {image.tobytes() for image in content["train_images"]}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(8) % 2, ("0", "1")),
        (np.arange(8) % 2 * 10.0, ("0", "10")),
        (np.array(["pear", "fig"] * 4), ("fig", "pear")),
    ],
)
def test_labels_are_whole_numbers_or_names(tmp_path: Path, labels: np.ndarray, classes: tuple[str, ...]) -> None:
    file = written(tmp_path / "a.npz", {"train_images": pixels(8, 5, 4), "train_labels": labels})
    assert load(file, "train", data_dir=tmp_path).classes == classes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_labels": None}, "must hold the arrays train_images and train_labels"),
        ({"val_labels": None}, "must hold the arrays val_images and val_labels"),
        ({"train_labels": np.zeros((8, 14), np.uint8)}, "8 × 14, which are several labels an image"),
        ({"train_labels": np.arange(7) % 2}, "every image must have a label; .* has 8 and .* 7"),
        ({"train_labels": np.arange(8) / 3}, "labels are whole numbers or names; .* is float64"),
        ({"train_labels": np.arange(8) % 2 == 0}, "labels are whole numbers or names; .* is bool"),
        ({"train_labels": np.array(["pear", "fig", "", " "] * 2)}, "every image must have a label: 4 of 8"),
        ({"train_labels": np.array([object()] * 8)}, "must be a whole array of numbers or names"),
        ({"test_labels": np.array([[0], [7]])}, "every test class must occur in train: 1 .* the first is 7"),
        ({"train_images": pixels(8, 5, 4, 3).astype(np.float32)}, r"uint8 .*is float32 \(8, 5, 4, 3\)"),
        ({"train_images": pixels(8, 3, 5, 4)}, r"\(N, H, W\) or \(N, H, W, 3\); .* is uint8 \(8, 3, 5, 4\)"),
        ({"train_images": pixels(8, 5, 4, 6, 3)}, r"is uint8 \(8, 5, 4, 6, 3\)"),
        ({"train_images": pixels(8, 0, 4)}, "images have 1 to"),
        ({"train_images": np.asfortranarray(pixels(8, 5, 4))}, "column by column"),
        ({"test_images": pixels(2, 6, 6, 3)}, "all images must have one size"),
    ],
)
def test_arrays_of_something_else_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    file = written(tmp_path / "a.npz", arrays(**changes))
    part = "validation" if "val_labels" in changes else next(iter(changes)).partition("_")[0]
    assert re.search(said, refused(file, tmp_path, part))


def test_arrays_of_other_names_are_listed_and_those_of_no_part_are_named(tmp_path: Path) -> None:
    file = written(tmp_path / "mnist.npz", {"x_train": pixels(8, 5, 4), "y_train": np.arange(8)})
    assert "mnist.npz holds x_train, y_train" in refused(file, tmp_path)
    file = written(tmp_path / "more.npz", arrays(weights=np.zeros(3)))
    assert survey(file, AS_NAMED).left_out == ("1 array of no part (weights)",)


def test_there_are_no_columns_to_choose(tmp_path: Path) -> None:
    file = written(tmp_path / "a.npz", arrays())
    assert "holds arrays" in refused(file, tmp_path, columns=Columns(label="label"))


def test_an_array_that_is_shorter_than_its_shape_says_is_refused(tmp_path: Path) -> None:
    file = Path(written(tmp_path / "a.npz", arrays()))
    with zipfile.ZipFile(file) as opened:
        arrays_of = {name: opened.read(name) for name in opened.namelist()}
    with zipfile.ZipFile(file, "w") as opened:
        for name, data in arrays_of.items():
            opened.writestr(name, data[:-9] if name == "train_images.npy" else data)
    assert "as many pixels as its shape says" in refused(file, tmp_path)
    with zipfile.ZipFile(file, "w") as opened:
        for name, data in arrays_of.items():
            opened.writestr(name, data[:4] if name == "train_labels.npy" else data)
    assert "must be a whole array of numbers or names" in refused(file, tmp_path)


def test_arrays_of_nothing_that_unpack_to_more_than_there_is_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MOST_UNPACKED", 1 << 20)
    content = {"train_images": np.zeros((2000, 32, 32), np.uint8), "train_labels": np.arange(2000) % 2}
    assert "times its size" in refused(written(tmp_path / "a.npz", content, packed=True), tmp_path)
