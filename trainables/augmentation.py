"""Augmentation as data: what may happen to a training image, and the presets by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training image; a field that is zero does nothing, and then costs nothing.

    `crop_padding` is in pixels on each side, `rotation` in degrees either way; `brightness`, `contrast`, `saturation`
    (a factor within 1 ± the value) and `hue` (turns either way, at most .5) are those of torchvision's ColorJitter.
    Raises ValueError for a value outside its range.
    """

    flip: bool = False
    crop_padding: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    rotation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop_padding", "brightness", "contrast", "saturation", "hue", "rotation"):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must be at least 0, got {value}")
        if self.hue > 0.5:
            raise ValueError(f"hue must be at most 0.5 turns, got {self.hue}")


PRESETS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "flip-crop": Augmentation(flip=True, crop_padding=3),
    "published": Augmentation(
        flip=True, crop_padding=3, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, rotation=5.0
    ),
}
