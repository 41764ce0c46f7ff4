"""Images beside a file that names them and their labels."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.data.pictures import class_folders, picture, refused, zipped
from trainables.data.find import survey
from trainables.data.formats.format import AS_NAMED, Columns
from trainables.data.load import load

Rows = Sequence[Mapping[str, Any]]


def images(root: Path, names: Sequence[str]) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(root / name)
    return root


def table(root: Path, rows: Rows, name: str = "metadata.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    if name.endswith(".csv"):
        lines = [",".join(rows[0]), *(",".join("" if v is None else str(v) for v in row.values()) for row in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    (root / name).write_text("\n".join(lines) + "\n")
    return root


def labelled(names: Sequence[str], **columns: Sequence[Any]) -> Rows:
    return [
        {"file_name": name, **{column: values[row] for column, values in columns.items()}}
        for row, name in enumerate(names)
    ]


NAMES = [f"{number}.png" for number in range(10)]
KINDS = ["pear", "fig"] * 5


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
@pytest.mark.parametrize("kinds", [KINDS, [10, 2] * 5])
def test_a_folder_without_parts_is_read_in_the_order_of_its_rows(tmp_path: Path, name: str, kinds: Any) -> None:
    root = table(images(tmp_path / "set", NAMES), labelled(NAMES, label=kinds)[::-1], name)
    train, test = (load(str(root), part, data_dir=tmp_path) for part in ("train", "test"))
    assert train.classes == tuple(str(each) for each in sorted(set(kinds))) and len(train) == len(test) * 4 == 8
    pixels = {
        image.tobytes(): label for part in (train, test) for image, label in zip(part.pixels, part.labels, strict=True)
    }
    expected = [np.ascontiguousarray(np.asarray(picture(number)).transpose(2, 0, 1)).tobytes() for number in range(10)]
    assert [train.classes[pixels[image]] for image in expected] == [str(each) for each in kinds]
    assert survey(str(root), AS_NAMED).labels == f"column 'label' of {name}"


@pytest.mark.parametrize("layout", ["one file", "a file a part"])
def test_parts_are_folders(tmp_path: Path, layout: str) -> None:
    root = tmp_path / "set"
    for part, count in (("train", 6), ("validation", 4), ("test", 2)):
        images(root / part, NAMES[:count])
        if layout == "a file a part":
            table(root / part, labelled(NAMES[:count], label=KINDS[:count]))
    names = [
        f"{part}/{name}" for part, count in (("train", 6), ("validation", 4), ("test", 2)) for name in NAMES[:count]
    ]
    if layout == "one file":
        table(root, labelled(names, label=[KINDS[int(Path(name).stem)] for name in names]))
    parts = [load(str(root), part, data_dir=tmp_path) for part in ("train", "validation", "test")]
    assert [part.labels.tolist() for part in parts] == [[1, 0] * 3, [1, 0] * 2, [1, 0]]
    assert survey(str(root), AS_NAMED).line(0.2) == (
        "labels from column 'label' of metadata.csv (2 classes), validation from validation/, test from test/"
    )


def test_names_that_speak_of_parts_do_not_make_parts(tmp_path: Path) -> None:
    names = [f"{word} {number}.png" for word in ("photo of a train", "test tubes", "train") for number in range(4)]
    root = table(images(tmp_path / "set", names), labelled(names, label=KINDS + KINDS[:2]))
    assert sum(len(load(str(root), part, data_dir=tmp_path)) for part in ("train", "test")) == 12


def test_the_column_of_labels_can_be_chosen(tmp_path: Path) -> None:
    rows = labelled(NAMES, target=KINDS, category=["a"] * 5 + ["b"] * 5)
    root = table(images(tmp_path / "set", NAMES), rows)
    assert "2 columns that could be the labels (target, category)" in refused(root, tmp_path)
    asked = load(str(root), "train", data_dir=tmp_path, columns=Columns(label="category"))
    assert asked.classes == ("a", "b")
    assert "'shape', as train or --label says" in refused(root, tmp_path, columns=Columns(label="shape"))
    assert "names files, in its column file_name" in refused(root, tmp_path, columns=Columns(image="target"))


def test_a_column_that_is_not_called_a_label_is_not_taken(tmp_path: Path) -> None:
    root = table(images(tmp_path / "set", NAMES), labelled(NAMES, text=KINDS))
    assert "it has text: choose one with --label NAME" in refused(root, tmp_path)
    assert load(str(root), "train", data_dir=tmp_path, columns=Columns(label="text")).classes == ("fig", "pear")


@pytest.mark.parametrize(
    ("kinds", "classes"),
    [
        (["01", "02"] * 5, ("01", "02")),
        (["1.0", "0.0"] * 5, ("0", "1")),
        (["01", "1", "-1", "1", "01"] * 2, ("-1", "01", "1")),
        (["1", "1.0"] * 5, ("1", "1.0")),
        (["1E4", "1E3"] * 5, ("1E3", "1E4")),
        (["-1", "10", "9", "9.0", "10"] * 2, ("-1", "10", "9", "9.0")),
    ],
)
def test_digits_with_zeros_before_them_are_names_and_whole_floats_are_numbers(
    tmp_path: Path, kinds: Any, classes: Any
) -> None:
    root = table(images(tmp_path / "set", NAMES), labelled(NAMES, label=kinds))
    assert load(str(root), "train", data_dir=tmp_path).classes == classes


@pytest.mark.parametrize(
    ("train", "test", "numbers"),
    [
        (["1.0", "2.0", "b", "b"], ["1.0", "2.0"], [0, 1]),
        (["1", "2", "2", "1"], ["1.0", "2.0"], [0, 1]),
        (["00", "01", "10", "10"], ["10", "10"], [2, 2]),
    ],
)
def test_labels_of_other_parts_are_read_as_train_s_are(
    tmp_path: Path, train: list[str], test: list[str], numbers: list[int]
) -> None:
    names = [*(f"train/{name}" for name in NAMES[:4]), *(f"test/{name}" for name in NAMES[:2])]
    root = table(images(tmp_path / "set", names), labelled(names, label=train + test))
    assert load(str(root), "test", data_dir=tmp_path).labels.tolist() == numbers


def test_a_name_is_no_other_way_to_write_a_number_of_train(tmp_path: Path) -> None:
    names = [*(f"train/{name}" for name in NAMES[:4]), "test/0.png"]
    root = table(images(tmp_path / "set", names), labelled(names, label=["1", "2", "1", "2", "01"]))
    assert refused(root, tmp_path, "test").endswith("do not, the first is 01")


def test_numbers_of_json_may_be_written_in_two_ways(tmp_path: Path) -> None:
    root = table(images(tmp_path / "set", NAMES), labelled(NAMES, label=[1, 2.0, 1.0, 2, 1] * 2), "metadata.jsonl")
    assert load(str(root), "train", data_dir=tmp_path).classes == ("1", "2")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (labelled(NAMES, label=["a", "b", None] * 3 + ["a"]), "every image must have a label: 3 of 10"),
        (
            labelled(NAMES, label=[number / 7 for number in range(10)]),
            "labels are whole numbers or names; column 'label'",
        ),
        (labelled([*NAMES[:9], "gone.png"], label=KINDS), "every image that is named must be there: 1 of 10"),
        (labelled([*NAMES[:9], "0.png"], label=KINDS), "0.png more than once"),
        (labelled([*NAMES[:9], "../../secret.png"], label=KINDS), "which '../../secret.png' in"),
        (labelled([*NAMES[:9], "..\\secret.png"], label=KINDS), "must name an image below"),
        (labelled([*NAMES[:9], "/etc/passwd"], label=KINDS), "which '/etc/passwd' in"),
        (labelled([*NAMES[:9], ""], label=KINDS), "which '' in"),
        (labelled([*NAMES[:9], "test/0.png"], label=KINDS), "must lie in a part's folder as others do"),
        (labelled([f"test/{name}" for name in NAMES], label=KINDS), "must name images in a folder train"),
    ],
)
def test_metadata_with_a_fault_are_refused(tmp_path: Path, rows: Rows, said: str) -> None:
    picture(0).save(tmp_path / "secret.png")
    images(tmp_path / "set", NAMES)
    if rows[-1]["file_name"].startswith("test/"):
        images(tmp_path / "set" / "test", NAMES)
    assert said in refused(table(tmp_path / "set", rows), tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"file_name": "0.png"', b"[1]\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    images(tmp_path / "set", NAMES)
    (tmp_path / "set" / "metadata.jsonl").write_bytes(content)
    message = refused(tmp_path / "set", tmp_path)
    assert "must be a table in UTF-8" in message or "must be a JSON object" in message


def test_two_files_of_metadata_are_refused(tmp_path: Path) -> None:
    root = images(tmp_path / "set", NAMES)
    for name in ("metadata.csv", "metadata.jsonl"):
        table(root, labelled(NAMES, label=KINDS), name)
    assert "one file of metadata, not metadata.csv and metadata.jsonl" in refused(root, tmp_path)


def test_a_part_without_metadata_is_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        images(tmp_path / "set" / part, NAMES)
    table(tmp_path / "set" / "train", labelled(NAMES, label=KINDS))
    assert "the test part, holds none: move the folder away" in refused(tmp_path / "set", tmp_path)


@pytest.mark.parametrize("folder", ["", "train"])
def test_a_part_that_the_metadata_do_not_name_has_its_own_or_is_refused(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "set"
    names = [str(Path(folder) / name) for name in NAMES]
    table(images(root, names), labelled(names, label=KINDS))
    images(root / "test", NAMES[:3])
    message = refused(root, tmp_path)
    assert f"set/test, the test part, holds none: name its images in {root}/metadata.csv, or move" in message
    table(root / "test", labelled(NAMES[:3], label=KINDS[:3]))
    assert load(str(root), "test", data_dir=tmp_path).labels.tolist() == [1, 0, 1]
    assert survey(str(root), AS_NAMED).test == "test/"


def test_images_that_are_not_named_are_counted(tmp_path: Path) -> None:
    root = table(images(tmp_path / "set", NAMES), labelled(NAMES[:8], label=KINDS[:8]))
    assert survey(str(root), AS_NAMED).left_out == ("2 images that the metadata do not name",)


def test_metadata_in_class_folders_are_labels_only_if_they_say_so(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    names = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(5)]
    table(root, labelled(names, width=[6] * 10, breed=KINDS))
    assert survey(str(root), AS_NAMED).labels == "folder names"
    assert survey(str(root), AS_NAMED).left_out == ("metadata.csv without a column of labels",)
    assert survey(str(root), Columns(label="breed")).labels == "column 'breed' of metadata.csv"
    assert load(str(root), "train", data_dir=tmp_path, columns=Columns(label="breed")).classes == ("fig", "pear")
    assert "holds class folders" in refused(root, tmp_path, columns=Columns(label="colour"))
    table(root, labelled(names[:5], breed=KINDS[:5]))  # those of one class
    assert survey(str(root), AS_NAMED).labels == "folder names"
    table(root, labelled(names, label=KINDS))
    assert survey(str(root), AS_NAMED).labels == "column 'label' of metadata.csv"


def test_metadata_in_an_archive_are_read(tmp_path: Path) -> None:
    table(images(tmp_path / "set" / "fruit", NAMES), labelled(NAMES, label=KINDS))
    file = zipped(tmp_path / "set", tmp_path / "fruit.zip")
    assert load(str(file), "train", data_dir=tmp_path).classes == ("fig", "pear")
    assert survey(str(file), AS_NAMED).labels == "column 'label' of metadata.csv"


def test_a_class_that_is_not_utf_8_text_is_refused(tmp_path: Path) -> None:
    root = images(tmp_path / "set", NAMES)
    (root / "metadata.csv").write_bytes(b"file_name,label\n0.png,caf\xe9\n")
    assert "must be a table in UTF-8" in refused(root, tmp_path)


@pytest.mark.parametrize("row", [0, 3])
@pytest.mark.parametrize("in_class_folders", [False, True])
def test_a_row_with_more_fields_than_the_header_is_refused(tmp_path: Path, row: int, in_class_folders: bool) -> None:
    names = [f"{kind}/{name}" for kind, name in zip(KINDS, NAMES, strict=True)] if in_class_folders else NAMES
    column = "author" if in_class_folders else "label"
    kinds = [f"{kind}, ripe" if number == row else kind for number, kind in enumerate(KINDS)]
    root = table(images(tmp_path / "set", names), labelled(names, **{column: kinds}))
    assert f"row {row + 1} after the header has more, '{names[row]}'" in refused(root, tmp_path)


def test_a_table_without_file_names_beside_class_folders_may_have_such_rows(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set")
    (root / "metadata.csv").write_text("author\nme, myself\n")
    assert len(load(str(root), "train", data_dir=tmp_path)) == 8


@pytest.mark.parametrize("folders", ["", "images", "images, more", "train/images, train/more"])
@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("filename,label", "(its columns: 'filename', 'label'); rename the one that names the images, or move the"),
        ("File_Name,Label", "(its columns: 'File_Name', 'Label'); rename"),
        ("file_name;label", "(its only column: 'file_name;label'); separate columns with commas, or move the"),
    ],
)
def test_metadata_that_name_no_files_are_refused(tmp_path: Path, folders: str, header: str, said: str) -> None:
    names = [f"{folders.split(', ')[number % 2 if ',' in folders else 0]}/{name}" for number, name in enumerate(NAMES)]
    root = images(tmp_path / "set", [name.lstrip("/") for name in names])
    mark = ";" if ";" in header else ","
    (root / "metadata.csv").write_text("\n".join([header, *(f"{name}{mark}cat" for name in names)]))
    assert f"{root}/metadata.csv needs a column file_name {said}" in refused(root, tmp_path)


@pytest.mark.parametrize(("name", "content"), [("metadata.csv", ""), ("metadata.jsonl", ""), ("metadata.csv", "a,b\n")])
def test_metadata_without_a_row_are_refused(tmp_path: Path, name: str, content: str) -> None:
    root = images(tmp_path / "set", NAMES)
    (root / name).write_text(content)
    assert f"{name} needs a column file_name and a row for each image, and has no row" in refused(root, tmp_path)


def test_metadata_of_one_folder_must_hold_labels(tmp_path: Path) -> None:
    names = [f"images/{name}" for name in NAMES]
    root = table(images(tmp_path / "set", names), labelled(names, species=KINDS))
    assert "it has species: choose one with --label NAME" in refused(root, tmp_path)
    assert load(str(root), "train", data_dir=tmp_path, columns=Columns(label="species")).classes == ("fig", "pear")


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
@pytest.mark.parametrize("folders", [("",), ("images/",), ("fig/", "pear/")])
def test_a_column_of_parts_that_are_no_folders_is_refused(tmp_path: Path, name: str, folders: tuple[str, ...]) -> None:
    names = [f"{folders[number % len(folders)]}{each}" for number, each in enumerate(NAMES)]
    root = images(tmp_path / "set", names)
    table(root, labelled(names, label=KINDS, split=["train"] * 8 + ["test"] * 2), name)
    message = refused(root, tmp_path)
    assert "parts are folders (train/, val/, test/), not a column" in message
    assert f"says test of {root}/{names[8]}, which is in the train part" in message


def test_a_column_of_parts_may_agree_with_the_folders(tmp_path: Path) -> None:
    names = [f"{part}/{name}" for part in ("train", "test") for name in NAMES[:4]]
    root = table(
        images(tmp_path / "set", names),
        labelled(names, label=["pear", "fig"] * 4, split=["train"] * 4 + ["test"] * 4),
    )
    assert survey(str(root), AS_NAMED).test == "test/"


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\u0085"])
def test_a_string_of_json_may_hold_what_python_takes_for_a_line_s_end(tmp_path: Path, letter: str) -> None:
    root = images(tmp_path / "set", NAMES)
    rows = labelled(NAMES, label=[f"a{letter}b", "fig"] * 5)
    (root / "metadata.jsonl").write_bytes("\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode())
    assert load(str(root), "train", data_dir=tmp_path).classes == (f"a{letter}b", "fig")
