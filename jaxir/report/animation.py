"""A GIF of how a restoration came about and of what else it could have been.

A GIF has 256 colours. They are chosen once for all frames, and the dots that stand for the colours between them are
laid by a fixed pattern (ordered dithering), not by passing errors on from pixel to pixel: those would crawl over every
frame, even where nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxir.report.pictures import Pixels, quantise, reduced

STEP, SAMPLE, REST = 150, 600, 1500
"""Milliseconds for an estimate on the way, for a sample, and for the last estimate."""

_DOTS = 12
"""The pattern adds up to half as many levels of 255, about the distance between neighbours of 256 colours."""


def animation(
    path: str | Path,
    trajectory: Sequence[Float[np.ndarray, "h w c"]],
    samples: Sequence[Float[np.ndarray, "h w c"]] = (),
    *,
    side: int = 512,
    overwrite: bool = False,
) -> None:
    """Write a GIF without an end: the estimates from noise to the image, a rest, and the samples.

    It is written beside its place and moved there when it is complete. All frames have the shape of the last,
    reduced to `side`.

    Args:
        path: where.
        trajectory: images in [-1, 1], of any size.
        samples: likewise; there is at least one image in all.
        side: longest side of the frames, in pixels.
        overwrite: whether a file that exists may be replaced.

    Raises:
        ImageFileError: if it exists and may not.
    """
    from PIL import Image

    from jaxir.data import ImageFileError
    from jaxir.data.files import whole_file

    path = Path(path)
    if path.exists() and not overwrite:
        raise ImageFileError(f"{path} exists: choose another name, or allow it to be overwritten")
    images = [quantise(image) for image in (*trajectory, *samples)]
    height, width = reduced(images[-1], side).shape[:2]
    frames = [
        np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.LANCZOS))
        for each in images
    ]
    durations = [STEP] * len(trajectory) + [SAMPLE] * len(samples)
    durations[max(0, len(trajectory) - 1)] = REST
    some = np.concatenate([frame[::2, ::2].reshape(-1, 1, 3) for frame in frames])
    palette = Image.fromarray(some).quantize(256)
    dotted = [
        Image.fromarray(_dotted(frame)).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    with whole_file(path) as file:
        dotted[0].save(
            file,
            "GIF",
            save_all=True,
            append_images=dotted[1:],
            palette=bytes(palette.getpalette()),  # else each frame gets a copy of its own
            duration=durations,
            loop=0,
        )


def _dotted(pixels: Pixels) -> Pixels:
    """With a fixed pattern of 8 × 8 thresholds on it, whose mean is zero."""
    pattern = np.zeros((1, 1))
    for _ in range(3):  # Bayer's recursion
        pattern = np.block([[4 * pattern, 4 * pattern + 2], [4 * pattern + 3, 4 * pattern + 1]])
    height, width = pixels.shape[:2]
    offset = _DOTS * ((pattern + 0.5) / 64 - 0.5)
    tiled = np.tile(offset, (-(-height // 8), -(-width // 8)))[:height, :width, None]
    return np.clip(np.round(pixels + tiled), 0, 255).astype(np.uint8)
