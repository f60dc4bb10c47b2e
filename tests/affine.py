"""Exact laws instead of Monte Carlo: with a Gaussian prior every step is x ↦ G x + o + noise.

G and o are found by evaluating the code at zero and at the basis vectors, so nothing of what is tested is written
down a second time; means and covariances then propagate exactly.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxir.denoisers import Denoiser, GaussianDenoiser
from jaxir.processes import (
    EDM,
    IRSDE,
    VE,
    VP,
    ConstantRate,
    CosineVP,
    DenoisingSDE,
    Flow,
    Interpolation,
    LinearRate,
    Process,
    ResShift,
    SubVP,
    Wiener,
    brownian_bridge,
    ddbm_ve,
    ddbm_vp,
    goub,
    i2sb,
)
from jaxir.transitions import Transition

NOISING = {"VP": VP(), "SubVP": SubVP(), "CosineVP": CosineVP(), "Flow": Flow()}
EXPLODING = {"VE": VE(), "EDM": EDM(), "Wiener": Wiener(), "DenoisingSDE": DenoisingSDE()}
REVERTING = {
    "IRSDE": IRSDE(),
    "IRSDE-constant": IRSDE(rate=ConstantRate()),
    "IRSDE-linear": IRSDE(rate=LinearRate()),
    "ResShift": ResShift(),
    "Interpolation": Interpolation(std=0.5),
}
PINNED = {
    "BrownianBridge": brownian_bridge(),
    "I2SB": i2sb(),
    "DDBM-VE": ddbm_ve(),
    "DDBM-VP": ddbm_vp(),
    "GOUB": goub(),
}
EVERY: dict[str, Process] = {**NOISING, **EXPLODING, **REVERTING, **PINNED}
PROCESSES = list(EVERY.values())
REPRESENTATIVE = ("VP", "IRSDE", "DDBM-VP")
"""One that ends in noise, one that moves towards y, and one that is pinned to it."""
SOME = [
    pytest.param(label, marks=() if label in REPRESENTATIVE else pytest.mark.slow)
    for label in EVERY
]
"""The labels of all of them; those that are not representative are slow."""
NAMES = {id(process): label for label, process in EVERY.items()}
SHAPE = (1, 1, 3)
Y = np.array([[[0.3, -0.4, 0.9]]])
"""The degraded image of every coupled process: given it, x0 has the law of `prior()`."""
VARIANCES = np.array([0.01, 0.3, 4.0])
MEAN = np.array([0.5, -1.0, 0.2])
BASIS = np.linalg.qr(np.array([[1.0, 2.0, 0.5], [-1.0, 1.0, 2.0], [0.3, -0.7, 1.0]]))[0]


def name(value: object) -> str:
    """The name of a parameter in a test's id."""
    return NAMES.get(id(value), type(value).__name__)


class Law(NamedTuple):
    """A Gaussian law of flattened images."""

    mean: Float[Array, " d"]
    covariance: Float[Array, "d d"]

    def push(self, matrix: Array, offset: Array, noise: Array | float = 0.0) -> "Law":
        """The law of `matrix x + offset + noise ξ`, the noise a number."""
        covariance = matrix @ self.covariance @ matrix.T + noise**2 * jnp.eye(len(matrix))
        return Law(matrix @ self.mean + offset, covariance)


def affine(f: Callable[[Array], Array], shape: tuple[int, ...] = SHAPE) -> tuple[Array, Array]:
    """(G, o) of an affine function of an image."""
    size = int(np.prod(shape))
    points = jnp.concatenate([jnp.zeros((1, size)), jnp.eye(size)])
    values = jax.vmap(lambda point: f(point.reshape(shape)).ravel())(points)
    return (values[1:] - values[0]).T, values[0]


def prior() -> Law:
    """N(m, C) with three scales and a basis that is not the pixels'."""
    return Law(jnp.asarray(MEAN), jnp.asarray(BASIS @ np.diag(VARIANCES) @ BASIS.T))


def gaussian(process: Process) -> GaussianDenoiser:
    """The exact denoiser of `prior()`."""
    mean = jnp.asarray(MEAN).reshape(SHAPE)
    return GaussianDenoiser(process, mean, jnp.asarray(BASIS), jnp.asarray(VARIANCES))


def marginal(process: Process, law: Law, t: Array) -> Law:
    """The law of x_t when x0 has the given one."""
    a, b, sigma = process.coefficients(t)
    centre = b * jnp.asarray(Y).ravel() if process.coupled else jnp.zeros(law.mean.shape)
    return law.push(a * jnp.eye(len(law.mean)), centre, sigma)


@jax.jit
def pushed(start: Law, matrices: Array, offsets: Array, noises: Array) -> Law:
    """The law after affine steps, one after the other."""
    return jax.lax.scan(
        lambda law, step: (law.push(*step), None), start, (matrices, offsets, noises)
    )[0]


def sampled(
    transition: Transition, denoiser: Denoiser, times: Array, start: Law | None = None
) -> Law:
    """The law of D(x) at the end of `times`, from `start` or the exact marginal of `prior()` at their start.

    The maps of all steps are found at once, so that without `jit` no process and no rule is compiled.
    """
    y = jnp.asarray(Y)

    def mapped(t: Array, s: Array) -> tuple[Array, Array, Array]:
        def step(x: Array):
            return transition.step(denoiser, transition.init(x), x, t, s, y).law

        return *affine(lambda x: step(x).mean), step(jnp.zeros(SHAPE)).scale

    steps = jax.vmap(mapped)(times[:-1], times[1:])
    if start is None:
        start = marginal(denoiser.process, prior(), times[0])
    law = pushed(start, *steps)
    return law.push(*affine(lambda x: denoiser(x, times[-1], y)))
