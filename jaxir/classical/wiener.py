"""The Wiener filter: the best linear restoration of a blurred photograph with a known spectrum."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Blur, Degradation, GaussianNoise
from jaxir.typing import Image, Scalar


def wiener(
    y: Image,
    degradation: Degradation,
    *,
    power: float | Scalar = 2.56e-3,
    exponent: float | Scalar = 2.5,
    chroma: float | Scalar = 0.05,
) -> Image:
    """argmin over x of |y − A x|²/(2σ²) + ½ Σ_f |x̃(f)|²/P(f), one division for each frequency.

        x̃ = conj(K) ỹ / (|K|² + σ²/P),        P(f) = power |f|^(−exponent)

    with x̃ the unitary Fourier transform and |f| in cycles a pixel, so that the law does not depend
    on the image's size. P is infinite at f = 0: the mean is not shrunk. The mean of the channels
    has the spectrum P and what differs from it (colour) `chroma` P. It is the posterior mean where
    images are Gaussian with that spectrum.

    Args:
        y: the blurred image, in [-1, 1].
        degradation: a `Blur` with Gaussian noise.
        power: of the spectrum, in units of [-1, 1] squared.
        exponent: of its fall.
        chroma: the share of colour.

    The defaults are tuned on training photographs: from benchmarks/tune_classical.py.

    Raises:
        TypeError: if the operator is not a `Blur`, or the noise not Gaussian.
        ValueError: if `y` does not fit the degradation.

    Source: [wiener1949].
    """
    operator, noise = degradation.operator, degradation.noise
    if not isinstance(operator, Blur) or not isinstance(noise, GaussianNoise):
        raise TypeError(
            f"wiener got {type(operator).__name__} with {type(noise).__name__} but divides "
            "in Fourier space: pass a Blur with GaussianNoise, or use total_variation"
        )
    degradation.expect_measurement(y)
    ratio = jnp.asarray(noise.sigma) ** 2 / power
    return _divide(y, operator, ratio, jnp.asarray(exponent), jnp.asarray(chroma))


@eqx.filter_jit
def _divide(y: Image, operator: Blur, ratio: Array, exponent: Array, chroma: Array) -> Image:
    """The division of `wiener`, ratio = σ²/power."""
    back = operator.adjoint(y)
    grey = jnp.mean(back, axis=-1, keepdims=True)
    noise_to_signal = ratio * _radius(y.shape[0], y.shape[1]) ** exponent

    def shrink(part: Image, share: float | Scalar) -> Image:
        below = operator.spectrum**2 + noise_to_signal / share
        seen = below > 0
        gain = jnp.where(seen, 1 / jnp.where(seen, below, 1), 0)
        return operator.synthesise(gain.astype(part.dtype) * operator.analyse(part))

    return shrink(grey, 1.0) + shrink(back - grey, chroma)


def _radius(height: int, width: int) -> Float[Array, "h w 1"]:
    """|f| in cycles a pixel, in the order of the FFT."""
    rows, columns = jnp.fft.fftfreq(height), jnp.fft.fftfreq(width)
    return jnp.hypot(rows[:, None], columns[None, :])[..., None]
