"""Training a restorer that is told a vector, and the diffusion that finds the vector without the clean image.

A vector is cheap to denoise, so a whole chain of a few steps is run in every training step and differentiated: what is
judged is the image at its end, and the errors of the steps are those that restoration will make.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxir.codecs import CompactCodec
from jaxir.denoisers import NetworkDenoiser
from jaxir.losses.matching import Objective
from jaxir.networks import CompactRestorer, Guided
from jaxir.transitions import DDIM, Transition
from jaxir.typing import Image, Key, Scalar, Times


def rebuilding(network: Guided) -> Objective:
    """The first stage: mean |D(E(x0)) − x0|, with a vector that has seen the clean image. No noise, no times.

    Source: [xia2023diffir].
    """

    def objective(
        key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
    ) -> Scalar:
        codec = CompactCodec(network, denoiser.params, y)
        return jnp.mean(jnp.abs(codec.decode(codec.encode(x0)) - x0))

    return objective


def chained(
    network: CompactRestorer,
    times: Times,
    *,
    weight: float = 1.0,
    transition: Transition = DDIM(0.0),
) -> Objective:
    """The second stage: mean |D(ẑ) − x0| + κ mean |ẑ − z|, ẑ at the end of the whole chain and z = E(x0).

    All is learnt by it but E, which has seen the clean image and stays as the first stage left it.

    Args:
        network: the denoiser's.
        times: of the chain, decreasing; four in the paper.
        weight: κ ≥ 0, of the distillation.
        transition: its steps.

    Source: [xia2023diffir].
    Differs from the paper: the chain starts from noise alone, as it does in restoration, and steps by DDIM.
    """

    def objective(
        key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
    ) -> Scalar:
        codec = CompactCodec(network.restorer, denoiser.params["restorer"], y)
        z = jax.lax.stop_gradient(codec.encode(x0))
        found = chain(key, denoiser, z, times, y, transition=transition)
        image = jnp.mean(jnp.abs(codec.decode(found) - x0))
        return image + weight * jnp.mean(jnp.abs(found - z))

    return objective


def chain(
    key: Key,
    denoiser: NetworkDenoiser,
    like: Image,
    times: Times,
    y: Image | None = None,
    *,
    transition: Transition = DDIM(0.0),
) -> Image:
    """What a sampler would draw along a short grid, the estimate at its last time, with a derivative.

    Args:
        key: for the start and for what a transition draws.
        denoiser: evaluated once at each time.
        like: an image of the shape and dtype of the draw.
        times: decreasing.
        y: the degraded image.
        transition: the steps.
    """
    first, later = jax.random.split(key)
    x = denoiser.process.start(like, times[0], y).sample(first)

    def step(state: tuple, number: Scalar) -> tuple[tuple, None]:
        x, carry = state
        t, s = times[number], times[number + 1]
        taken = transition.step(denoiser, carry, x, t, s, y)
        return (taken.law.sample(jax.random.fold_in(later, number)), taken.carry), None

    state = (x, transition.init(x))
    (x, _), _ = jax.lax.scan(step, state, jnp.arange(len(times) - 1))
    return denoiser(x, times[-1], y)
