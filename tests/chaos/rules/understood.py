"""What a user's own images are rightly taken for: a launch says in a line what it took, and records it."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rules.pictures import (
    CLASSES,
    beside,
    classes,
    column,
    encoded,
    parts,
    picture,
    shards,
    taken,
    write_part,
    write_rows,
)
from rules.rule import Place, Rule, both

#: Names of folders of train, validation and test, as people have them.
SPLITS = (
    ("train", "val", "test"),
    ("Training", "Validation", "Testing"),
    ("TRAIN", "VALID", "TEST"),
    ("training", "valid", "testing"),
    ("Train", "validation", "Test"),
)
#: Where the Parquet files of a part lie in datasets of the Hugging Face Hub and elsewhere.
LAYOUTS = {
    "files beside each other": ("train.parquet", "validation.parquet", "test.parquet"),
    "shards in data/": tuple(f"data/{part}-00000-of-00001.parquet" for part in ("train", "validation", "test")),
    "shards in a configuration's folder": tuple(
        f"plain_text/{part}-00000-of-00001.parquet" for part in ("train", "validation", "test")
    ),
    "a folder a part": ("train/0000.parquet", "validation/0000.parquet", "test/0000.parquet"),
}
#: What systems and archives leave beside images.
PASSED_OVER = (".DS_Store", "._00.png", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/00.png", "@eaDir/00.png")
#: Types of labels that are whole numbers, or names.
NUMBERS = ("int8", "uint8", "int16", "int64", "uint64", "float32", "float64")
NAMES = ("string", "large_string", "dictionary")
#: Names that a column of labels has.
LABELS = ("label", "Label", "labels", "fine_label", "class", "target", "category", "y")


def split_folders(train: str, validation: str, test: str) -> Rule:
    """Parts in folders of these names."""
    return taken(
        f"{train}/, {validation}/ and {test}/ are the parts",
        f"{train}, {validation}, {test}",
        parts(**{train: 4, validation: 2, test: 2}),
        line=f"labels from folder names (2 classes), validation from {validation}/, test from {test}/",
        train=8,
        validation=4,
        test=f"{test}/",
    )


def layout(name: str, files: tuple[str, str, str]) -> Rule:
    """Parquet files that lie so."""
    return taken(
        f"Parquet files are found as {name}",
        files[0],
        shards(*files),
        line="labels from column 'label' (2 classes)",
        train=10,
        validation=10,
    )


def typed(kind: str) -> Rule:
    """A column of labels of this type, beside a column that tells images apart."""

    def breaks(place: Place) -> None:
        import pyarrow as pa

        values = pa.array(list(CLASSES) * 5) if kind in NAMES else pa.array([0, 1] * 5)
        wanted = pa.dictionary(pa.int32(), pa.string()) if kind == "dictionary" else getattr(pa, kind)()
        columns = {"image_id": list(range(10)), "image": column(CLASSES * 5), "label": values.cast(wanted)}
        write_rows(place.home / "images" / "train.parquet", columns)

    return taken(
        f"labels of type {kind} are labels",
        f"image_id, image, label ({kind})",
        breaks,
        line="labels from column 'label' (2 classes)",
        classes=CLASSES if kind in NAMES else ("0", "1"),
        train=6,
        validation=2,
        labels="column 'label'",
    )


def named(name: str) -> Rule:
    """A column of labels of this name, between others of its type."""

    def breaks(place: Place) -> None:
        columns = {"image_id": list(range(10)), "image": column(CLASSES * 5), name: list(CLASSES) * 5}
        write_rows(place.home / "images" / "train.parquet", columns | {"filename": [f"{i}.png" for i in range(10)]})

    return taken(
        f"a column called {name} is the labels", f"image_id, image, {name}, filename", breaks, labels=f"column '{name}'"
    )


def columns(**more: Any) -> Callable[[Place], None]:
    """A Parquet file of pictures with these columns beside their labels."""

    def breaks(place: Place) -> None:
        rows = {"image": column(CLASSES * 5), "label": list(CLASSES) * 5}
        write_rows(place.home / "images" / "train.parquet", rows | {name: given() for name, given in more.items()})

    return breaks


def other_order(place: Place) -> None:
    """Two shards and a test file that number the same classes each in their own order."""
    for number, (name, order) in enumerate((("train-0", (0, 1)), ("train-1", (1, 0)), ("test", (1, 0)))):
        rows = {"image": column(CLASSES * 4, 10 * number), "label": [order[0], order[1]] * 4}
        write_rows(place.home / "images" / f"{name}.parquet", rows, [CLASSES[i] for i in order])


def wrapped(place: Place) -> None:
    """What unpacking an archive leaves: a folder in the folder, and a text beside it."""
    write_part(place.home / "images" / "pets-v2" / "train", 4)
    write_part(place.home / "images" / "pets-v2" / "test", 2, 20)
    (place.home / "images" / "README.md").write_text("Pets.\n")


def by_content(place: Place) -> None:
    """Pictures of many formats whose names say nothing, or something else."""
    kinds = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM")
    for kind, name in zip(CLASSES, CLASSES, strict=True):
        (place.home / "images" / name).mkdir(parents=True)
        for number, file_format in enumerate(kinds):
            suffix = ("", ".dat", ".jpg")[number % 3]
            file = place.home / "images" / name / f"picture{number}{suffix}"
            file.write_bytes(encoded(picture(kind, number), file_format))


def linked(place: Place) -> None:
    """Class folders and pictures that are links to where they are kept."""
    write_part(place.home / "kept", 5)
    (place.home / "images" / "dog").mkdir(parents=True)
    (place.home / "images" / "cat").symlink_to("../kept/cat")
    for file in sorted((place.home / "kept" / "dog").iterdir()):
        (place.home / "images" / "dog" / file.name).symlink_to(f"../../kept/dog/{file.name}")


def one_colour(place: Place) -> None:
    """Pictures that are of one colour all over, each of another."""
    from PIL import Image

    for start, name in ((20, "cat"), (180, "dog")):
        (place.home / "images" / name).mkdir(parents=True)
        for number in range(6):
            data = encoded(Image.new("L", (8, 8), start + 5 * number))
            (place.home / "images" / name / f"{number}.png").write_bytes(data)


def twins(place: Place) -> None:
    """The same pictures in both classes."""
    classes()(place)
    for file in (place.home / "images" / "cat").iterdir():
        (place.home / "images" / "dog" / file.name).write_bytes(file.read_bytes())


def latin_1_text(place: Place) -> None:
    """A text whose name is not UTF-8 among the pictures."""
    classes()(place)
    (place.home / "images" / "cat" / os.fsdecode(b"notes.t\xe9xt")).write_text("me")


def warned(rule: str, shown: str, breaks: Callable[[Place], None], line: str) -> Rule:
    """A launch that goes on, and warns."""
    made = taken(rule, shown, breaks, line=line)

    def after(place: Place, done: Any) -> Any:
        if done.code == 0 and line not in (place.search("new") / "search.json").read_text():
            yield "search.json does not hold the warning"

    return replace(made, after=after)


RULES = [
    *(split_folders(*names) for names in SPLITS),
    *(layout(name, files) for name, files in LAYOUTS.items()),
    *(typed(kind) for kind in (*NUMBERS, *NAMES)),
    *(named(name) for name in LABELS),
    *(
        taken(
            f"{name} is passed over",
            name,
            both(parts(train=4, test=2), beside(f"train/cat/{name}", f"train/{name}", name)),
            line="test from test/\n",
            train=6,
            left_out=[],
        )
        for name in PASSED_OVER
    ),
    taken(
        "--label chooses a column",
        "--label kind",
        columns(kind=lambda: ["queen", "tom"] * 5),
        *("--label", "kind"),
        line="labels from column 'kind' (2 classes)",
        classes=("queen", "tom"),
        labels="column 'kind'",
    ),
    taken("--image chooses a column", "--image image", columns(mask=lambda: column(["dog"] * 10)), "--image", "image"),
    taken("a class has one number in all files", "cat, dog and dog, cat", other_order, train=13, test="test.parquet"),
    taken("one folder around a dataset is looked into", "pets-v2/train", wrapped, train=6, test="test/"),
    taken("a picture is known by its content", "no suffix, .dat, .jpg", by_content, train=8, left_out=[]),
    taken("a link that leads to a picture is one", "folders and files", linked, train=6, validation=2),
    taken(
        "files that are no images are counted",
        "notes.txt, labels.csv",
        both(classes(), beside("cat/notes.txt", "cat/more.txt", "dog/labels.csv")),
        line="3 files that are no images (2 .txt, 1 .csv) left out",
        left_out=["3 files that are no images (2 .txt, 1 .csv)"],
    ),
    taken(
        "folders in class folders are counted",
        "cat/more/",
        both(classes(), beside("cat/more/0.png")),
        line="1 folder inside class folders left out",
    ),
    taken(
        "images outside class folders are counted",
        "two of them",
        both(classes(), beside("a.png", "b.png")),
        line="2 images outside class folders left out",
    ),
    taken(
        "folders beside train are named",
        "labels/, extra/",
        both(parts(train=4, test=2), beside("labels/0.txt", "extra/0.png")),
        line="2 folders beside train (extra, labels) left out",
    ),
    taken("a share that is held out is said", "no val/", parts(train=4, test=2), line="validation from 20% of train"),
    taken("a share for testing is said", "no test/", parts(train=5, val=2), line="test from 20% of train"),
    taken("a file's name that is not UTF-8 is shown escaped", "notes.téxt", latin_1_text, line="(1 .t\\xe9xt)"),
    warned("pictures of one colour are warned of", "all of them", one_colour, "have one colour all over"),
    warned("the same picture in two classes is warned of", "all of them", twins, "also occur in another class"),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="understood") for rule in RULES]
