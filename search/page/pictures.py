"""Small pictures in a page: arrays of pixels as PNG files in data URIs."""

import base64
import io

import numpy as np
from PIL import Image

from search.page.blocks import Picture

_SIDE = 96  # pixels of the longer side, at most, in the page's own files
_SHOWN = 64  # pixels of the longer side on the page, up to which smaller pictures are magnified


def picture(pixels: np.ndarray, alt: str, caption: str = "") -> Picture:
    """uint8 (C, H, W) as a picture; alt: what it shows. caption: the text below it."""
    _, height, width = pixels.shape
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    factor = max(_SHOWN // max(height, 1), 1)
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Picture(source, alt, (width * factor, height * factor), caption)


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """uint8 (C, H, W) with no side above 96 pixels, so that a page stays small whatever the images are."""
    _, height, width = pixels.shape
    if max(height, width) <= _SIDE:
        return pixels
    factor = _SIDE / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.stack([np.asarray(Image.fromarray(channel).resize(size, Image.Resampling.BOX)) for channel in pixels])
