"""Alpha beside colours: divided out where a file multiplied it in, and in the size and levels that are wanted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from jaxir.data.photo.levels import to_fractions, to_levels


def divided(
    colours: Shaped[np.ndarray, "h w c"], alpha: Shaped[np.ndarray, "h w"]
) -> Shaped[np.ndarray, "h w c"]:
    """Colours that were multiplied by alpha as they were before, in the same levels; where it is 0 they are lost."""
    opacity = np.maximum(to_fractions(alpha), 1e-6)[..., None]
    return to_levels(to_fractions(colours) / opacity, colours.dtype)


def fitted(
    alpha: Shaped[np.ndarray, "h w"], size: tuple[int, int], dtype: np.dtype
) -> Shaped[np.ndarray, "h w"]:
    """Alpha with other levels or, by bicubic interpolation, in another size; itself where it fits."""
    if alpha.shape == size and alpha.dtype == dtype:
        return alpha
    fractions = to_fractions(alpha)
    if alpha.shape != size:
        from PIL import Image

        smooth = Image.fromarray(fractions).resize(size[::-1], Image.Resampling.BICUBIC)
        fractions = np.asarray(smooth)
    return to_levels(fractions, dtype)
