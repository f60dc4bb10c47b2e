"""The law N(mean, scale scaleᵀ): its density is scipy's and its draws have its moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxir import gaussian
from jaxir.gaussian import Gaussian

MEAN = np.array([[0.3, -1.0], [2.0, 0.0]])
SCALES = [0.7, np.array([[0.1, 0.5], [1.0, 2.0]])]


@pytest.mark.parametrize("scale", SCALES, ids=["number", "array"])
def test_log_prob_is_scipys(x64, scale):
    x = np.array([[0.1, 0.2], [-0.3, 0.4]])
    expected = stats.norm.logpdf(x, MEAN, scale).sum()
    law = Gaussian(jnp.asarray(MEAN), jnp.asarray(scale))
    np.testing.assert_allclose(law.log_prob(x), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [*SCALES, lambda z: 3 * z], ids=["number", "array", "map"])
def test_draws_have_the_mean_and_the_scale(key, scale):
    """Within four standard errors of 10 000 draws."""
    draws = jax.vmap(Gaussian(jnp.asarray(MEAN), scale).sample)(jax.random.split(key, 10_000))
    std = scale(np.ones(MEAN.shape)) if callable(scale) else scale
    z = (np.asarray(draws) - MEAN) / std
    np.testing.assert_allclose(z.mean(0), 0.0, atol=4 / 100)
    np.testing.assert_allclose(z.var(0), 1.0, atol=4 * np.sqrt(2) / 100)


def test_the_density_of_a_linear_map_is_refused():
    with pytest.raises(TypeError, match="log_prob needs a scale that is a number or an array"):
        Gaussian(jnp.zeros(2), lambda z: z).log_prob(jnp.zeros(2))


@pytest.mark.parametrize("scale", [0.7, np.linspace(0.1, 2, 60).reshape(3, 10, 2), lambda z: 3 * z])
def test_many_numbers_are_drawn_row_by_row_however_many_at_a_time(key, scale, monkeypatch):
    """Row i of the noise is of `fold_in(key, i)`, in a batch of laws too."""
    mean = jnp.arange(60.0).reshape(3, 10, 2)

    def drawn(most):
        monkeypatch.setattr(gaussian, "AT_ONCE", most)
        return np.asarray(jax.vmap(lambda mean: Gaussian(mean, scale).sample(key))(mean[None])[0])

    rows = [jax.random.normal(jax.random.fold_in(key, i), (10, 2)) for i in range(3)]
    z = np.stack(rows)
    expected = mean + (scale(z) if callable(scale) else scale * z)
    for most in (20, 59):
        np.testing.assert_allclose(drawn(most), expected, rtol=1e-6)
    whole = jax.random.normal(key, mean.shape)
    np.testing.assert_allclose(
        drawn(60), mean + (scale(whole) if callable(scale) else scale * whole), rtol=1e-6
    )
