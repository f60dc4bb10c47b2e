"""Every noise: the moments of its draws are those it states, and its density is scipy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxir.degradations import (
    GaussianNoise,
    ImpulseNoise,
    LaplaceNoise,
    PoissonGaussianNoise,
    PoissonNoise,
    SaltAndPepperNoise,
    SpeckleNoise,
    StudentNoise,
)

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.usefixtures("quick_compile")]
NOISES = {
    "Gaussian": GaussianNoise(0.2),
    "Laplace": LaplaceNoise(0.2),
    "Student": StudentNoise(0.2, 8.0),
    "Poisson": PoissonNoise(30.0),
    "Poisson–Gaussian": PoissonGaussianNoise(30.0, 0.1),
    "speckle": SpeckleNoise(0.3),
    "impulse": ImpulseNoise(0.3, 0.1),
    "salt and pepper": SaltAndPepperNoise(0.3, 0.1),
}
MEANS = np.array([-0.8, 0.1, 0.9])
COUNT = 40_000
every = pytest.mark.parametrize("name", NOISES)


def u(x):
    return (x + 1) / 2


def photon_counts(y, mean):
    return stats.poisson.logpmf(np.round(30 * u(y)), 30 * u(mean)).sum()


def impulses(y, mean):
    return np.log(0.3 / 2 * (abs(y) <= 1) + 0.7 * stats.norm.pdf(y, mean, 0.1)).sum()


def salt(y, mean):
    kept = np.log(0.7) + stats.norm.logpdf(y, mean, 0.1)
    return np.where(abs(y) == 1, np.log(0.15), kept).sum()


DENSITIES = {
    "Gaussian": lambda y, m: stats.norm.logpdf(y, m, 0.2).sum(),
    "Laplace": lambda y, m: stats.laplace.logpdf(y, m, 0.2 / np.sqrt(2)).sum(),
    "Student": lambda y, m: stats.t.logpdf(y, 8, m, 0.2).sum(),
    "Poisson": photon_counts,
    "Poisson–Gaussian": lambda y, m: stats.norm.logpdf(y, m, np.sqrt(4 * u(m) / 30 + 0.1**2)).sum(),
    "speckle": lambda y, m: (
        stats.gamma.logpdf(u(y), 1 / 0.09, scale=u(m) * 0.09) - np.log(2)
    ).sum(),
    "impulse": impulses,
    "salt and pepper": salt,
}


@every
def test_draws_have_the_stated_deviation_and_scipys_density(name):
    noise = NOISES[name]
    mean = jnp.asarray(np.repeat(MEANS[:, None], COUNT, 1)[..., None])

    @jax.jit
    def run(noise, mean):
        y = noise.sample(jax.random.key(0), mean)
        return y, jnp.broadcast_to(noise.std(mean), mean.shape)[:, 0, 0], noise.log_prob(y, mean)

    y, std, log_prob = run(noise, mean)
    assert y.dtype == mean.dtype
    squares = (np.asarray(y - mean)[..., 0]) ** 2
    error = squares.std(1) / np.sqrt(COUNT)  # of the mean of the squares
    np.testing.assert_array_less(np.abs(squares.mean(1) - np.asarray(std) ** 2), 4.5 * error)
    expected = DENSITIES[name](np.asarray(y), np.asarray(mean))
    assert float(log_prob) == pytest.approx(expected, rel=1e-9)


@every
def test_the_derivative_of_the_density_is_finite_for_black_white_and_beyond(name):
    y, mean = jnp.array([-1.0, 0.2, 1.0, 1.0, -1.0]), jnp.array([-1.0, 0.1, 1.0, 1.2, -1.1])
    assert np.all(np.isfinite(jax.jit(jax.grad(NOISES[name].log_prob, argnums=1))(y, mean)))


@every
def test_a_new_value_does_not_retrace(name):
    traces = []

    @jax.jit
    def sample(noise, mean):
        traces.append(1)
        return noise.sample(jax.random.key(0), mean)

    noise = NOISES[name]
    results = [
        sample(jax.tree.map(lambda v, s=s: s * v, noise), jnp.full((64,), 0.3)) for s in (1, 0.9)
    ]
    assert len(traces) == 1
    assert not np.array_equal(*results)


@pytest.mark.parametrize("noise", [LaplaceNoise(0.2), StudentNoise(0.2)])
def test_a_complex_number_counts_as_two_real_ones(noise):
    parts, means = jax.random.normal(jax.random.key(0), (2, 2, 50))
    y, mean = jax.lax.complex(*parts), jax.lax.complex(*means)
    assert float(noise.log_prob(y, mean)) == pytest.approx(float(noise.log_prob(parts, means)))
    assert noise.sample(jax.random.key(1), mean).dtype == mean.dtype


def test_students_deviation_is_infinite_where_it_has_none():
    assert np.isinf(StudentNoise(0.2, 2.0).std(jnp.zeros(())))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LaplaceNoise(0.0), "sigma is 0.0, expected a positive number"),
        (lambda: StudentNoise(0.1, -1.0), "freedom is -1.0"),
        (lambda: PoissonNoise(-3.0), "peak is -3.0"),
        (lambda: PoissonGaussianNoise(10.0, -0.1), "sigma is -0.1, expected 0 or more"),
        (lambda: SpeckleNoise(0.0), "strength is 0.0"),
        (lambda: ImpulseNoise(5.0), r"share is 5.0, expected a number in \[0, 1\]"),
        (lambda: SaltAndPepperNoise(-0.1), "share is -0.1"),
    ],
)
def test_it_says_what_came_and_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
