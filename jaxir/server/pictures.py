"""Images as the bytes that a browser shows."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float


def jpeg(image: Float[np.ndarray, "h w c"], longest: int) -> bytes:
    """A JPEG of at most `longest` pixels a side.

    Args:
        image: in [-1, 1], grey or in colour; what is not finite becomes grey.
        longest: side in pixels; a smaller image keeps its size.
    """
    from PIL import Image

    stride = max(max(image.shape[:2]) // (2 * longest), 1)  # the filter below does the rest
    shown = np.nan_to_num(np.asarray(image[::stride, ::stride], np.float32), nan=0.0)
    pixels = np.round((np.clip(shown, -1, 1) + 1) * 127.5).astype(np.uint8)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((longest, longest))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
