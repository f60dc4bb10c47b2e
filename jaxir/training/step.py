"""One training step, a pure function: (state, images) -> (state, metrics)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree, UInt8

from jaxir.losses import matching_loss
from jaxir.training.experiment import Experiment
from jaxir.typing import Params, Scalar


class TrainState(eqx.Module):
    """All that a run carries from step to step; restoring it resumes the run exactly."""

    step: Array
    params: Params
    ema: Params
    optimizer: PyTree


class Metrics(eqx.Module):
    """What a step reports."""

    loss: Scalar
    gradient_norm: Scalar


def initial_state(experiment: Experiment, transform: optax.GradientTransformation) -> TrainState:
    """New weights from the experiment's seed."""
    params = experiment.network.init(jax.random.key(experiment.seed))
    ema = jax.tree.map(jnp.copy, params)
    return TrainState(jnp.zeros((), jnp.int32), params, ema, transform.init(params))


def train_step(
    experiment: Experiment,
    transform: optax.GradientTransformation,
    state: TrainState,
    images: UInt8[Array, "n h w c"],
) -> tuple[TrainState, Metrics]:
    """Matching loss at stratified times, one optimiser update, one EMA update.

    Every random number is a function of (seed, step, position in the global batch), so the losses do not depend
    on the number of devices and a resumed run repeats what the interrupted one would have done.
    """
    key = jax.random.fold_in(jax.random.key(experiment.seed), state.step)
    time_key, noise_key = jax.random.split(key)
    count = images.shape[0]
    x0 = images.astype(jnp.float32) / 127.5 - 1
    times = experiment.times(time_key, experiment.process, count)

    def loss(params: Params) -> Scalar:
        denoiser = experiment.denoiser(params)

        def one(key, x0, t):
            return matching_loss(key, denoiser, x0, t, weighting=experiment.weighting)

        return jnp.mean(jax.vmap(one)(jax.random.split(noise_key, count), x0, times))

    value, gradient = jax.value_and_grad(loss)(state.params)
    updates, optimizer = transform.update(gradient, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    decay = jnp.minimum(experiment.ema, (1 + state.step) / (10 + state.step))
    ema = optax.incremental_update(params, state.ema, 1 - decay)
    metrics = Metrics(value, optax.tree.norm(gradient))
    return TrainState(state.step + 1, params, ema, optimizer), metrics
