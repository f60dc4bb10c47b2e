"""The dial from a draw to the mean: its ends, and the squared error between them where the posterior is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.samplers import Samples, at_fidelity
from jaxir.testbeds import LinearGaussian, stationary_covariance

FIDELITIES = np.linspace(0, 1, 6)


def weights(count: int, fidelity: float) -> np.ndarray:
    """Of each sample in the image that is written, which is linear in them."""
    one_each = jnp.eye(count).reshape(count, count, 1, 1)
    return np.asarray(at_fidelity(Samples(one_each, {}), fidelity)).ravel()


def test_the_ends_are_a_sample_and_the_mean(key):
    samples = Samples(jax.random.normal(key, (5, 3, 4, 2)), {})
    np.testing.assert_array_equal(at_fidelity(samples, 0, number=3), samples.images[3])
    np.testing.assert_array_equal(at_fidelity(samples, 1, number=3), samples.mean)
    alone = Samples(samples.images[:1], {})
    np.testing.assert_array_equal(at_fidelity(alone, 0.7), samples.images[0])


@pytest.mark.parametrize("count", [2, 4, 100])
def test_the_variance_about_the_mean_is_that_of_the_fidelity_for_any_number_of_samples(count):
    """Of independent draws with weights w it is Σ w² P, and no weights of sum 1 have less than P/n."""
    for fidelity in FIDELITIES:
        found = weights(count, fidelity)
        assert found.sum() == pytest.approx(1, abs=1e-5)
        expected = max((1 - fidelity) ** 2, 1 / count)
        assert np.sum(found**2) == pytest.approx(expected, rel=1e-4)


def test_squared_errors_to_the_truth_and_to_the_measurement_fall_as_the_theorem_says(key):
    """E‖x − x₀‖² = tr P (1 + v) and E‖y − A x‖² = ‖y − A μ‖² + v tr A P Aᵀ with v = max((1 − f)², 1/n)."""
    degradation = Degradation(area_downsample((4, 4, 1), 2), GaussianNoise(0.3))
    bed = LinearGaussian(jnp.zeros((4, 4, 1)), stationary_covariance(4), degradation)
    y = jnp.linspace(-1, 1, 4).reshape(2, 2, 1)
    law, operator, trials, count = bed.posterior(y), degradation.operator, 3000, 16
    drawn = law.sample(key, trials * (count + 1)).reshape(trials, count + 1, 4, 4, 1)
    spread = jnp.trace(law.covariance)
    seen = jax.vmap(operator)(jnp.linalg.cholesky(law.covariance).T.reshape(16, 4, 4, 1))
    before = None
    for fidelity in FIDELITIES:
        found = jax.vmap(lambda images, f=fidelity: at_fidelity(Samples(images, {}), f))(
            drawn[:, 1:]
        )
        share = max((1 - fidelity) ** 2, 1 / count)
        to_truth = jnp.sum((found - drawn[:, 0]) ** 2, axis=(1, 2, 3))
        to_y = jnp.sum((y - jax.vmap(operator)(found)) ** 2, axis=(1, 2, 3))
        expected = (
            spread * (1 + share),
            jnp.sum((y - operator(law.mean)) ** 2) + share * jnp.sum(seen**2),
        )
        for error, value in zip((to_truth, to_y), expected, strict=True):
            bound = 4 * jnp.std(error) / np.sqrt(trials)  # four standard errors of the mean
            np.testing.assert_allclose(jnp.mean(error), value, atol=bound)
        means = np.array([jnp.mean(to_truth), jnp.mean(to_y)])
        if before is not None and (1 - fidelity) ** 2 > 1 / count:
            assert np.all(means < before)
        before = means


@pytest.mark.parametrize(("fidelity", "number"), [(-0.1, 0), (1.1, 0), (float("nan"), 0), (0.5, 2)])
def test_what_is_outside_is_refused_in_one_line(fidelity, number):
    with pytest.raises(ValueError, match=r"^(fidelity|number) is .*expected 0.*$"):
        at_fidelity(Samples(jnp.zeros((2, 1, 1, 1)), {}), fidelity, number=number)
