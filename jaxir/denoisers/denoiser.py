"""What estimates the clean image: D(x, t, y) = E[x0 | x_t = x, y].

Anything with a `process` that is called as `denoiser(x, t, y)` is a denoiser; guidance maps denoisers to denoisers.
All processes are one process: with x̂ = (x − b y)/a = x0 + (σ/a) ε the estimate depends on (x̂, log(a/σ)) alone, so a
denoiser made for one process is sampled on any other by `on`.
"""

# No `from __future__ import annotations` here: equinox knows AbstractVar only where it is not a string.

import abc
from typing import NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from jaxir.processes import Process
from jaxir.typing import Image, Scalar


class Estimate(NamedTuple):
    """What a denoiser knows about x0 at one state.

    Attributes:
        x0_hat: E[x0 | x_t, y].
        mix: where the network has learnt the variance of its step, m of `LearnedAncestral` at each number of the image.
        info: a dictionary of scalars worth reporting (a solver's residual); a driver keeps the largest of each.
        unknowns: what else was estimated, a pytree of arrays of any shape (a blur kernel); a driver passes it on.
    """

    x0_hat: Image
    mix: Array | None = None
    info: PyTree = None
    unknowns: PyTree = None


class Denoiser(eqx.Module):
    """The interface: a process and the conditional mean under it.

    A concrete denoiser writes `estimate`; calling it gives the image alone.

    Attributes:
        process: how the images that it sees were corrupted.
        sees_y: whether the estimate is E[x0 | x_t, y] and not E[x0 | x_t]. On a process that moves towards the degraded
            image most steps are right only for the first.
    """

    process: eqx.AbstractVar[Process]

    @property
    def sees_y(self) -> bool:
        """False, unless a denoiser says otherwise."""
        return False

    @abc.abstractmethod
    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """The estimate at state `x` and time `t`, given what was measured."""

    def __call__(self, x: Image, t: Scalar, y: Array | None = None) -> Image:
        """E[x0 | x_t = x, y]."""
        return self.estimate(x, t, y).x0_hat


class _Remapped(Denoiser):
    """`inner` seen through another process of the same log-SNR."""

    process: Process
    inner: Denoiser

    @property
    def sees_y(self) -> bool:
        """As the denoiser within."""
        return self.inner.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        home, log_snr = self.inner.process, self.process.log_snr(t)
        (low, high) = (home.log_snr(end) for end in reversed(home.span))
        home_t = home.time(log_snr.clip(low, high))
        x_hat = (x - self.process.centre(t, y)) / self.process.coefficients(t).a
        return self.inner.estimate(
            home.coefficients(home_t).a * x_hat + home.centre(home_t, y), home_t, y
        )


def on(process: Process, denoiser: Denoiser) -> Denoiser:
    """The same denoiser for another process: x̂ and log(a/σ) are kept, the state and the time are translated.

    Beyond the span of its own process the denoiser is asked at the end of that span.

    Source: [kingma2021vdm] Sec. 5.1 (equivalence of diffusion processes); [karras2022edm] App. B.
    """
    same = eqx.tree_equal(denoiser.process, process)
    if isinstance(same, jax.core.Tracer):  # inside jit the two cannot be compared
        return _Remapped(process, denoiser)
    return denoiser if same else _Remapped(process, denoiser)
