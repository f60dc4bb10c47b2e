"""Likelihoods in the unit in which they are compared."""

from __future__ import annotations

import math

from jaxir.typing import Scalar


def bits_per_dimension(
    nats: float | Scalar, size: int, *, levels: int | None = 256
) -> float | Scalar:
    """−log₂ p per entry of an image: from the log density of an image in [-1, 1] to that of one of integers.

    A density counts volume in units of [-1, 1]; an integer of `levels` grey levels is a bin of width 2/(levels − 1), so
    that log₂((levels − 1)/2) bits a dimension are added.

    Args:
        nats: log p, or a lower bound of it.
        size: number of entries, H W C.
        levels: of the integers; None for a `nats` that is the log probability of an integer image already.

    Source: [ho2020ddpm] Sec. 3.3 (integers as bins of [-1, 1]).
    """
    width = 0.0 if levels is None else math.log2((levels - 1) / 2)
    return -nats / (size * math.log(2)) + width
