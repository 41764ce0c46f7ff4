"""The augmentation presets, as data: what may happen to a training image.

These steps are drawn and computed together (see `trainables.augment`). Another kind of augmentation is a file
in `trainables.transforms`, which changes no draw of these.
"""

from dataclasses import dataclass, fields

#: The pixels of the largest image that can be moved, with the border of its crops: their numbers are float32.
MOST_MOVED = 2**24


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training image; a field that is zero does nothing and costs nothing.

    The colour changes are those of torchvision's ColorJitter. Raises ValueError for a value outside its range.
    """

    flip: bool = False
    """Whether half of the images are mirrored."""
    crop_padding: int = 0
    """Black pixels added on each side before a crop of the image's size."""
    brightness: float = 0.0
    """Brightness is multiplied by a factor within 1 ± this value."""
    contrast: float = 0.0
    """The same for contrast."""
    saturation: float = 0.0
    """The same for saturation."""
    hue: float = 0.0
    """The largest change of hue either way, in turns; at most 0.5."""
    rotation: float = 0.0
    """The largest rotation either way, in degrees."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value >= 0:
                raise ValueError(f"{field.name} must be at least 0, got {value}")
        if self.hue > 0.5:
            raise ValueError(f"hue must be at most 0.5 turns, got {self.hue}")

    @property
    def moves(self) -> bool:
        """Whether pixels change their places."""
        return bool(self.flip or self.crop_padding or self.rotation)

    def misfit(self, shape: tuple[int, ...]) -> str | None:
        """Why images of this shape (C, H, W) cannot be augmented so, in one line; None if they can."""
        (height, width), padding = shape[1:], self.crop_padding
        if not self.moves or (height + 2 * padding) * (width + 2 * padding) <= MOST_MOVED:
            return None
        return (
            f"images that are flipped, cropped or rotated may have up to {MOST_MOVED:,} pixels including the crop's "
            f"border, got {height}×{width} with a border of {padding}; use smaller images (--image-size) or no "
            "augmentation (--augment none)"
        )


PRESETS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "flip-crop": Augmentation(flip=True, crop_padding=3),
    "published": Augmentation(
        flip=True, crop_padding=3, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, rotation=5.0
    ),
}
