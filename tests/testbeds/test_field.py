"""The stationary field against dense algebra and against MMSE figures of an independent computation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import (
    ChannelMix,
    Crop,
    Degradation,
    GaussianNoise,
    Grey,
    Mask,
    area_downsample,
    gaussian_blur,
    grey,
    random_mask,
)
from jaxir.processes import IRSDE, VP, brownian_bridge
from jaxir.testbeds import (
    Circulant,
    Iterative,
    LinearGaussian,
    StationaryField,
    field_power,
    scores,
)

pytestmark = pytest.mark.usefixtures("quick_compile")
SIDE, SIGMA = 8, 0.3
SHAPE = (SIDE, SIDE, 1)
MIX = np.array([[0.6, 0.3, 0.1], [0.2, -0.5, 0.7]])
KINDS = ["blur", "reduction", "inpainting"]
EACH = pytest.mark.parametrize("kind", KINDS)


def operator(kind, shape):
    if kind == "blur":
        return gaussian_blur(shape, 0.7), Circulant()
    if kind == "reduction":
        return area_downsample(shape, 2), Circulant()
    return random_mask(jax.random.key(0), shape, missing=0.5), Iterative(500, 1e-12)


def problem(kind, shape=SHAPE, sigma=SIGMA) -> StationaryField:
    a, system = operator(kind, shape)
    mean = jnp.linspace(-0.5, 0.5, np.prod(shape)).reshape(shape)
    return StationaryField(
        mean, field_power(shape[0]), Degradation(a, GaussianNoise(sigma)), system
    )


def dense(bed) -> LinearGaussian:
    """The same problem with its covariance written down."""
    covariance = np.asarray(bed.prior.covariance)
    return LinearGaussian(bed.mean, jnp.asarray(covariance), bed.degradation)


@EACH
def test_the_posterior_equals_dense_algebra(x64, kind):
    bed = problem(kind)
    _, y = bed.draw(jax.random.key(1))
    expected, law = dense(bed).posterior(bed.degradation.operator.clean(y)), bed.posterior(y)
    np.testing.assert_allclose(law.mean, expected.mean, atol=1e-9)
    np.testing.assert_allclose(law.covariance, expected.covariance, atol=1e-9)
    np.testing.assert_allclose(law.std, expected.std, atol=1e-9)
    np.testing.assert_allclose(bed.prior.std, 1, rtol=1e-12)


@EACH
def test_the_denoisers_equal_dense_algebra(x64, kind):
    """E[x0 | x_t] by FFT, and E[x0 | x_t, y] on processes with and without y in the state."""
    bed = problem(kind)
    _, y = bed.draw(jax.random.key(1))
    y, x = bed.degradation.operator.clean(y), jax.random.normal(jax.random.key(2), SHAPE)
    same, t = dense(bed), jnp.asarray(0.4)
    np.testing.assert_allclose(bed.denoiser(VP())(x, t), same.denoiser(VP())(x, t), atol=1e-9)
    for process in (VP(), IRSDE(lift=bed.lift), brownian_bridge(lift=bed.lift)):
        found, expected = (b.conditional(process)(x, t, y) for b in (bed, same))
        np.testing.assert_allclose(found, expected, atol=1e-8)


@EACH
def test_draws_of_the_posterior_have_its_moments(x64, kind):
    """Within 4.5 standard errors of the mean; the whitened covariance inside (1 ± 1.3 √(d/n))² for d = 64, n = 4000."""
    bed, count = problem(kind), 4000
    _, y = bed.draw(jax.random.key(1))
    law = bed.posterior(y)
    draws = law.sample(jax.random.key(3), count)
    assert scores.mean_error(draws, law.mean, law.std) < 4.5 / np.sqrt(count)
    spectrum = np.linalg.eigvalsh(scores.whitened_covariance(draws, law.covariance))
    width = 1.3 * np.sqrt(SIDE**2 / count)
    assert (1 - width) ** 2 < spectrum[0]
    assert spectrum[-1] < (1 + width) ** 2


@functools.cache
def mmse(kind, side=32):
    shape = (side, side, 1)
    a, system = {
        "blur": (gaussian_blur(shape, 1.6), Circulant()),
        "reduction": (area_downsample(shape, 4), Circulant()),
    }[kind]
    degradation = Degradation(a, GaussianNoise(0.1))
    bed = StationaryField(jnp.zeros(shape), field_power(side), degradation, system)
    return float(jnp.mean(bed.posterior(jnp.zeros(a.output_shape)).std ** 2))


@pytest.mark.parametrize(("kind", "published"), [("blur", 0.148), ("reduction", 0.331)])
def test_the_least_error_is_that_of_an_independent_computation(kind, published):
    """The figures of the project's mathematical reference, found with dense 1024² algebra in numpy; three digits."""
    assert round(mmse(kind), 3) == published


def test_the_least_error_of_inpainting():
    """0.160 is that of one mask with 30 % seen; dense algebra of the law here over five masks holds it."""
    k = np.fft.fftfreq(32) * 32
    power = (1 + (k[:, None] ** 2 + k**2) / 9) ** -2.0
    row = np.fft.ifft2(power / power.mean()).real
    i = np.arange(1024)
    covariance = row[(i[:, None] // 32 - i // 32) % 32, (i[:, None] % 32 - i % 32) % 32]
    errors = []
    for seed in range(5):
        seen = np.flatnonzero(np.random.default_rng(seed).random(1024) < 0.3)
        cross = covariance[:, seen]
        system = covariance[np.ix_(seen, seen)] + 0.01 * np.eye(len(seen))
        errors.append(1 - np.mean(np.sum(cross * np.linalg.solve(system, cross.T).T, axis=1)))
    assert min(errors) < 0.16 < max(errors)
    shape = (32, 32, 1)
    mask = np.zeros(1024, bool)
    mask[seen] = True
    bed = StationaryField(
        jnp.zeros(shape),
        field_power(32),
        Degradation(Mask(mask.reshape(32, 32), shape), GaussianNoise(0.1)),
        Iterative(),
    )
    found = float(jnp.mean(bed.posterior(jnp.zeros(shape)).std ** 2))
    np.testing.assert_allclose(
        found, errors[-1], rtol=1e-3
    )  # float32, residual 1e-6, condition 4e3


def test_a_perfect_sampler_has_twice_the_least_error():
    """E|sample − x0|² = 2 MMSE at 64 × 64, three decibels below the mean; and the posterior mean attains the MMSE."""
    bed = problem("reduction", (64, 64, 1), 0.1)
    least = float(jnp.mean(bed.posterior(jnp.zeros((32, 32, 1))).std ** 2))

    def one(key):
        drawn, sampled = jax.random.split(key)
        x0, y = bed.draw(drawn)
        law = bed.posterior(y)
        return jnp.mean((law.mean - x0) ** 2), jnp.mean((law.sample(sampled, 1)[0] - x0) ** 2)

    errors = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 16)))
    for found, expected in zip(errors, (least, 2 * least), strict=True):
        assert abs(found.mean() - expected) < 4.5 * found.std(ddof=1) / 4


def test_large_fields_give_a_mean_and_draws():
    """256 × 256: nothing dense; the residual of the draws has the size of the noise."""
    bed = problem("blur", (256, 256, 1), 0.1)
    _, y = bed.draw(jax.random.key(0))
    law = bed.posterior(y)
    assert law.covariance is None
    draw = law.sample(jax.random.key(1), 1)[0]
    residual = float(jnp.std(bed.degradation(draw) - y))
    # of y − A x with x of the posterior: E = 2 σ² Σ... at most √2 σ and at least the floor of the unseen modes
    assert 0.1 < residual < 0.1 * np.sqrt(2)
    assert 0 < float(law.std.min()) < float(bed.prior.std.min())


@pytest.mark.parametrize(
    "mixing",
    [grey((6, 6, 3)), area_downsample((6, 6, 2), 2) @ ChannelMix(MIX, (6, 6, 3))],
    ids=["colours to grey", "mixed colours, smaller"],
)
def test_channels_that_are_mixed_have_the_deviations_of_dense_algebra(x64, mixing):
    """One entry of an image after the other: the posterior correlates the channels of a pixel."""
    system = Circulant() if isinstance(mixing, Grey) else Iterative(500, 1e-12)
    mean = jnp.zeros(mixing.shape)
    bed = StationaryField(mean, field_power(6), Degradation(mixing, GaussianNoise(SIGMA)), system)
    law, expected = bed.posterior(jnp.ones(mixing.output_shape)), dense(bed)
    right = expected.posterior(jnp.ones(mixing.output_shape))
    np.testing.assert_allclose(law.mean, right.mean, atol=1e-9)
    np.testing.assert_allclose(law.std, right.std, atol=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        random_mask(jax.random.key(0), SHAPE, missing=0.5),
        Mask(jnp.ones((SIDE, SIDE)).at[3, 4].set(0), SHAPE),
        Crop(SHAPE, 2),
        Crop(SHAPE, 1) @ gaussian_blur(SHAPE, 0.7),
        area_downsample(SHAPE, 1.5),
        ChannelMix(MIX, (SIDE, SIDE, 3)),
    ],
    ids=["mask", "one hole", "crop", "valid blur", "by 1.5", "mixed channels"],
)
def test_what_is_not_a_circular_convolution_is_refused(other):
    """Of a white field too, of which S may be circulant where A is not: the deviations would not repeat."""
    degradation = Degradation(other, GaussianNoise(0.1))
    for power in (field_power(SIDE), jnp.ones((SIDE, SIDE, 1))):
        with pytest.raises(TypeError, match=r"not a circular convolution.*pass system=Iterative"):
            StationaryField(jnp.zeros(other.shape), power, degradation)


def test_a_field_may_be_made_inside_a_compiled_function():
    """Values that are traced cannot be tried; the denoiser that sees y makes a field at every step."""
    bed = problem("blur")
    y = bed.degradation(bed.mean)
    found = jax.jit(lambda t: bed.conditional(VP())(bed.mean, t, y))(0.4)
    np.testing.assert_allclose(found, bed.conditional(VP())(bed.mean, 0.4, y), atol=1e-5)


def test_what_does_not_fit_is_refused():
    good = problem("blur")
    with pytest.raises(ValueError, match=r"power has shape \(4, 4, 1\), expected \(8, 8, 1\)"):
        StationaryField(good.mean, field_power(4), good.degradation)
    with pytest.raises(ValueError, match="StationaryField knows no"):
        good.denoiser(IRSDE())
