"""How a drift is learnt: E[target | x, t] at given times, from examples drawn when they are asked for.

An example is one image, drawn from a walk and a time by their numbers, so that a regression chooses how many it holds
at once: least squares takes all of them at one time after the other, a network takes a random batch a step.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxir.typing import Image, Key, Params, Scalar, Times


class Example(NamedTuple):
    """An image, its time, and what the drift should be there."""

    x: Image
    t: Scalar
    target: Image


Draw = Callable[[Key, Scalar, Scalar], Example]
"""(key, number of the time, number of the walk) -> example."""


class Regression(eqx.Module):
    """The interface: a function of (params, x, t) and a way to fit it."""

    @abc.abstractmethod
    def init(self, like: Image, times: Times) -> Params:
        """The params before anything is learnt; `times` are those that they are needed at."""

    @abc.abstractmethod
    def apply(self, params: Params, x: Image, t: Scalar) -> Image:
        """The drift at one image."""

    @abc.abstractmethod
    def fit(
        self, key: Key, params: Params, draw: Draw, times: int, walks: int
    ) -> tuple[Params, Scalar]:
        """The params of least squared error and that error, a mean over pixels and times.

        Args:
            key: for the examples.
            params: to start from.
            draw: makes an example.
            times: how many times there are.
            walks: how many walks there are.
        """


class AffineParams(NamedTuple):
    """A matrix and an offset on the flattened image, at each of the times."""

    times: Times
    matrices: Float[Array, "k d d"]
    offsets: Float[Array, "k d"]


class AffineRegression(Regression):
    """v(x, t) = M_t x + o_t by least squares, exact where both laws are Gaussian; for images of few pixels."""

    def init(self, like: Image, times: Times) -> AffineParams:
        """No drift."""
        k, d = len(times), like.size
        return AffineParams(times, jnp.zeros((k, d, d), like.dtype), jnp.zeros((k, d), like.dtype))

    def apply(self, params: AffineParams, x: Image, t: Scalar) -> Image:
        """M x + o of the nearest time."""
        k = jnp.argmin(jnp.abs(params.times - t))
        flat = jnp.matmul(params.matrices[k], x.ravel(), precision="highest") + params.offsets[k]
        return flat.reshape(x.shape)

    def fit(
        self, key: Key, params: AffineParams, draw: Draw, times: int, walks: int
    ) -> tuple[AffineParams, Scalar]:
        """M = C_vx C_xx⁺ at one time after the other."""

        def at(k: Scalar) -> tuple[Array, Array, Scalar]:
            keys = jax.random.split(jax.random.fold_in(key, k), walks)
            x, _, target = jax.vmap(draw, (0, None, 0))(keys, k, jnp.arange(walks))
            x, target = x.reshape(walks, -1), target.reshape(walks, -1)
            x_mean, mean = jnp.mean(x, axis=0), jnp.mean(target, axis=0)
            x, target = x - x_mean, target - mean
            with jax.default_matmul_precision("highest"):
                matrix = target.T @ x @ jnp.linalg.pinv(x.T @ x, hermitian=True)
                error = jnp.mean((target - x @ matrix.T) ** 2)
                return matrix, mean - matrix @ x_mean, error

        matrices, offsets, errors = jax.lax.map(at, jnp.arange(times))
        return AffineParams(params.times, matrices, offsets), jnp.mean(errors)


class GradientRegression(Regression):
    """Any network, by any optimiser, on a random batch a step.

    Each fit starts from the weights of the one before and from a new state of the optimiser, so a schedule that falls
    to zero in `steps` steps averages the noise of the targets out every time.

    Args:
        params: the weights to start from.
        function: `function(params, x, t) -> v` for one image, hashable, such as `UNet().apply`.
        optimizer: an optax transformation.
        steps: steps of one fit.
        batch: examples a step.
    """

    params: Params
    function: Callable[[Params, Image, Scalar], Image] = eqx.field(static=True)
    optimizer: optax.GradientTransformation = eqx.field(static=True)
    steps: int = eqx.field(static=True, default=1000)
    batch: int = eqx.field(static=True, default=64)

    def __check_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")

    def init(self, like: Image, times: Times) -> Params:
        """The weights that were given."""
        return self.params

    def apply(self, params: Params, x: Image, t: Scalar) -> Image:
        """One evaluation of the network."""
        return self.function(params, x, t)

    def fit(
        self, key: Key, params: Params, draw: Draw, times: int, walks: int
    ) -> tuple[Params, Scalar]:
        """`steps` steps; the error is the mean over them."""

        def loss(params: Params, examples: Example) -> Scalar:
            drift = jax.vmap(self.function, (None, 0, 0))(params, examples.x, examples.t)
            return jnp.mean((drift - examples.target) ** 2)

        def step(carry: tuple, key: Key) -> tuple[tuple, Scalar]:
            params, state = carry
            time, walk, noise = jax.random.split(key, 3)
            examples = jax.vmap(draw)(
                jax.random.split(noise, self.batch),
                jax.random.randint(time, (self.batch,), 0, times),
                jax.random.randint(walk, (self.batch,), 0, walks),
            )
            error, gradient = jax.value_and_grad(loss)(params, examples)
            updates, state = self.optimizer.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), error

        start = (params, self.optimizer.init(params))
        (params, _), errors = jax.lax.scan(step, start, jax.random.split(key, self.steps))
        return params, jnp.mean(errors)
