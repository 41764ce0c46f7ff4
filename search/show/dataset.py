"""What a dataset holds, for people at a terminal and for programs."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search.readable import count
from search.show.terminal import Rows, console, print_rows
from trainables.data.description import Description
from trainables.data.duplicates import Copy, Group
from trainables.data.find import Survey
from trainables.data.read import TEST_SHARE

_MOST_GROUPS = 10  # of equal images, and of image sizes, that are listed
_WIDTH = 80
CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


def show(found: Description) -> None:
    """Print a description, in 80 columns if its names allow."""
    _say(headline(found))
    if found.survey:
        _say(taken(found.survey))
    if len(found.sizes) > 1:
        _say(f"sizes before they were resized: {_sizes(found)}")
    print_rows(colours(found), "")
    if found.superclasses:
        print_rows([{"superclass": name, "classes": _folded(own)} for name, own in found.superclasses.items()], "")
    if told := _even(found):
        if not found.superclasses:
            _say(f"classes: {', '.join(found.train.classes)}")
        _say(told)
    else:
        print_rows(classes(found), "")
    for line in duplicates(found):
        _say(line)
    _list(groups(found))
    if found.near:
        _say(f"{count(len(found.near), 'pair')} of images are nearly the same; the most alike:")
        _list(pairs(found))


def headline(found: Description) -> str:
    """Classes, images and their shape in one line."""
    images = found.train
    channels, height, width = images.shape
    supers = f" in {len(found.superclasses)} superclasses" if found.superclasses else ""
    parts = ", ".join(f"{len(each):,} {part}" for part, each in found.parts.items())
    colour = "grey" if channels == 1 else "colour"
    return f"{found.name}: {len(images.classes)} classes{supers}; {parts} images of {width}×{height}, {colour}"


def taken(survey: Survey) -> str:
    """How the files of a user's own dataset were interpreted, in one line."""
    left_out = "".join(f", {phrase} left out" for phrase in survey.left_out)
    return f"labels from {survey.labels}, test from {survey.test or f'{TEST_SHARE:.0%} of train'}{left_out}"


def colours(found: Description) -> Rows:
    """A row for each part and channel: mean and standard deviation, as fractions of one."""
    names = CHANNELS[found.train.shape[0]]
    return [
        {
            "part": part,
            "channel": name,
            "images": len(found.parts[part]),
            "mean": f"{mean:.4f}",
            "deviation": f"{deviation:.4f}",
        }
        for part, own in found.statistics.items()
        for name, mean, deviation in zip(names, own.mean.tolist(), own.deviation.tolist(), strict=True)
    ]


def classes(found: Description) -> Rows:
    """A row for each class, with its number of images in each part."""
    counts = {part: own.counts.tolist() for part, own in found.statistics.items()}
    return [
        {"class": name, **{part: own[number] for part, own in counts.items()}}
        for number, name in enumerate(found.train.classes)
    ]


def duplicates(found: Description) -> tuple[str, ...]:
    """Lines on images that occur more than once; "the same" means the same to the pixel."""
    lines = []
    for part, images in found.parts.items():
        if part != "train":
            occur = "also occurs" if found.also_in_train(part) == 1 else "also occur"
            told = f"{found.also_in_train(part):,} of {count(len(images), f'{part} image')} {occur} in train"
            nearly = f"; {found.nearly_in_train(part):,} more nearly" if found.near is not None else ""
            lines.append(f"{told}, identical pixel for pixel{nearly}")
    for part in found.parts:
        if own := found.within(part):
            occur = f"{count(len(own), 'image')} {'occurs' if len(own) == 1 else 'occur'}"
            lines.append(f"{occur} more than once in {part}, {sum(map(len, own)):,} times in all")
    if len(lines) < len(found.parts):
        lines.append("no split holds an image more than once")
    if found.contradictions:
        is_one = found.contradictions == 1
        lines.append(f"{count(found.contradictions, 'image')} {'is' if is_one else 'are'} in more than one class")
    return tuple(lines)


def groups(found: Description) -> tuple[str, ...]:
    """A line for each image that occurs more than once.

    Those in several parts come first, then those in several classes.
    """

    def is_harmless(group: Group) -> tuple[bool, bool]:
        labels = {found.label(copy.part, copy.number) for copy in group}
        return len({copy.part for copy in group}) == 1, len(labels) == 1

    return tuple(_copies(found, group) for group in sorted(found.groups, key=is_harmless))


def pairs(found: Description) -> tuple[str, ...]:
    """A line for each pair of images that are nearly the same, the most alike first."""
    return tuple(_copies(found, pair) for pair in found.near or ())


def as_json(found: Description) -> dict[str, Any]:
    """Everything but the pictures, for programs."""
    parts = {
        part: {
            "images": len(found.parts[part]),
            "counts": own.counts.tolist(),
            "mean": own.mean.tolist(),
            "deviation": own.deviation.tolist(),
            "class_means": own.class_means.tolist(),
        }
        for part, own in found.statistics.items()
    }
    return {
        "name": found.name,
        "classes": list(found.train.classes),
        "superclasses": found.superclasses,
        "shape": list(found.train.shape),
        "sizes": [{"width": w, "height": h, "images": number} for (w, h), number in _by_number(found)],
        "taken": vars(found.survey) if found.survey else None,
        "parts": parts,
        "duplicates": {
            "also_in_train": {part: found.also_in_train(part) for part in found.parts if part != "train"},
            "within": {part: len(found.within(part)) for part in found.parts},
            "in_several_classes": found.contradictions,
            "groups": [[_row(found, copy) for copy in group] for group in found.groups],
            "near": None if found.near is None else [[_row(found, copy) for copy in pair] for pair in found.near],
        },
    }


def _row(found: Description, copy: Copy) -> dict[str, Any]:
    place = found.places.get((copy.part, copy.number))
    return {"part": copy.part, "number": copy.number, "class": found.label(copy.part, copy.number), "place": place}


def _copies(found: Description, copies: Group) -> str:
    root = str(Path(found.name).resolve())
    return " = ".join(_copy(found, copy, root) for copy in copies)


def _copy(found: Description, copy: Copy, root: str) -> str:
    place = found.places.get((copy.part, copy.number), f"number {copy.number:,}")
    own = place.replace(f"{root}/", "").removesuffix(f" of {root}")
    return f"{copy.part} {found.label(copy.part, copy.number)} ({own})"


def _folded(names: tuple[str, ...]) -> str:
    """Names in lines that leave room for a column beside them."""
    return "\n".join(textwrap.wrap(", ".join(names), 46))


def _even(found: Description) -> str:
    """How many images each class has, if that is the same number within each part; else empty."""
    told = []
    for part, own in found.statistics.items():
        if len(set(own.counts.tolist())) > 1:
            return ""
        told.append(f"{own.counts[0]:,} in {part}")
    return f"each class has {' and '.join(told)}"


def _sizes(found: Description) -> str:
    listed = [f"{w}×{h} ({number:,})" for (w, h), number in _by_number(found)]
    more = f" and {len(listed) - _MOST_GROUPS} more" if len(listed) > _MOST_GROUPS else ""
    return ", ".join(listed[:_MOST_GROUPS]) + more


def _by_number(found: Description) -> list[tuple[tuple[int, int], int]]:
    """The sizes, the most frequent first."""
    return sorted(found.sizes.items(), key=lambda size: -size[1])


def _list(lines: Sequence[str]) -> None:
    for line in lines[:_MOST_GROUPS]:
        _say(f"  {line}")
    if len(lines) > _MOST_GROUPS:
        _say(f"  and {len(lines) - _MOST_GROUPS:,} more; --json lists all")


def _say(line: str) -> None:
    for part in textwrap.wrap(line, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False):
        console.print(part, soft_wrap=True)
