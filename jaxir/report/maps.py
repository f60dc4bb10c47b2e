"""What one looks for in a restoration, as pictures: where it is a guess, and what it leaves unexplained.

Each comes with the end of its scale in levels of 255. One pixel in a thousand exceeds it: a single bright one must not
turn all others black.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxir.report.colours import balance, colourise

EXCEEDED = 0.001
"""Share of the pixels beyond the end of a scale."""


def uncertainty_map(std: Float[np.ndarray, "h w c"]) -> tuple[Float[np.ndarray, "h w 3"], float]:
    """The deviation of each pixel in colours from black (0) to pale yellow, and the end of the scale.

    Channels are joined as the root of their mean variance.

    Args:
        std: 0 or more, in units of [-1, 1].
    """
    spread = np.sqrt(np.mean(np.square(np.asarray(std, np.float64)), axis=-1))
    end = float(np.quantile(spread, 1 - EXCEEDED))
    return colourise(spread, largest=end), 127.5 * end


def residual_map(residual: Float[np.ndarray, "h w c"]) -> tuple[Float[np.ndarray, "h w 3"], float]:
    """y − A(image), the mean of its channels, in colours from blue through white (0) to red, and the end.

    Args:
        residual: in units of [-1, 1].
    """
    mean = np.mean(np.asarray(residual, np.float64), axis=-1)
    end = float(np.quantile(np.abs(mean), 1 - EXCEEDED))
    return balance(mean, largest=end), 127.5 * end
