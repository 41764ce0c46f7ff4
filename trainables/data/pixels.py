"""From an opened image to the pixels that a viewer shows: turned upright, transparency laid on white, 8 bits."""

import warnings
from functools import cache

import numpy as np
from PIL import ExifTags, Image, ImageCms

GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
# Modes whose colours are multiplied by their opacity, and the modes with this undone.
_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at (width, height), bilinear."""
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of an opened image as a viewer shows it, from its header."""
    # Pillow turns a TIFF itself, and gives its size after that.
    turned = image.format != "TIFF" and _orientation(image) in _ON_ITS_SIDE
    return (image.height, image.width) if turned else image.size


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; raises what Pillow raises for damaged pixels."""
    image.load()
    turn = _TURNS.get(_orientation(image))
    return image.transpose(turn) if turn is not None else image


def is_deep(image: Image.Image) -> bool:
    """Whether an opened image has 16 bits of grey a pixel."""
    # Pillow keeps the 16 bits of a PGM in 32, scaled to the full range of 16.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def as_8_bits(image: Image.Image, mode: str, bits: int | None = None) -> Image.Image:
    """The image in mode L or RGB, with transparency laid on white; raises ValueError for 32-bit pixels.

    bits: how many bits 16-bit grey pixels use: of a camera's 12, for example, the upper 8 are kept. By default all.
    """
    if is_deep(image):  # Pillow would clip 16 bits at 255 instead of scaling them
        image = Image.fromarray(np.minimum(np.asarray(image) >> ((bits or 16) - 8), 255).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits, which do not tell what is black and white: store 8 or 16 bits")
    elif image.mode == "LAB":
        image = ImageCms.applyTransform(image, _lab_to_rgb()) or image
    elif image.has_transparency_data:
        if image.mode in _STRAIGHT:
            image = image.convert(_STRAIGHT[image.mode])
        image = image.convert("RGBA")
        opacity, _ = image.getchannel("A").getextrema()
        if opacity != 255:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    profiles = (ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"))
    return ImageCms.buildTransform(*profiles, "LAB", "RGB")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 for an image that is upright or says nothing that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a viewer also shows an image with damaged EXIF data
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # each kind of damage has its own error
        return 1
