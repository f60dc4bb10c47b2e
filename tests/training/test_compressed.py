"""A restorer of a minute, and what is left of it in half of the steps, in one, in fewer bits and with fewer channels.

Pictures are soft waves, and y is one with noise, so that given y a picture is one of many near each other.
"""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.data import Synthetic
from jaxir.networks import BFloat16, Concatenation, Int8, Quantised, UNet, prune
from jaxir.processes import VP, karras_times, log_snr_times
from jaxir.samplers import Discrete
from jaxir.training import Experiment, consistency, halving, halvings, train, warmup_stable_decay

pytestmark = pytest.mark.slow
SIDE, PICTURES = 16, 64
ONCE = np.ones(1, np.float32)


def noisy(key, crop):
    return crop, crop + 0.5 * jax.random.normal(key, crop.shape)


RUN = Experiment(
    name="tiny",
    source=functools.partial(Synthetic, 256, SIDE),
    network=UNet(widths=(24, 32), blocks=(1, 1), embedding=32, conditioning=Concatenation()),
    process=VP(),
    optimizer=lambda steps: optax.adam(warmup_stable_decay(3e-3, steps)),
    pairing=noisy,
    steps=2000,
    batch=16,
    crop=SIDE,
    ema=0.99,
)


def fitted(run, folder, initial=None):
    return run.denoiser(train(run, folder, log_every=200, initial=initial).ema[0])


@functools.cache
def pictures():
    """Pictures that were not trained on, their y, and the noise that sampling starts from."""
    source = Synthetic(PICTURES, SIDE, seed=1)
    crops = jnp.stack([source[i] for i in range(PICTURES)]).astype(jnp.float32) / 127.5 - 1
    clean, degraded = jax.vmap(noisy)(jax.random.split(jax.random.key(0), PICTURES), crops)
    return clean, degraded, jax.random.normal(jax.random.key(1), clean.shape)


def restored(denoiser, times):
    """By DDIM from the same noise, whoever samples."""
    return sampled(denoiser, times, *pictures()[1:])


@jax.jit
def sampled(denoiser, times, degraded, noise):
    sampler, count = Discrete(), len(times)

    def one(x, y):
        state = sampler.init(denoiser, x, times, y)
        state = sampler.run(jax.random.key(0), denoiser, state, times, y, 0, count)
        return sampler.finish(denoiser, state, times, y).x0_hat

    return jax.vmap(one)(noise, degraded)


def decibels(images, wanted=None):
    """PSNR of the mean square error over all, against the truth unless something else is wanted."""
    wanted = pictures()[0] if wanted is None else wanted
    return 10 * np.log10(4 / np.mean((images - wanted) ** 2))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return fitted(RUN, tmp_path_factory.mktemp("teacher"))


def test_students_of_half_the_steps_are_as_good_and_nearer_to_the_teacher(teacher, tmp_path):
    """Within 0.3 dB at 4 and 2 steps from 8, and by 3 dB nearer to the end of the flow than the teacher in so few."""
    grids = halvings(log_snr_times(VP(), 8), 2)
    flow = restored(teacher, log_snr_times(VP(), 64))
    full, student = decibels(restored(teacher, grids[0])), teacher
    run = dataclasses.replace(RUN, steps=1000)
    for times, shorter in itertools.pairwise(grids):
        student = fitted(halving(run, student, times), tmp_path / f"{len(shorter)}", student)
        found = restored(student, shorter)
        alone = restored(teacher, log_snr_times(VP(), len(shorter)))
        assert decibels(found) > full - 0.3
        assert decibels(found, flow) > decibels(alone, flow) + 3


def test_a_consistency_function_is_in_one_step_near_the_end_of_the_flow(teacher, tmp_path):
    """By 3 dB nearer than the teacher, whose one step is the mean of what may be there."""
    flow = restored(teacher, log_snr_times(VP(), 64))
    run = dataclasses.replace(RUN, ema=0.95)
    student = fitted(consistency(run, teacher, karras_times(VP(), 18)), tmp_path, teacher)
    found, mean = (decibels(restored(d, ONCE), flow) for d in (student, teacher))
    assert found > mean + 3


@pytest.mark.parametrize("storage", [Int8(), BFloat16()], ids=lambda s: type(s).__name__)
def test_stored_weights_lose_less_than_a_third_of_a_decibel(teacher, storage):
    network = Quantised(RUN.network, storage)
    stored = dataclasses.replace(teacher, params=network.pack(teacher.params), apply=network.apply)
    assert decibels(restored(stored, ONCE)) > decibels(restored(teacher, ONCE)) - 0.3


def test_without_a_third_of_its_channels_it_learns_again_what_it_lost(teacher, tmp_path):
    """Within 0.5 dB after 200 steps, in one step, which is E[x0 | y] and shows each error of the network."""
    smaller, params = prune(RUN.network, teacher.params, 0.3)
    run = dataclasses.replace(RUN, network=smaller, steps=200)
    pruned = run.denoiser(params)
    again = fitted(run, tmp_path, pruned)
    full, before, after = (decibels(restored(d, ONCE)) for d in (teacher, pruned, again))
    assert after > max(before, full - 0.5)
