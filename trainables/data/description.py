"""The contents of a dataset, part by part, to look at before training."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.data.decode import Progress
from trainables.data.duplicates import Copy, Group, digests, find_groups
from trainables.data.find import Survey, find_own, survey_of
from trainables.data.formats.format import Columns, Part
from trainables.data.images import Images
from trainables.data.load import load, load_own
from trainables.data.near import Pair, find_near
from trainables.data.own import Own
from trainables.data.read import places, sizes
from trainables.data.statistics import Statistics, statistics
from trainables.data.superclasses import SUPERCLASSES, superclasses_of

Begin = Callable[[str], Progress]
"""Called with a text at each step; its result is called as `progress(done, total)`."""


@dataclass(frozen=True, eq=False)
class Description:
    """What a dataset holds."""

    name: str
    """Its name, or its folder or file."""
    parts: Mapping[Part, Images]
    """The images of each part that exists."""
    statistics: Mapping[Part, Statistics]
    """Counts and colours of each part."""
    groups: tuple[Group, ...]
    """The images that occur more than once, the same to the pixel."""
    near: tuple[Pair, ...] | None
    """The pairs that are nearly the same; None if they were not searched for, or too many images look alike."""
    places: Mapping[tuple[Part, int], str]
    """For a user's own dataset, where each image of these groups and pairs is, by part and number."""
    sizes: Mapping[tuple[int, int], int]
    """How many images have each (width, height), before they were resized."""
    survey: Survey | None
    """How the files of a user's own dataset were interpreted; None for a known dataset."""

    @property
    def train(self) -> Images:
        """The training part; the others have the same classes and shape."""
        return self.parts["train"]

    @property
    def superclasses(self) -> dict[str, tuple[str, ...]] | None:
        """The classes of each superclass, if there are superclasses."""
        return SUPERCLASSES if superclasses_of(self.train.classes) else None

    def label(self, part: Part, number: int) -> str:
        """The class of an image."""
        images = self.parts[part]
        return images.classes[int(images.labels[number])]

    def within(self, part: Part) -> list[Group]:
        """The images of each group in a part, for groups with two or more there."""
        own = (tuple(copy for copy in group if copy.part == part) for group in self.groups)
        return [copies for copies in own if len(copies) > 1]

    def also_in_train(self, part: Part) -> int:
        """How many images of a part are in the training part too."""
        shared = (group for group in self.groups if group[0].part == "train")
        return sum(copy.part == part for group in shared for copy in group)

    def nearly_in_train(self, part: Part) -> int:
        """How many images of a part are nearly the same as one of train, but the same to the pixel as none."""
        near = {second for first, second in self.near or () if (first.part, second.part) == ("train", part)}
        return len(near - {copy for group in self.groups if group[0].part == "train" for copy in group})

    @property
    def contradictions(self) -> int:
        """How many groups have images of different classes."""
        return sum(len({self.label(copy.part, copy.number) for copy in group}) > 1 for group in self.groups)


def describe(
    dataset: str, columns: Columns, *, data_dir: Path, image_size: int | None, near: bool, begin: Begin
) -> Description:
    """Read all parts of a dataset, which is named as for `trainables.data.load.load`, and describe them.

    near: whether to search for images that are nearly the same, which takes longer than the rest. Raises DatasetError
    for an unknown name, and for a dataset with a fault.
    """
    own = find_own(dataset, columns)
    survey = survey_of(own) if own else None
    present: tuple[Part, ...] = ("train", "validation", "test") if survey and survey.validation else ("train", "test")
    parts: dict[Part, Images] = {}
    for part in present:
        progress = begin(f"reading {part}")
        if own:
            parts[part] = load_own(own, part, data_dir=data_dir, image_size=image_size, progress=progress)
        else:
            parts[part] = load(dataset, part, data_dir=data_dir, image_size=image_size)
    found = {part: statistics(images, begin(f"colours of {part}")) for part, images in parts.items()}
    begin("looking for duplicates")
    groups = find_groups({part: digests(images.pixels) for part, images in parts.items()})
    if near:
        begin("comparing pictures")
    pairs = find_near(parts) if near else None
    copies = [copy for group in (*groups, *(pairs or ())) for copy in group]
    return Description(
        dataset,
        parts,
        found,
        groups,
        pairs,
        _places(own, copies) if own else {},
        _sizes(own, parts, image_size),
        survey,
    )


def _places(own: Own, copies: Sequence[Copy]) -> dict[tuple[Part, int], str]:
    found: dict[tuple[Part, int], str] = {}
    for part in sorted({copy.part for copy in copies}):
        numbers = np.array([copy.number for copy in copies if copy.part == part])
        found |= {(part, number): where for number, where in places(own, part, numbers).items()}
    return found


def _sizes(own: Own | None, parts: Mapping[Part, Images], image_size: int | None) -> Counter[tuple[int, int]]:
    """How many images have each size in the files; without resizing there is only one size."""
    if own and image_size:
        return sum((sizes(own, part) for part in parts), Counter())
    _, height, width = parts["train"].shape
    return Counter({(width, height): sum(map(len, parts.values()))})
