"""Warnings about decoded images that can be trained on but look wrong."""

from collections.abc import Sequence

from trainables.data.images import Images

FLAT_SHARE = 0.5
TWIN_SHARE = 0.01  # every large dataset that was gathered by a search has a few twins


def warnings_of(images: Images, digests: Sequence[bytes]) -> tuple[str, ...]:
    """A line for each thing that looks wrong: images of one colour, and the same image in more than one class.

    digests: of the images' pixels, from `trainables.data.duplicates`.
    """
    found = []
    flat = int((images.pixels == images.pixels[:, :, :1, :1]).all(axis=(1, 2, 3)).sum())
    if flat >= FLAT_SHARE * len(images):
        found.append(f"{flat:,} of {len(images):,} training images have one colour all over")
    classes: dict[bytes, set[int]] = {}
    for key, label in zip(digests, images.labels.tolist(), strict=True):
        classes.setdefault(key, set()).add(label)
    twins = sum(len(classes[key]) > 1 for key in digests)
    if twins >= TWIN_SHARE * len(images):
        found.append(
            f"{twins:,} of {len(images):,} training images also occur in another class, identical pixel for pixel"
        )
    return tuple(found)
