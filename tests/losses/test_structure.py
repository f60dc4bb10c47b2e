"""Singular values of groups of patches: what they ignore, what they see, and derivatives where they coincide."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.denoisers import Denoiser, Estimate
from jaxir.losses import structure_loss, structured
from jaxir.losses.structure import nearest, patches
from jaxir.processes import VP, Process
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")

SMALL = functools.partial(structure_loss, patch=4, groups=3, size=5)


def image(number, size=16):
    return jax.random.normal(jax.random.key(number), (size, size, 1), jnp.float64)


def test_it_is_the_mean_distance_of_singular_values_of_like_patches(key):
    """Written out again with numpy."""
    found, true = image(1), image(2)
    total = []
    for centre in jax.random.randint(key, (3,), 0, 49):
        windows = [
            np.array(
                [
                    np.ravel(x[i : i + 4, j : j + 4])
                    for i in range(0, 13, 2)
                    for j in range(0, 13, 2)
                ]
            )
            for x in (found, true)
        ]
        order = np.argsort(np.sum((windows[1] - windows[1][centre]) ** 2, axis=1))[:5]
        values = [np.linalg.svd(w[order], compute_uv=False) for w in windows]
        total.append(np.sum(np.abs(values[0] - values[1])) / np.sqrt(5 * 16))
    np.testing.assert_allclose(SMALL(key, found, true), np.mean(total), rtol=1e-10)


def test_the_nearest_patch_is_the_patch_itself():
    parts = patches(image(3), 4)
    assert nearest(parts, jnp.asarray(7), 4)[0] == 7


def test_a_sign_changes_nothing_and_noise_does(key):
    true = image(2)
    assert SMALL(key, true, true) == 0
    assert SMALL(key, -true, true) < 1e-12
    assert SMALL(key, true + 0.1 * image(4), true) > 1e-3


def test_its_derivative_is_the_difference_quotient(key):
    def loss(x):
        return SMALL(key, x, image(2))

    point, along, step = image(1), image(5), 1e-6
    quotient = (loss(point + step * along) - loss(point - step * along)) / (2 * step)
    np.testing.assert_allclose(jnp.sum(along * jax.grad(loss)(point)), quotient, rtol=1e-5)


@pytest.mark.parametrize("same", [jnp.zeros((16, 16, 1)), jnp.ones((16, 16, 1))])
def test_its_derivative_is_finite_where_singular_values_coincide(key, same):
    """Equal patches: all singular values but one are zero; at zero all are."""
    gradient = jax.grad(lambda x: SMALL(key, x, image(2)))(same.astype(jnp.float64))
    assert jnp.all(jnp.isfinite(gradient))
    assert jnp.any(gradient != 0)


def test_two_equal_positive_singular_values_have_finite_derivatives():
    """A group of orthogonal patches of one length: every singular value is the same."""
    gradient = jax.grad(lambda m: jnp.sum(jnp.abs(jnp.linalg.svdvals(m) - 0.5)))(jnp.eye(4))
    np.testing.assert_allclose(gradient, np.eye(4), atol=1e-12)


class Off(Denoiser):
    """Errs by one number everywhere."""

    process: Process
    image: Image
    error: float

    def estimate(self, x, t, y=None):
        return Estimate(self.image + self.error)


def test_the_objective_adds_the_structure_where_the_signal_is_strong(key):
    """w (x̂0 − x0)² + κ a⁴ S."""
    x0, process, t = image(2), VP(), jnp.asarray(0.3)
    a = process.coefficients(t).a
    objective = structured(
        weight=2.0, weighting=lambda denoiser, t: 3.0, structure=lambda key, found, true: 5.0
    )
    np.testing.assert_allclose(
        objective(key, Off(process, x0, 0.1), x0, t), 3 * 0.1**2 + 2 * a**4 * 5, rtol=1e-10
    )


def test_an_image_of_too_few_patches_is_refused(key):
    with pytest.raises(ValueError, match=r"size is 16 but an image of \(16, 16, 1\) has 9 patches"):
        structure_loss(key, image(1), image(1))
