"""Exact laws instead of Monte Carlo: with a Gaussian prior every step is x ↦ G x + o + noise.

G and o are found by evaluating the code at zero and at the basis vectors, so nothing of what is tested is written
down a second time; means and covariances then propagate exactly.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxir.denoisers import Denoiser, GaussianDenoiser
from jaxir.processes import VE, VP, CosineVP, Flow, Process
from jaxir.transitions import Transition

PROCESSES = [VP(), CosineVP(), VE(), Flow()]
SHAPE = (1, 1, 3)
VARIANCES = np.array([0.01, 0.3, 4.0])
MEAN = np.array([0.5, -1.0, 0.2])
BASIS = np.linalg.qr(np.array([[1.0, 2.0, 0.5], [-1.0, 1.0, 2.0], [0.3, -0.7, 1.0]]))[0]


def name(value: object) -> str:
    """The name of a parameter in a test's id: its class, and what its fields say."""
    return type(value).__name__


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
    a, _, sigma = process.coefficients(t)
    return law.push(a * jnp.eye(len(law.mean)), jnp.zeros_like(law.mean), sigma)


def sampled(transition: Transition, denoiser: Denoiser, times: Array) -> Law:
    """The law of D(x) at the end of `times`, from the exact marginal of `prior()` at their start."""

    def body(law: Law, pair: Array) -> tuple[Law, None]:
        def step(x: Array):
            return transition.step(denoiser, transition.init(x), x, pair[0], pair[1]).law

        scale = step(jnp.zeros(SHAPE)).scale
        return law.push(*affine(lambda x: step(x).mean), scale), None

    start = marginal(denoiser.process, prior(), times[0])
    law, _ = jax.lax.scan(body, start, jnp.stack([times[:-1], times[1:]], axis=1))
    return law.push(*affine(lambda x: denoiser(x, times[-1])))
