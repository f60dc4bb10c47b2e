"""Guidance by a first restoration: what a dial of 0 and one of all mean, closed forms between, and monotone in them."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.codecs import HaarCodec
from jaxir.denoisers import Denoiser, Estimate, MixtureDenoiser
from jaxir.guidance import Centred, ClassifierFree, FirstStageGuided, Ramp, flatness
from jaxir.processes import VP, Process, log_snr_times
from jaxir.samplers import Discrete, sample
from jaxir.transitions import DDIM
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (6, 8, 2)
T = jnp.asarray(0.5)


class Saying(Denoiser):
    """Always the same image."""

    process: Process
    image: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.image)


@functools.cache
def scene():
    """Any image, and a first restoration with a vertical edge of height 0.2 in [0, 1] units."""
    any_image = jax.random.normal(jax.random.key(0), SHAPE) / 3
    first = jnp.zeros(SHAPE).at[:, 4:].set(0.4)
    return any_image, first


@jax.jit
def held(guess, first, scale):
    """One estimate, held to the first restoration."""
    return FirstStageGuided(Saying(VP(), guess), first, scale)(first, T)


@jax.jit
def pulled(guess, centre, t, power, highest=14.6, above=0.05):
    """One estimate, pulled to the centre."""
    return Centred(Saying(VP(), guess), centre, power, highest, above)(centre, t)


@functools.cache
def weight():
    """Of the scene."""
    return np.asarray(jax.jit(flatness)(scene()[1]))


def test_flat_places_count_whole_and_strong_edges_less_than_half():
    flat, edge = weight()[:, [0, 1, 2, 5, 6, 7], 0], weight()[:, 3:5, 0]
    np.testing.assert_array_equal(flat, 1)
    np.testing.assert_allclose(edge, 1 - np.tanh(4 * 0.2), rtol=1e-6)
    assert edge.max() < 0.5


def test_the_step_is_its_closed_form():
    guess, first = scene()
    expected = guess - 0.6 * weight() ** 2 * (guess - first)
    np.testing.assert_allclose(held(guess, first, 0.3), expected, atol=1e-6)


def test_a_scale_of_0_changes_nothing_and_one_half_puts_flat_places_there():
    guess, first = scene()
    np.testing.assert_array_equal(held(guess, first, 0.0), guess)
    np.testing.assert_allclose(held(guess, first, 0.5)[:, :3], first[:, :3], atol=1e-6)


def test_in_the_latents_of_an_orthonormal_codec_it_is_the_same_step():
    guess, first = scene()
    codec = HaarCodec(SHAPE)

    @jax.jit
    def through(guess):
        latent = codec.encode(guess)
        return codec.decode(FirstStageGuided(Saying(VP(), latent), first, 0.3, codec)(latent, T))

    np.testing.assert_allclose(through(guess), held(guess, first, 0.3), atol=1e-6)


def restored(guided):
    """Samples of a mixture of two images under guidance."""
    return sample(
        jax.random.key(1),
        guided,
        shape=SHAPE,
        sampler=Discrete(DDIM()),
        times=log_snr_times(VP(), 8, sigma_max=14.6),
        samples=4,
    ).images


@functools.cache
def prior():
    means = jax.random.normal(jax.random.key(2), (2, *SHAPE)) / 2
    return MixtureDenoiser(VP(), jnp.array([0.5, 0.5]), means, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "guided",
    [
        lambda dial: FirstStageGuided(prior(), scene()[1], dial / 10),
        lambda dial: Centred(prior(), scene()[1], 4 - dial),
    ],
    ids=["first stage", "centre"],
)
def test_the_result_is_nearer_to_the_first_restoration_the_further_the_dial_is_turned(guided):
    dials = (0.0, 1.0, 2.0, 3.0, 3.9)
    gaps = [float(jnp.linalg.norm(restored(guided(dial)) - scene()[1])) for dial in dials]
    assert all(near < far for far, near in itertools.pairwise(gaps))
    assert gaps[-1] < 0.7 * gaps[0]


def test_an_exponent_of_0_is_the_centre_and_an_infinite_one_no_pull():
    guess, centre = scene()
    for t in VP().time(-jnp.log(jnp.array([14.5, 1.0, 0.06]))):
        np.testing.assert_array_equal(pulled(guess, centre, t, 0.0), centre)
        np.testing.assert_array_equal(pulled(guess, centre, t, float("inf")), guess)


def test_the_pull_is_the_power_of_the_level_and_ends_at_the_threshold():
    guess, centre = scene()
    t = VP().time(-jnp.log(jnp.asarray(2.0)))
    expected = guess - (guess - centre) / 64  # (2/8)³
    np.testing.assert_allclose(pulled(guess, centre, t, 3.0, 8.0), expected, atol=1e-5)
    np.testing.assert_array_equal(pulled(guess, centre, t, 3.0, 8.0, 2.1), guess)


def test_a_weight_that_is_a_ramp_is_that_number_at_each_level():
    free, given = scene()

    @jax.jit
    def guided(t):
        ramp = Ramp(clean=4.0, noisy=1.0, highest=10.0)
        return ClassifierFree(Saying(VP(), given), Saying(VP(), free), ramp)(free, t)

    for level, weight in ((0.1, 3.97), (5.0, 2.5), (20.0, 1.0)):
        found = guided(VP().time(-jnp.log(jnp.asarray(level))))
        np.testing.assert_allclose(found, free + weight * (given - free), atol=1e-4)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: FirstStageGuided(prior(), scene()[1], -1.0), "scale is -1.0"),
        (
            lambda: FirstStageGuided(Saying(VP(), scene()[0]), jnp.zeros((2, 2, 2)))(scene()[0], T),
            r"image has shape \(2, 2, 2\) but \(6, 8, 2\) is restored",
        ),
        (lambda: Centred(prior(), scene()[1], -1.0), "power is -1.0"),
        (lambda: Centred(prior(), scene()[1], highest=0.0), "highest is 0.0"),
        (
            lambda: Centred(Saying(VP(), scene()[0]), jnp.zeros((2, 2, 2)))(scene()[0], T),
            r"image has shape \(2, 2, 2\) but the state \(6, 8, 2\)",
        ),
        (lambda: Ramp(1.0, 2.0, 0.0), "highest is 0.0"),
    ],
)
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
