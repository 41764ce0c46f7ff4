"""What a retrain or a test pass would find after hours is found at launch: labels and headers of every part."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rules.datasets import COMMAND, huge, table
from rules.pictures import CLASSES, beside, column, encoded, parts, picture, write_rows
from rules.rule import FINISHED, Place, Rule, both, write

PAGE = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
#: What lies in place of a picture, and what is said of it.
NO_PICTURES: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "an empty file": (bytes, ("empty",)),
    "a page of a server": (lambda: PAGE, ("a web page",)),
    "a Git LFS pointer": (lambda: POINTER, ("Git LFS pointer",)),
    "zeros": (lambda: bytes(500), ("nothing but zeros",)),
    "a vector graphic": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', ("not a PNG",)),
    "20 bytes of a picture": (lambda: encoded(picture("dog", 1))[:20], ()),
    "100,000,000 pixels": (lambda: huge(10_000), ("more than 50,000,000 pixels",)),
    "another size": (lambda: encoded(picture("dog", 1, side=9)), ("8×8, 9×9", "--image-size")),
}
#: Where it lies.
PLACES = ("train", "val", "test")
#: A part's labels that train does not have.
STRANGE: dict[str, tuple[list[Any], str]] = {
    "a class that train lacks": ([0, 2], "the first is 2"),
    "labels that are not shared": ([-1, -1], "not shared"),
    "no label": ([0, None], "must have a label"),
}
#: Types that are no labels.
NO_LABELS = ("list", "struct", "bool", "date32", "timestamp", "decimal128", "binary", "null", "duration", "time32")


def in_place_of_a_picture(part: str, shown: str, content: Callable[[], bytes], says: tuple[str, ...]) -> Rule:
    """A launch that finds this among the pictures of a part."""
    name = f"{part}/dog/{FIRST[part]:02}.png"
    return Rule(
        rule=f"{shown} is no picture of {part}",
        input=f"{shown} in {part}/dog",
        command=COMMAND,
        breaks=lambda place: both(parts(train=3, val=2, test=2), beside(name, content=content()))(place),
        says=(*says, *(() if "size" in shown else (name,))),
    )


FIRST = {"train": 0, "val": 20, "test": 40}
"""The number of the first picture of a part."""


def strange(part: str, shown: str, labels: list[Any], says: str) -> Rule:
    """Parquet files of which a part has labels of its own."""

    def breaks(place: Place) -> None:
        write_rows(place.home / "images" / "train.parquet", {"image": column(CLASSES * 3), "label": [0, 1] * 3})
        write_rows(place.home / "images" / f"{part}.parquet", {"image": column(CLASSES, 20), "label": labels})

    return Rule(rule=f"{part} has {shown}", input=str(labels), command=COMMAND, breaks=breaks, says=(says,))


def no_label(kind: str) -> Rule:
    """A column called label of a type that is none."""

    def columns(_: Place) -> dict[str, Any]:
        import pyarrow as pa

        numbers = pa.array([0, 1] * 3)
        made: dict[str, Callable[[], Any]] = {
            "list": lambda: pa.array([[0], [1]] * 3),
            "struct": lambda: pa.array([{"a": 0}, {"a": 1}] * 3),
            "bool": lambda: pa.array([True, False] * 3),
            "date32": lambda: numbers.cast(pa.int32()).cast(pa.date32()),
            "timestamp": lambda: numbers.cast(pa.timestamp("s")),
            "decimal128": lambda: numbers.cast(pa.decimal128(20, 1)),
            "binary": lambda: pa.array([b"a", b"b"] * 3),
            "null": lambda: pa.nulls(6),
            "duration": lambda: numbers.cast(pa.duration("s")),
            "time32": lambda: numbers.cast(pa.int32()).cast(pa.time32("s")),
        }
        return {"image_id": list(range(6)), "image": column(CLASSES * 3), "label": made[kind]()}

    says = ("--image image",) if kind == "binary" else ("'label'", kind, "--label NAME")
    return table(f"a label of type {kind} is none", kind, *says, columns=columns)


def renamed(place: Place) -> None:
    """A test part with a class folder that train has not, as it is spelt otherwise."""
    parts(train=3, test=2)(place)
    (place.home / "images" / "test" / "dog").rename(place.home / "images" / "test" / "Dog")


def without_labels(place: Place) -> None:
    """A test file without the column of labels."""
    write_rows(place.home / "images" / "train.parquet", {"image": column(CLASSES * 3), "label": [0, 1] * 3})
    write_rows(place.home / "images" / "test.parquet", {"image": column(CLASSES, 20)})


def half_a_table(part: str, content: Callable[[bytes], bytes]) -> Callable[[Place], None]:
    """Parquet files of which one is not whole."""

    def breaks(place: Place) -> None:
        for number, name in enumerate(("train", "test")):
            rows = {"image": column(CLASSES * 3, 20 * number), "label": [0, 1] * 3}
            write_rows(place.home / "images" / f"{name}.parquet", rows)
        file = place.home / "images" / f"{part}.parquet"
        file.write_bytes(content(file.read_bytes()))

    return breaks


def refused(rule: str, shown: str, breaks: Callable[[Place], object], *says: str, command: Any = COMMAND) -> Rule:
    """A launch that is refused."""
    return Rule(rule=rule, input=shown, command=command, breaks=breaks, says=says)


def header_alone(place: Place) -> None:
    """A test picture whose header is right and whose pixels are gone."""
    half = encoded(picture("dog", 20))[:50]
    both(parts(train=3, test=2), beside("test/dog/20.png", content=half))(place)


RULES = [
    *(
        in_place_of_a_picture(part, shown, content, says)
        for shown, (content, says) in NO_PICTURES.items()
        for part in PLACES
    ),
    *(strange(part, shown, *labels) for shown, labels in STRANGE.items() for part in ("validation", "test")),
    *(no_label(kind) for kind in NO_LABELS),
    refused("a test class is spelt as in train", "test/Dog", renamed, "the first is Dog"),
    refused("test rows have the column of labels", "images alone", without_labels, "'label'"),
    refused("a test file is whole", "its first half", half_a_table("test", lambda d: d[: len(d) // 2]), "test.parquet"),
    refused("a test file is a table", "a page", half_a_table("test", lambda _: PAGE), "test.parquet"),
    refused(
        "a table's Git LFS pointer is called so", "train.parquet", half_a_table("train", lambda _: POINTER), "Git LFS"
    ),
    refused(
        "a test table's Git LFS pointer is called so",
        "test.parquet",
        half_a_table("test", lambda _: POINTER),
        "Git LFS",
    ),
    refused(
        "every test shard is there",
        "2 of 3",
        lambda place: [
            write_rows(
                place.home / "images" / name, {"image": column(CLASSES * 2, 10 * number), "label": [0, 1] * 2}, CLASSES
            )
            for number, name in enumerate(
                ("train.parquet", "test-00000-of-00003.parquet", "test-00002-of-00003.parquet")
            )
        ],
        "2 of 3",
        "00001",
    ),
    Rule(
        rule="a launch does without the pixels of test images",
        input="a header without pixels in test/",
        command=COMMAND,
        breaks=header_alone,
        says=("impossible for these images",),
    ),
    Rule(
        rule="a recorded space is read before its images",
        input="small.py without its function",
        command=("resume", FINISHED, "--samples", "4", "--engine", "inline"),
        breaks=write("small.py", "space = 3\n"),
        says=("small:space",),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="found at launch") for rule in RULES]
