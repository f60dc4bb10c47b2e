"""Both ends of time, where a denominator is 0: a state that says nothing of x0 and a state that is x0, on every bed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import (
    Blur,
    Degradation,
    GaussianNoise,
    Identity,
    Mask,
)
from jaxir.processes import VP, brownian_bridge, pin
from jaxir.testbeds import (
    GaussianMixture,
    Iterative,
    LinearGaussian,
    PairedGaussian,
    StationaryField,
    StoredImages,
    field_power,
    mcgdiff_problem,
    stationary_covariance,
)

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")
SHAPE = (4, 4, 1)
SIGMA = 0.3
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(5, *SHAPE))
BLUR = Blur(np.array([[0.0, 0.1, 0.0], [0.1, 0.6, 0.1], [0.0, 0.1, 0.0]]), SHAPE)


def seen(operator):
    return Degradation(operator, GaussianNoise(SIGMA))


def paired():
    covariance = stationary_covariance(4)
    noise = 0.2 * jnp.eye(16) + 0.05 * stationary_covariance(4, scale=1.0)
    mean = jnp.asarray(IMAGES[0])
    return PairedGaussian(mean, 0.5 * mean, covariance, 0.8 * covariance, 0.64 * covariance + noise)


def field(operator, *system):
    return StationaryField(jnp.asarray(IMAGES[0]), field_power(4), seen(operator), *system)


def mixture(operator):
    weights = jnp.log(jnp.arange(1.0, 6.0))
    return GaussianMixture(weights, jnp.asarray(IMAGES), seen(operator), 0.4)


BEDS = {
    "gaussian": lambda: LinearGaussian(
        jnp.asarray(IMAGES[0]), stationary_covariance(4), seen(BLUR)
    ),
    "paired": paired,
    "field, blur": lambda: field(BLUR),
    "field, mask": lambda: field(Mask(np.eye(4), SHAPE), Iterative(200, 1e-12)),
    "mixture": lambda: mixture(BLUR),
    "stored": lambda: StoredImages(
        jnp.asarray(IMAGES), seen(Identity(SHAPE)), jnp.log(jnp.arange(1.0, 6.0))
    ),
}
EACH = pytest.mark.parametrize("name", BEDS)
PINNED = pytest.mark.parametrize("process", [brownian_bridge(), pin(VP())], ids=["Wiener", "VP"])


def problem(name):
    """The bed, a measurement of the image's shape, and an image that the prior may have drawn."""
    return BEDS[name](), jnp.asarray(RANDOM.normal(size=SHAPE)), jnp.asarray(IMAGES[2])


@EACH
@PINNED
def test_at_the_pinned_end_of_a_bridge_the_state_says_nothing(name, process):
    """x_1 = y whatever x0 is, so that E[x0 | x_1, y] = E[x0 | y]."""
    bed, y, _ = problem(name)
    assert process.coefficients(1.0).sigma == 0
    found = bed.conditional(process)(y, 1.0, y)
    np.testing.assert_allclose(found, bed.posterior(y).mean, rtol=1e-9)
    before = bed.conditional(process)(y, 1 - 1e-12, y)  # and it is the limit
    np.testing.assert_allclose(before, found, atol=1e-4)


@EACH
def test_nothing_seen_leaves_the_bed_as_it_was(name):
    bed, _, x = problem(name)
    left = bed.given(0 * x, 0.0, 0.0).prior
    np.testing.assert_allclose(left.mean, bed.prior.mean, rtol=1e-12)
    np.testing.assert_allclose(left.std, bed.prior.std, rtol=1e-12)


@EACH
def test_at_time_zero_the_state_is_the_clean_image(name):
    """Whatever y says, for both denoisers; and given a = 2 it is half of what was seen."""
    bed, y, x = problem(name)
    assert VP().coefficients(0.0).sigma == 0
    for found in (bed.conditional(VP())(x, 0.0, y), bed.denoiser(VP())(x, 0.0)):
        np.testing.assert_allclose(found, x, rtol=1e-9, atol=1e-9)
    left = bed.given(2 * x, 2.0, 0.0)
    for law in (left.prior, left.posterior(y)):
        np.testing.assert_allclose(law.mean, x, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(law.std, 0, atol=1e-7)
    np.testing.assert_allclose(left.prior.sample(jax.random.key(0), 1)[0], x, atol=1e-7)
    np.testing.assert_allclose(left.posterior(y).sample(jax.random.key(0), 1)[0], x, atol=1e-7)


@EACH
def test_the_likelihood_score_at_time_zero_is_that_of_the_likelihood(name):
    """∇ log p(y | x0), which the score at small times tends to where the law has a density."""
    bed, y, x = problem(name)
    expected = jax.grad(lambda x: bed.degradation.log_prob(y, x))(x)
    np.testing.assert_allclose(bed.likelihood_score(VP(), x, 0.0, y), expected, rtol=1e-9)
    if name != "stored":
        before = bed.likelihood_score(VP(), x, 1e-6, y)  # σ² = 1e-7
        np.testing.assert_allclose(before, expected, atol=1e-4)


@EACH
def test_the_likelihood_score_wants_a_process_without_y(name):
    bed, y, x = problem(name)
    with pytest.raises(ValueError, match="whose state holds y already"):
        bed.likelihood_score(brownian_bridge(), x, 0.5, y)


def test_a_component_that_was_seen_is_certain():
    """The responsibilities of a mixture without variance: the nearest mean, and all where they coincide."""
    bed = mcgdiff_problem(jax.random.key(0), 8, 2)
    left = bed.given(bed.means[3], 1.0, 0.0).prior
    np.testing.assert_allclose(left.responsibilities(bed.means[3]), left.weights, rtol=1e-9)
    apart = GaussianMixture(bed.log_weights, bed.means, bed.degradation, 0.0).prior
    np.testing.assert_array_equal(apart.responsibilities(bed.means[3] + 0.1), np.eye(25)[3])
