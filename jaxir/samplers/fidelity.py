"""The dial from a draw to the mean: how much detail that only one restoration believes in is kept.

The mean μ of p(x | y) has the least squared error, tr P, and the look of an average; a draw looks like an image and has
twice that error. Between them

    x(f) = μ + (1 − f)(x₁ − μ),    E‖x(f) − x₀‖² = tr P (1 + (1 − f)²)

whatever the law p(x | y), since the truth x₀ is a draw of it too, and x₁ another. For Gaussian laws x(f) is Gaussian
about μ with the covariance (1 − f)² P, and the trade of squared error against the Wasserstein distance to the law of
images is such a straight line between two images at its best as well (there the other end is not a draw, but the mean
transported to that law, which costs at most as much).

It is a blend of what has been drawn, so that every f is free once the samples are there. The other way to the same
end, one more run with `jaxir.guidance.Centred` on the mean, has no such law and takes that run for each f.

Source: [freirich2021tradeoff] for the trade.
"""

from __future__ import annotations

import math

from jaxir.samplers.samples import Samples
from jaxir.typing import Image


def at_fidelity(samples: Samples, fidelity: float, *, number: int = 0) -> Image:
    """The restoration of fidelity f: 1 is the mean of the samples, 0 is one of them.

    The mean m of n independent draws is not μ: m − μ has the covariance P/n. What the draw x₁ adds to it,
    x₁ − m, is not correlated with it and has (1 − 1/n) P. So

        x(f) = m + g (x₁ − m),    g² = ((1 − f)² − 1/n)/(1 − 1/n),

    has about μ the covariance (1 − f)² P that f asks for, whatever n is. Where (1 − f)² < 1/n no blend of n draws is as
    near to μ, and x(f) is m, whose error is tr P (1 + 1/n): four draws reach f = ½, a hundred f = 0.9.

    Args:
        samples: independent draws; those of one run of a method with particles are less than that.
        fidelity: f, from 0 to 1.
        number: which of the samples x₁ is.

    Raises:
        ValueError: if `fidelity` or `number` is outside.
    """
    count = len(samples.images)
    if not 0 <= fidelity <= 1:
        raise ValueError(f"fidelity is {fidelity}, expected 0, one sample, to 1, the mean of all")
    if not 0 <= number < count:
        raise ValueError(
            f"number is {number}, expected 0 to {count - 1}: there are {count} samples"
        )
    chosen = samples.images[number]
    if fidelity == 0 or count == 1:
        return chosen
    excess = max((1 - fidelity) ** 2 - 1 / count, 0)
    gain = math.sqrt(excess / (1 - 1 / count))
    return samples.mean + gain * (chosen - samples.mean)
