"""The degradation prior of shadows is a proximal step, finds the shadow, and improves on image and guess."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import shadow, shadow_cover, smooth_field
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance import ShadowPrior, transmission
from jaxir.metrics import psnr
from jaxir.processes import VP, Process
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (32, 32, 3)
T = jnp.asarray(0.5)


class Saying(Denoiser):
    """Always the same image."""

    process: Process
    image: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.image)


def scene():
    """A clean image, the cover of its shadow, and it in shadow: 60 % of the light is gone."""
    keys = jax.random.split(jax.random.key(1), 4)
    fields = [smooth_field(key, SHAPE[:2], width=2.0) for key in keys[:3]]
    x0 = 1.2 * jnp.concatenate(fields, axis=-1) - 0.4
    cover = shadow_cover(keys[3], SHAPE, area=0.4, width=8.0)
    return x0, cover, shadow(cover, SHAPE, strength=0.6)(x0)


def test_the_estimate_is_the_minimiser_of_the_two_distances():
    """The derivative of ‖v − h u‖² + γ ‖u − û0‖² vanishes there, with the h that is reported."""
    x0, _, y = scene()
    guess = jnp.clip(x0 + 0.1, -1, 1)
    found = ShadowPrior(Saying(VP(), guess), weight=0.3).estimate(y, T, y)
    h = found.unknowns

    def cost(x):
        light, seen, near = ((image + 1) / 2 for image in (x, y, guess))
        return jnp.sum((seen - h * light) ** 2) + 0.3 * jnp.sum((light - near) ** 2)

    np.testing.assert_allclose(jax.grad(cost)(found.x0_hat), 0, atol=1e-6)


def test_no_shadow_and_a_right_guess_change_nothing():
    x0, _, _ = scene()
    found = ShadowPrior(Saying(VP(), x0)).estimate(x0, T, x0)
    np.testing.assert_allclose(found.unknowns, 1, rtol=1e-5)
    np.testing.assert_allclose(found.x0_hat, x0, atol=1e-5)


def test_a_shadow_of_one_depth_is_found_exactly():
    light = (scene()[0] + 1) / 2
    np.testing.assert_allclose(transmission(light, 0.4 * light, 9), 0.4, rtol=1e-5)
    np.testing.assert_allclose(transmission(0 * light, light, 9), 0, atol=1e-6)  # no 0/0


def test_the_shadow_is_found_by_a_rough_guess_and_the_guess_improved():
    """From a guess whose error has deviation 0.2: masks overlap by 0.8 and more, the truth is nearer."""
    x0, cover, y = scene()
    guess = x0 + 0.2 * jax.random.normal(jax.random.key(2), SHAPE)
    found = ShadowPrior(Saying(VP(), guess)).estimate(y, T, y)
    mask, true = found.unknowns < 0.7, cover > 0.5  # half of the shadow leaves 70 % of the light
    assert jnp.sum(mask & true) / jnp.sum(mask | true) > 0.8
    assert psnr(found.x0_hat, x0) > psnr(guess, x0) + 3
    assert psnr(found.x0_hat, x0) > psnr(y, x0) + 3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ShadowPrior(Saying(VP(), None), weight=0.0), "weight is 0.0"),
        (lambda: ShadowPrior(Saying(VP(), None), window=4), "window is 4, expected an odd"),
        (
            lambda: ShadowPrior(Saying(VP(), None))(jnp.zeros(SHAPE), T),
            r"y has shape None, expected \(32, 32, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
