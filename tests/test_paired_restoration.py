"""A network that sees y needs no degradation: its restorations are draws of the law that it has learnt."""

import chex
import jax.numpy as jnp
import pytest

from jaxir.degradations import Degradation, GaussianNoise, Identity
from jaxir.denoisers import Denoiser, Estimate
from jaxir.paired_restoration import restore_paired
from jaxir.processes import IRSDE, VP, Process
from jaxir.samplers import Discrete, sample
from jaxir.testbeds import LinearGaussian, stationary_covariance
from jaxir.transitions import DDIM

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.fixture(scope="module")
def problem():
    degradation = Degradation(Identity((4, 4, 1)), GaussianNoise(0.5))
    return LinearGaussian(jnp.zeros((4, 4, 1)), stationary_covariance(4), degradation)


def test_the_restorations_are_draws_given_y_of_the_conditional_law(problem, key):
    """On a process that moves towards y, with the noise that was asked for."""
    y, seen = jnp.linspace(-1, 1, 16).reshape(4, 4, 1), []
    denoiser = problem.conditional(IRSDE())
    found = restore_paired(
        y, denoiser, steps=5, samples=2, key=key, eta=0.5, callback=lambda *at: seen.append(at)
    )
    expected = sample(
        key, denoiser, y, shape=y.shape, sampler=Discrete(DDIM(0.5)), times=5, samples=2
    )
    chex.assert_trees_all_equal(found.images, expected.images)
    assert seen[-1][0] == seen[-1][1]


class Prior(Denoiser):
    """One of clean images, that is not given y."""

    process: Process

    def estimate(self, x, t, y=None):
        return Estimate(x)


def test_a_prior_of_clean_images_and_what_is_no_image_are_refused_in_one_line(problem):
    with pytest.raises(ValueError, match=r"^prior knows clean images .* trained on pairs$"):
        restore_paired(jnp.zeros((4, 4, 1)), Prior(VP()))
    with pytest.raises(ValueError, match=r"^y has shape \(4, 4\)"):
        restore_paired(jnp.zeros((4, 4)), problem.conditional(IRSDE()))
