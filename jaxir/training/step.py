"""One training step, a pure function: (state, images) -> (state, metrics)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree, UInt8

from jaxir.losses import Following
from jaxir.training.experiment import Experiment
from jaxir.training.pairing import Pairing
from jaxir.typing import Key, Params, Scalar, Times


class TrainState(eqx.Module):
    """All that a run carries from step to step; restoring it resumes the run exactly.

    `skipped` counts the steps whose loss, gradient or update was not finite, which changed nothing; `ema` holds an
    average of the weights for each decay of the experiment.
    """

    step: Array
    skipped: Array
    params: Params
    ema: tuple[Params, ...]
    optimizer: PyTree


class Metrics(eqx.Module):
    """What a step reports.

    `by_time` has the mean loss of each quarter of the span, from its clean end; NaN where the step had no such time.
    """

    loss: Scalar
    gradient_norm: Scalar
    skipped: Scalar
    by_time: Float[Array, " 4"]


def initial_state(experiment: Experiment, transform: optax.GradientTransformation) -> TrainState:
    """New weights from the experiment's seed."""
    params = experiment.network.init(jax.random.key(experiment.seed))
    ema = tuple(jax.tree.map(jnp.copy, params) for _ in experiment.decays)
    zero = jnp.zeros((), jnp.int32)
    return TrainState(zero, zero, params, ema, transform.init(params))


def train_step(
    experiment: Experiment,
    transform: optax.GradientTransformation,
    state: TrainState,
    images: UInt8[Array, "n h w c"],
) -> tuple[TrainState, Metrics]:
    """The objective at stratified times, one update of weights and averages; nothing where a gradient is not finite.

    Every random number is a function of (seed, step, position in the global batch), so the losses do not depend
    on the number of devices or of parts and a resumed run repeats what the interrupted one would have done.
    """
    key = jax.random.fold_in(jax.random.key(experiment.seed), state.step)
    time_key, noise_key = jax.random.split(key)
    order_key = jax.random.fold_in(key, 2)
    count, parts = images.shape[0], experiment.parts
    times = experiment.times(time_key, experiment.process, count)
    keys = jax.random.split(noise_key, count)
    objective = experiment.objective
    if isinstance(objective, Following):
        objective = objective.following(experiment.denoiser(state.ema[0]))

    def loss(
        params: Params,
        part: tuple[Key, UInt8[Array, "m h w c"], Times],
        pairing: Pairing = experiment.pairing,
    ) -> tuple[Scalar, Array]:
        denoiser = experiment.denoiser(params)

        def one(key: Key, image: UInt8[Array, "h w c"], t: Scalar) -> Scalar:
            degrading, noising = jax.random.split(key)
            x0, y = pairing(degrading, image.astype(jnp.float32) / 127.5 - 1)
            return objective(noising, denoiser, x0, t, y)

        losses = jax.vmap(one)(*part)
        quarter = _quarter(experiment, part[2])
        sums = jnp.sum(
            jnp.where(quarter > 0, losses, 0), axis=1
        )  # what is not finite stays in its quarter
        return jnp.mean(losses), jnp.stack([sums, jnp.sum(quarter, axis=1)])

    (value, shares), gradient = _mean_over_parts(
        functools.partial(experiment.gradient, order_key, loss, state.params),
        (keys, images, times),
        parts,
    )
    norm = optax.tree.norm(gradient)
    updates, optimizer = transform.update(gradient, state.optimizer, state.params)
    finite = jnp.isfinite(value + norm + optax.tree.norm(updates))
    params = optax.apply_updates(state.params, updates)
    shortest = (1 + state.step) / (10 + state.step)
    ema = tuple(
        optax.incremental_update(params, old, 1 - jnp.minimum(decay, shortest))
        for decay, old in zip(experiment.decays, state.ema, strict=True)
    )
    new = TrainState(state.step + 1, state.skipped, params, ema, optimizer)
    kept = dataclasses.replace(state, step=state.step + 1, skipped=state.skipped + 1)
    state = jax.tree.map(lambda new, kept: jnp.where(finite, new, kept), new, kept)
    return state, Metrics(value, norm, state.skipped, shares[0] / shares[1])


def _quarter(experiment: Experiment, times: Times) -> Float[Array, "4 n"]:
    """1 where a time is in the quarter of the span, 0 elsewhere."""
    low, high = experiment.process.span
    which = jnp.clip(jnp.floor(4 * (times - low) / (high - low)), 0, 3)
    return jax.nn.one_hot(which.astype(int), 4, axis=0)


def _mean_over_parts(f: Callable[[PyTree], PyTree], batch: PyTree, parts: int) -> PyTree:
    """The mean of f over equal parts of a batch, one after another.

    Part i has every `parts`-th element, so that each has its share on every device.
    """
    if parts == 1:
        return f(batch)
    cut = jax.tree.map(lambda v: jnp.swapaxes(v.reshape(-1, parts, *v.shape[1:]), 0, 1), batch)
    zero = jax.tree.map(
        lambda v: jnp.zeros(v.shape, v.dtype), jax.eval_shape(f, jax.tree.map(lambda v: v[0], cut))
    )

    def add(total: PyTree, part: PyTree) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, f(part)), None

    total, _ = jax.lax.scan(add, zero, cut)
    return jax.tree.map(lambda v: v / parts, total)
