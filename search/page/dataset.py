"""The page of a dataset: what it holds, its classes, average and example images, and duplicates."""

import numpy as np

from search.page.blocks import Axis, Block, Column, Facts, Figure, Mark, Picture, Pictures, Section, Sheet, Table, Words
from search.page.page import Page
from search.page.pictures import picture, shrunk
from search.readable import count
from search.show.dataset import CHANNELS, classes, duplicates, groups, headline, taken
from trainables.data.description import Description
from trainables.data.formats.format import Part

_EXAMPLES = 8  # of each class
_MOST_CLASSES = 200  # with pictures
_MOST_GROUPS = 100  # of equal images that are listed
_ROLES: dict[Part, str] = {"train": "main", "validation": "good", "test": "accent"}


def page_of_dataset(found: Description, *, show_test: bool) -> Page:
    """The page; test images are among the examples only if `show_test`."""
    sections = (
        Section("holds", "What it holds", _holds(found)),
        Section("classes", "Classes", _classes(found)),
        Section("pictures", "Pictures", _pictures(found, show_test=show_test)),
        Section("duplicates", "More than once", (*_duplicates(found), *_near(found, show_test=show_test))),
    )
    return Page(found.name, "", sections)


def _holds(found: Description) -> tuple[Block, ...]:
    channels, height, width = found.train.shape
    rows = [("classes", f"{len(found.train.classes):,}")]
    if found.superclasses:
        rows.append(("superclasses", f"{len(found.superclasses):,}"))
    rows += [(f"{part} images", f"{len(images):,}") for part, images in found.parts.items()]
    rows.append(("pixels", f"{width}×{height}, {'grey' if channels == 1 else 'colour'}"))
    words = (headline(found), *((taken(found.survey),) if found.survey else ()))
    return (Words("holds-words", words), Facts("holds-facts", tuple(rows), large=True), *_sizes(found), _colours(found))


def _sizes(found: Description) -> tuple[Block, ...]:
    if len(found.sizes) < 2:
        return ()
    rows = [
        {"width": width, "height": height, "images": number}
        for (width, height), number in sorted(found.sizes.items(), key=lambda size: -size[1])
    ]
    columns = tuple(Column(name, name, "count") for name in ("width", "height", "images"))
    return (Sheet("sizes", "Sizes before they were resized", Table(columns, rows)),)


def _colours(found: Description) -> Sheet:
    rows = [
        {"part": part, "channel": name, "mean": mean, "deviation": deviation}
        for part, own in found.statistics.items()
        for name, mean, deviation in zip(
            CHANNELS[found.train.shape[0]], own.mean.tolist(), own.deviation.tolist(), strict=True
        )
    ]
    columns = (
        Column("part", "part"),
        Column("channel", "channel"),
        Column("mean", "mean", "number"),
        Column("deviation", "standard deviation", "number"),
    )
    told = "Over all pixels of a split, as fractions of one: 0 is black and 1 is the brightest value."
    return Sheet("colours", "Colours", Table(columns, rows), told)


def _classes(found: Description) -> tuple[Block, ...]:
    blocks: list[Block] = [_counts(found)]
    if found.superclasses:
        rows = [{"superclass": name, "classes": ", ".join(own)} for name, own in found.superclasses.items()]
        columns = (Column("superclass", "superclass"), Column("classes", "classes"))
        blocks.append(Sheet("superclasses", "Superclasses", Table(columns, rows)))
    return tuple(blocks)


def _counts(found: Description) -> Figure:
    rows = [
        {"class": row["class"], "part": part, "images": row[part]} for row in classes(found) for part in found.parts
    ]
    counts = found.statistics["train"].counts
    least, most = int(counts.min()), int(counts.max())
    told = f"Every class has {least:,} images in train." if least == most else (
        f"In train {found.train.classes[int(counts.argmax())]} has the most images, {most:,}, and "
        f"{found.train.classes[int(counts.argmin())]} the fewest, {least:,}."
    )  # fmt: skip
    return Figure(
        key="counts",
        title="Images of each class",
        sentence=told,
        alt=f"A bar for each of {len(counts)} classes, one split above the other.",
        table=Table((Column("class", "class"), Column("part", "part"), Column("images", "images", "count")), rows),
        marks=tuple(Mark("bars", "class", "images", part, ("part", part), role=_ROLES[part]) for part in found.parts),
        x=Axis("class", "text", order=found.train.classes),
        y=Axis("images", "count"),
    )


def _pictures(found: Description, *, show_test: bool) -> tuple[Block, ...]:
    present = np.flatnonzero(found.statistics["train"].counts)
    more = f" The first {_MOST_CLASSES} classes." if len(present) > _MOST_CLASSES else ""
    labels = present[:_MOST_CLASSES].tolist()
    averages = found.statistics["train"].averages
    names = found.train.classes
    blocks = [
        Pictures(
            "averages",
            "An average image of each class",
            f"The mean of the training images of a class, pixel by pixel.{more}",
            tuple(
                (names[label], (picture(shrunk(averages[label]), f"average of {names[label]}"),)) for label in labels
            ),
        )
    ]
    parts: tuple[Part, ...] = ("train", "test") if show_test else ("train",)
    for part in parts:
        told = f"Up to {_EXAMPLES} {part} images of each class, evenly spaced in the dataset's order.{more}"
        blocks.append(Pictures(f"examples-{part}", f"Examples of {part}", told, tuple(_examples(found, part, labels))))
    return tuple(blocks)


def _examples(found: Description, part: Part, labels: list[int]) -> list[tuple[str, tuple[Picture, ...]]]:
    images = found.parts[part]
    made: list[tuple[str, tuple[Picture, ...]]] = []
    for label in labels:
        members = np.flatnonzero(images.labels == label)
        if not len(members):
            continue
        chosen = np.unique(np.linspace(0, len(members) - 1, _EXAMPLES).astype(int))
        name = images.classes[label]
        row = np.concatenate([shrunk(images.pixels[number]) for number in members[chosen]], axis=2)
        made.append((name, (picture(row, f"{count(len(chosen), 'image')} of {name}"),)))
    return made


def _duplicates(found: Description) -> tuple[Block, ...]:
    words = (*duplicates(found), "Test images were hashed to find these; no network has seen them.")
    rows = groups(found)
    if not rows:
        return (Words("duplicates-words", words),)
    more = f"The first {_MOST_GROUPS} of {len(rows):,}." if len(rows) > _MOST_GROUPS else ""
    table = Table((Column("same", "the same image"),), [{"same": row} for row in rows[:_MOST_GROUPS]])
    return (Words("duplicates-words", words), Sheet("groups", "Images that occur more than once", table, more))


def _near(found: Description, *, show_test: bool) -> tuple[Block, ...]:
    shown = [pair for pair in found.near or () if show_test or all(copy.part == "train" for copy in pair)]
    if not shown:
        return ()
    made: list[tuple[str, tuple[Picture, ...]]] = []
    for pair in shown[:_MOST_GROUPS]:
        names = [f"{copy.part} {found.label(copy.part, copy.number)}" for copy in pair]
        pixels = [shrunk(found.parts[copy.part].pixels[copy.number]) for copy in pair]
        made.append((" and ".join(names), tuple(picture(*each) for each in zip(pixels, names, strict=True))))
    told = f"Up to {_MOST_GROUPS} pairs, the most alike first, {'of all splits' if show_test else 'of train alone'}."
    return (Pictures("near", "Nearly the same", told, tuple(made)),)
