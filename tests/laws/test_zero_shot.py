"""Zero-shot restoration where all is known: what each method claims holds exactly, and what it costs is said."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import affine

from jaxir.degradations import (
    Blur,
    Degradation,
    GaussianNoise,
    Mask,
    area_downsample,
    from_linear_function,
    gaussian_blur,
)
from jaxir.denoisers import Denoiser, Estimate, GaussianDenoiser
from jaxir.guidance import ADMM, DDNM, DDRM, TMPD, PublishedDPS, Replacement
from jaxir.processes import EDM, VE, VP, Flow, Process, log_snr_times
from jaxir.samplers import (
    DAPS,
    Discrete,
    MCGDiff,
    REDDiff,
    Samples,
    Twisted,
    WarmStart,
    sample,
)
from jaxir.testbeds import LinearGaussian, stationary_covariance
from jaxir.transitions import DDIM, Ancestral
from jaxir.typing import Image

SHAPE = (4, 4, 1)
SIZE = 16
KERNEL = np.outer([0.2, 0.5, 0.3], [0.2, 0.6, 0.2])
KNOWN = np.random.default_rng(5).random((4, 4)) < 0.5
OPERATORS = {
    "mask": lambda: Mask(jnp.asarray(KNOWN), SHAPE),
    "area": lambda: area_downsample(SHAPE, 2),
    "blur": lambda: Blur(KERNEL, SHAPE),
}
each_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


def problem(operator, sigma=0.1):
    mean = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE)) / 2
    degradation = Degradation(operator, GaussianNoise(sigma))
    return LinearGaussian(mean, stationary_covariance(4), degradation)


def measured(bed):
    return bed.degradation.operator.clean(bed.draw(jax.random.key(3))[1])


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


def test_tmpd_is_the_exact_conditional_denoiser_where_pixels_are_independent(x64):
    """N(m, v I) seen through a mask: A V Aᵀ is diagonal, and its row sums are its diagonal."""
    mean, variance = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE)), 0.4
    bed = LinearGaussian(mean, variance * jnp.eye(SIZE), problem(OPERATORS["mask"]()).degradation)
    y = measured(bed)
    m, covariance = bed.posterior(y)
    exact = GaussianDenoiser(VP(), m, jnp.eye(SIZE), jnp.diagonal(covariance))
    prior = GaussianDenoiser(VP(), mean, jnp.eye(SIZE), jnp.full(SIZE, variance))
    guided = TMPD(prior, bed.degradation)
    x = jnp.asarray(np.random.default_rng(2).normal(size=SHAPE))
    for t in (0.05, 0.4, 0.9):
        t = jnp.asarray(t)
        chex.assert_trees_all_close(guided(x, t, y), exact(x, t, y), atol=1e-10)


@each_operator
@pytest.mark.parametrize("process", [VP(), VE(sigma_max=20.0)], ids=["VP", "VE"])
@pytest.mark.parametrize(("eta", "eta_b"), [(0.85, 1.0), (0.5, 0.6), (1.0, 0.3)])
def test_for_the_true_image_a_ddrm_step_keeps_the_marginal(x64, operator, process, eta, eta_b):
    """Over the noise of y and its own, x_s ~ N(a x0, σ² I): a factor √2 on the noise, as published code has, is seen.

    The state's noise and that of y are independent, which makes the law of a coordinate N(a x0, σ²) in each case.
    """
    operator, sigma = operator(), 0.1
    transition = DDRM(Degradation(operator, GaussianNoise(sigma)), eta, eta_b)
    x0 = jnp.asarray(np.random.default_rng(0).normal(size=SHAPE))
    clean = operator(x0)
    for t, s in ((0.9, 0.7), (0.5, 0.3), (0.1, 0.05)):
        t, s = jnp.asarray(t), jnp.asarray(s)
        now, then = process.coefficients(t), process.coefficients(s)

        def step(x, y, t=t, s=s):
            return transition.step(Oracle(process, x0), None, x, t, s, y).law

        mid = now.a * x0
        by_state, _ = affine(lambda x: step(x, clean).mean, SHAPE)
        flat = clean.size
        by_y = jnp.stack(
            [
                (step(mid, clean + e.reshape(clean.shape)).mean - step(mid, clean).mean).ravel()
                for e in jnp.eye(flat)
            ],
            axis=1,
        )
        fresh, _ = affine(step(mid, clean).scale, SHAPE)
        covariance = now.sigma**2 * by_state @ by_state.T + sigma**2 * by_y @ by_y.T
        covariance += fresh @ fresh.T
        chex.assert_trees_all_close(step(mid, clean).mean, then.a * x0, atol=1e-10)
        chex.assert_trees_all_close(covariance, then.sigma**2 * jnp.eye(SIZE), atol=1e-9)


@each_operator
def test_without_noise_ddrm_ddnm_and_replacement_reproduce_the_measurement(key, operator):
    bed = problem(operator(), sigma=0.0)
    y, prior = measured(bed), bed.denoiser(VP())
    methods = [
        (prior, DDRM(bed.degradation)),
        (DDNM(prior, bed.degradation), DDIM(0.85)),
        (prior, Replacement(Ancestral(), bed.degradation)),
    ]
    for denoiser, transition in methods:
        found = sample(
            key, denoiser, y, shape=SHAPE, sampler=Discrete(transition), times=20, samples=2
        )
        residual = jax.vmap(bed.degradation)(found.images) - y
        assert jnp.linalg.norm(residual) < 1e-5 * jnp.linalg.norm(y) * np.sqrt(2)


@pytest.mark.parametrize("name", ["ddnm", "replacement", "mcg"])
def test_without_noise_known_pixels_are_kept_to_the_last_bit(key, name):
    bed = problem(OPERATORS["mask"](), sigma=0.0)
    y, prior = measured(bed), bed.denoiser(VP())
    guided, transition = {
        "ddnm": (DDNM(prior, bed.degradation), DDIM(0.85)),
        "replacement": (prior, Replacement(Ancestral(), bed.degradation)),
        "mcg": (
            prior,
            Replacement(PublishedDPS(Ancestral(), bed.degradation, 0.3), bed.degradation),
        ),
    }[name]
    found = sample(key, guided, y, shape=SHAPE, sampler=Discrete(transition), times=20)
    np.testing.assert_array_equal(found.images[0][KNOWN], y[KNOWN])


def test_replacement_above_a_level_leaves_the_end_to_the_prior(x64):
    """ILVR's range: below it the step is the inner one."""
    bed = problem(OPERATORS["area"](), sigma=0.0)
    y, prior = measured(bed), bed.denoiser(EDM())
    inner = Ancestral()
    outer = Replacement(inner, bed.degradation, above=1.0)
    x = jnp.asarray(np.random.default_rng(2).normal(size=SHAPE))
    (high, mid, low) = (prior.process.time(-jnp.log(level)) for level in (4.0, 2.0, 0.5))
    free = inner.step(prior, None, x, mid, low, y).law
    law = outer.step(prior, None, x, mid, low, y).law
    chex.assert_trees_all_close((law.mean, law.scale(x)), (free.mean, free.scale * x), rtol=1e-12)
    bound = outer.step(prior, None, x, high, mid, y).law
    chex.assert_trees_all_close(bed.degradation(bound.mean), y, atol=1e-12)


def test_ddrm_near_its_published_setting_has_the_posterior_mean(x64):
    """20 steps, η = 0.85: within 0.15 posterior deviations, as measured of an independent implementation (0.09)."""
    bed = problem(OPERATORS["blur"]())
    y, prior = measured(bed), bed.denoiser(VP())
    transition = DDRM(bed.degradation)
    m, covariance = bed.posterior(y)
    times = log_snr_times(VP(), 20)

    def visit(x, pair):
        step = transition.step(prior, None, x, *pair, y)
        return step.law.mean, None

    x, _ = jax.lax.scan(visit, jnp.zeros(SHAPE), jnp.stack([times[:-1], times[1:]], axis=1))
    found = transition.step(prior, None, x, times[-1], times[-1], y).estimate.x0_hat
    error = (found - m).ravel() / jnp.sqrt(jnp.diagonal(covariance))
    assert jnp.sqrt(jnp.mean(error**2)) < 0.15


@each_operator
def test_at_a_fixed_level_admm_comes_to_rest_at_the_posterior_mean(x64, operator):
    """D of a Gaussian prior is its proximal map, so with λ = 1 the splitting minimises the negative log posterior."""
    bed = problem(operator())
    y = measured(bed)
    prior, transition = bed.denoiser(EDM()), ADMM(bed.degradation)
    t = EDM().time(-jnp.log(0.2))

    def visit(_, x):
        return transition.step(prior, None, x, t, t, y).law.mean

    x = jax.lax.fori_loop(0, 3000, visit, jnp.zeros(SHAPE))
    found = transition.step(prior, None, x, t, t, y).estimate.x0_hat
    chex.assert_trees_all_close(found, bed.posterior(y)[0], atol=1e-6)


def test_a_warm_start_begins_with_the_forward_law_of_its_image(x64, key):
    """CCDF: from the exact image at the first time, the oracle's way ends at it, whatever the sampler."""
    bed = problem(OPERATORS["mask"]())
    image = jnp.asarray(np.random.default_rng(2).normal(size=SHAPE))
    times = log_snr_times(VP(), 10, sigma_max=0.5)
    law = WarmStart(Discrete(), image).start(bed.denoiser(VP()), image, times, None)
    expected = VP().marginal(image, times[0])
    chex.assert_trees_all_close((law.mean, law.scale), (expected.mean, expected.scale))
    with pytest.raises(ValueError, match="image has shape"):
        sample(
            key, bed.denoiser(VP()), shape=(8, 8, 1), sampler=WarmStart(Discrete(), image), times=4
        )


def pair(sigma=0.3):
    """Two correlated pixels of which one is seen."""
    covariance = jnp.array([[1.0, 0.6], [0.6, 0.8]])
    degradation = Degradation(Mask(jnp.array([[1, 0]]), (1, 2, 1)), GaussianNoise(sigma))
    bed = LinearGaussian(jnp.array([0.3, -0.2]).reshape(1, 2, 1), covariance, degradation)
    return bed, measured(bed)


def compare(bed, y, images):
    """(largest error of the mean in deviations, eigenvalues of the whitened covariance)."""
    mean, covariance = (np.asarray(v) for v in bed.posterior(y))
    flat = np.asarray(images).reshape(len(images), -1)
    error = (flat.mean(axis=0) - mean.ravel()) / np.sqrt(np.diag(covariance))
    half = np.linalg.inv(np.linalg.cholesky(covariance))
    return np.max(np.abs(error)), np.linalg.eigvalsh(half @ np.cov(flat.T) @ half.T)


@pytest.mark.parametrize(
    ("make", "steps"),
    [(lambda d, n: Twisted(d, n, 1.0), 200), (lambda d, n: MCGDiff(d, n, DDIM(1.0)), 200)],
    ids=["twisted", "mcgdiff"],
)
@pytest.mark.parametrize("process", [VP(), VE(sigma_max=20.0)], ids=["VP", "VE"])
def test_particles_have_the_posterior(key, make, steps, process):
    """16,384 of them in two dimensions: mean within 0.1 deviations, spectrum 0.8 to 1.2."""
    bed, y = pair()
    found = sample(
        key,
        bed.denoiser(process),
        y,
        shape=(1, 2, 1),
        sampler=make(bed.degradation, 16384),
        times=steps,
    )
    assert len(found.images) == 16384
    error, spectrum = compare(bed, y, found.images)
    assert error < 0.1
    assert spectrum[0] > 0.8
    assert spectrum[-1] < 1.2


def test_the_error_of_particles_falls_with_their_number(key):
    """Over 16 runs, from 16 to 1024 particles: the error of the mean falls by more than 2, of an expected 8."""
    bed, y = pair()
    errors = []
    for count in (16, 1024):
        found = sample(
            key,
            bed.denoiser(VP()),
            y,
            shape=(1, 2, 1),
            sampler=Twisted(bed.degradation, count, 1.0),
            times=60,
            samples=16,
        )
        means = np.asarray(found.images).reshape(16, count, 2).mean(axis=1)
        exact, covariance = (np.asarray(v) for v in bed.posterior(y))
        scaled = (means - exact.ravel()) / np.sqrt(np.diag(covariance))
        errors.append(np.sqrt(np.mean(scaled**2)))
    assert errors[1] < errors[0] / 2


def test_daps_and_red_diff_have_about_the_posterior_mean(key):
    """Both are approximations: a quarter of a deviation is what they are held to, no width is claimed."""
    bed, y = pair()
    for sampler, samples in ((DAPS(bed.degradation), 512), (REDDiff(bed.degradation), 64)):
        found = sample(
            key,
            bed.denoiser(VP()),
            y,
            shape=(1, 2, 1),
            sampler=sampler,
            times=100,
            samples=samples,
        )
        error, _ = compare(bed, y, found.images)
        assert error < 0.25, type(sampler).__name__


def test_the_residual_of_exact_draws_is_one_for_a_blur_that_sees_little(key):
    """It observes a part of the frequencies, but all of its measurement has noise."""
    shape = (16, 16, 1)
    covariance = stationary_covariance(16)
    degradation = Degradation(gaussian_blur(shape, 1.7), GaussianNoise(0.1))
    bed = LinearGaussian(jnp.zeros(shape), covariance, degradation)
    _, y = bed.draw(key)
    mean, spread = bed.posterior(y)
    draws = jax.random.multivariate_normal(key, mean.ravel(), spread, (40,), method="svd")
    found = Samples(draws.reshape(-1, *shape), {}).residual(degradation, y)
    np.testing.assert_allclose(jnp.mean(found), 1.0, atol=0.15)


def test_a_check_says_what_is_wrong_in_plain_words(key):
    bed = problem(OPERATORS["blur"]())
    x, y = bed.draw(key)
    mean, covariance = bed.posterior(y)
    exact = jax.random.multivariate_normal(key, mean.ravel(), covariance, (40,))
    good = Samples(exact.reshape(-1, *SHAPE), {})
    assert good.check(bed.degradation, y) == []
    assert 0.7 < float(jnp.mean(good.residual(bed.degradation, y))) < 1.3

    wrong = Samples(good.images + 1, {"residual": 0.5, "degeneracy": 40.0})
    words = " ".join(wrong.check(bed.degradation, y))
    for part in ("do not explain", "50% of its residual", "1 in 40"):
        assert part in words
    few = Samples(jnp.tile(x, (3, 1, 1, 1)), {})
    words = " ".join(few.check(bed.degradation, y))
    assert "3 samples" in words
    assert "all the same" in words
    broken = Samples(good.images.at[0].set(jnp.nan), {})
    assert "1 of 40 images are not finite" in " ".join(broken.check(bed.degradation, y))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda d: DDRM(d), TypeError, "singular basis"),
        (lambda d: MCGDiff(d), TypeError, "singular basis"),
        (lambda d: DDRM(problem(OPERATORS["mask"]()).degradation, 2.0), ValueError, "eta is 2.0"),
        (lambda d: ADMM(d, -1.0), ValueError, "weight is -1.0"),
        (lambda d: Twisted(d, 1), ValueError, "particles is 1"),
        (lambda d: Twisted(d).check(Flow(), jnp.ones(1)), ValueError, "let Twisted begin below"),
        (lambda d: Replacement(Ancestral(), d, above=-1.0), ValueError, "above is -1.0"),
        (lambda d: DAPS(d, flow=0), ValueError, "flow is 0"),
        (lambda d: REDDiff(d, rate=0.0), ValueError, "rate is 0.0"),
    ],
)
def test_what_a_method_does_not_admit_is_refused(make, error, text):
    dense = from_linear_function(lambda x: x.ravel()[:3], SHAPE)
    with pytest.raises(error, match=text):
        make(Degradation(dense, GaussianNoise(0.1)))
