"""The law N(mean, scale scaleᵀ): its density is scipy's and its draws have its moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

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
