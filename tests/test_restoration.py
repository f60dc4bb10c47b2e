"""restore() draws from the posterior it promises, with the prior and the method that it is given."""

import functools

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir import methods
from jaxir.cli.methods import known
from jaxir.degradations import (
    Blur,
    Degradation,
    GaussianNoise,
    Identity,
    Mask,
    area_downsample,
    bicubic_upsample,
    motion_blur,
    random_mask,
)
from jaxir.denoisers import Denoiser, Estimate, NetworkDenoiser
from jaxir.guidance import MMPS
from jaxir.metrics import psnr
from jaxir.networks.convolution import convolve
from jaxir.photos import photo
from jaxir.pretrained import WeightsError, load, store
from jaxir.processes import VP, Process
from jaxir.restoration import restore
from jaxir.samplers import (
    DAPS,
    FPS,
    BlindDPS,
    DiffusionEM,
    Discrete,
    EnKG,
    MCGDiff,
    REDDiff,
    Twisted,
)
from jaxir.testbeds import LinearGaussian, mean_error, stationary_covariance
from jaxir.tiling import starts
from jaxir.transitions import Renoise

pytestmark = pytest.mark.usefixtures("quick_compile")

SIDE = 4
SHAPE = (SIDE, SIDE, 1)


@pytest.fixture(scope="module")
def problem():
    """16 pixels, 4 measurements: 4 iterations of conjugate gradients are exact."""
    degradation = Degradation(area_downsample(SHAPE, 2), GaussianNoise(0.1))
    return LinearGaussian(jnp.full(SHAPE, 0.3), stationary_covariance(SIDE), degradation)


def test_mmps_with_an_exact_prior_draws_from_the_exact_posterior(problem, key):
    draws = 2000
    y = problem.degradation(jnp.linspace(-1, 1, SIDE**2).reshape(SHAPE))
    restored = restore(
        y,
        problem.degradation,
        prior=problem.denoiser(VP()),
        method=functools.partial(methods.mmps, steps=4),
        steps=200,
        samples=draws,
        key=key,
    )
    found = problem.calibration(restored.images, y)
    assert found.mean_error < 2 / np.sqrt(draws)
    # the deviation converges with the steps, DDIM's first order: 0.946, 0.971, 0.986, 0.989 at 50, 100, 200, 400
    np.testing.assert_allclose(found.std_ratio, 1, atol=0.05)
    np.testing.assert_allclose(found.coverage, 0.9, atol=0.02)
    assert restored.diagnostics["residual"] < 1e-3
    assert restored.diagnostics["evaluations"] == 200
    np.testing.assert_array_equal(restored.mean, jnp.mean(restored.images, axis=0))


@pytest.mark.parametrize(
    ("name", "steps", "least"),
    [
        ("dps", 100, 0.5),
        ("pigdm", 100, 0.5),
        ("tmpd", 100, 0.5),
        ("diffpir", 100, 0.5),
        ("ddnm_plus", 20, 0.5),
        ("ddrm", 20, 0.5),
    ],
)
def test_methods_that_claim_no_calibration_have_the_mean_and_explain_the_measurement(
    key, name, steps, least
):
    """Within 0.55 deviations, the most that an independent implementation of any of them has on such a problem."""
    seen = Mask(np.random.default_rng(0).permutation(16).reshape(SHAPE) < 8, SHAPE)
    degradation = Degradation(seen, GaussianNoise(0.1))
    problem = LinearGaussian(jnp.full(SHAPE, 0.3), stationary_covariance(SIDE), degradation)
    drawing, sampling = jax.random.split(key)
    _, y = problem.draw(drawing)
    law = problem.posterior(y)
    found = restore(
        y,
        problem.degradation,
        prior=problem.denoiser(VP()),
        method=getattr(methods, name),
        steps=steps,
        samples=200,
        key=sampling,
    )
    assert mean_error(found.images, law.mean, law.std) < 0.55
    assert least < jnp.median(found.residual(problem.degradation, y)) < 1.5
    # nearer to the posterior mean is less squared error, on average over the images that `y` may come from
    assert psnr(found.mean, law.mean) > psnr(seen.pinv(y), law.mean)


def test_the_prior_alone_would_fail_that(problem, key):
    """So the test above tests the guidance: what it asserts is far from what the prior gives."""
    y = problem.degradation(jnp.linspace(-1, 1, SIDE**2).reshape(SHAPE))
    unguided = restore(
        y,
        problem.degradation,
        prior=problem.denoiser(VP()),
        method=lambda denoiser, degradation: (denoiser, Discrete()),
        steps=20,
        samples=200,
        key=key,
    )
    assert problem.calibration(unguided.images, y).mean_error > 0.5


def quickly(problem, y, **settings):
    defaults = {"prior": problem.denoiser(VP()), "steps": 2, "samples": 1}
    return restore(y, problem.degradation, **defaults | settings)


def test_a_measurement_of_another_shape(problem):
    line = (
        r"y has shape \(4, 4, 1\) but the degradation's output is \(2, 2, 1\): "
        r"pass the low-resolution image$"
    )
    with pytest.raises(ValueError, match=line):
        quickly(problem, jnp.zeros(SHAPE))
    with pytest.raises(ValueError, match=r"y has shape \(2, 2\) but .* pass what this"):
        quickly(problem, jnp.zeros((2, 2)))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_measurement_that_is_not_finite(problem, value):
    y = np.zeros((2, 2, 1), np.float32)
    y[0, 1] = value
    with pytest.raises(ValueError, match=r"^y holds 1 values that are not finite: fill them in"):
        quickly(problem, y)


@pytest.mark.parametrize("name", ["samples", "chunk", "steps"])
def test_counts_below_1(problem, name):
    with pytest.raises(ValueError, match=r"0.*expected"):
        quickly(problem, jnp.zeros((2, 2, 1)), **{name: 0})


def test_the_prior_may_be_a_name_a_folder_or_a_denoiser(tiny_prior, monkeypatch):
    monkeypatch.setattr(store, "SHIPPED", tiny_prior.parent)
    degradation = Degradation(Identity((8, 8, 3)), GaussianNoise(0.1))
    found = [
        restore(jnp.zeros((8, 8, 3)), degradation, prior=prior, steps=2, samples=1).images
        for prior in (tiny_prior.name, tiny_prior, str(tiny_prior), load(tiny_prior))
    ]
    for other in found[1:]:
        chex.assert_trees_all_equal(found[0], other)
    with pytest.raises(WeightsError, match="no weights called 'faces'"):
        restore(jnp.zeros((8, 8, 3)), degradation, prior="faces")


def test_the_key_alone_decides(problem):
    y = jnp.zeros((2, 2, 1))
    first = quickly(problem, y).images
    chex.assert_trees_all_equal(first, quickly(problem, y, key=jax.random.key(0)).images)
    assert not np.allclose(first, quickly(problem, y, key=jax.random.key(1)).images)


class Counted(Denoiser):
    """A denoiser that tells whenever it is asked, for all draws at once."""

    process: Process
    inner: Denoiser
    asked: jax.tree_util.Partial

    def estimate(self, x, t, y=None):
        jax.debug.callback(self.asked)
        return self.inner.estimate(x, t, y)


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: jax.Array

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


@functools.cache
def field(sigma):
    """A smooth field of 8×8 with half its pixels missing: the truth, the measurement and the bed."""
    shape = (8, 8, 1)
    known = np.random.default_rng(0).random(shape[:2]) < 0.5
    degradation = Degradation(Mask(jnp.asarray(known), shape), GaussianNoise(sigma))
    covariance = 0.25 * stationary_covariance(8, scale=1.0)
    bed = LinearGaussian(jnp.zeros(shape), covariance, degradation)
    truth, y = bed.draw(jax.random.key(2))
    return truth, degradation.operator.clean(y), bed


MADE_FOR_NO_NOISE = ("ddnm", "ilvr", "mcg", "repaint")
BLIND = {
    "blind_dps": lambda kernel: {"kernels": Oracle(VP(), 2 * kernel[..., None] / kernel.max() - 1)},
    "em": lambda kernel: {"rounds": 3},
}


def error(image, truth):
    return jnp.sqrt(jnp.mean((image - truth) ** 2))


@pytest.mark.parametrize("name", sorted(known().keys() - BLIND.keys()))
def test_every_method_restores_better_than_the_pseudo_inverse_and_asks_as_often_as_it_says(name):
    truth, y, bed = field(0.0 if name in MADE_FOR_NO_NOISE else 0.1)
    calls, prior = [], bed.denoiser(VP())
    counted = Counted(prior.process, prior, jax.tree_util.Partial(lambda: calls.append(1)))
    restored = restore(y, bed.degradation, prior=counted, method=known()[name], steps=20, samples=4)
    jax.effects_barrier()
    chex.assert_shape(restored.chains, (4, None, *truth.shape))
    assert restored.finite.all()
    assert restored.diagnostics["evaluations"] == len(calls) >= 20
    assert error(restored.mean, truth) < 0.9 * error(bed.degradation.operator.pinv(y), truth)


@pytest.mark.parametrize("name", BLIND)
def test_every_blind_method_restores_better_than_the_pseudo_inverse_of_its_first_guess(name):
    """A blur over five pixels of a row, guessed as one over three."""
    truth, _, bed = field(0.1)
    kernel = jnp.zeros((5, 5)).at[2].set(0.2)
    y = Degradation(Blur(kernel, bed.shape), bed.degradation.noise).sample(jax.random.key(3), truth)
    shorter = jnp.zeros((5, 5)).at[2, 1:4].set(1 / 3)
    guess = Degradation(Blur(shorter, bed.shape), bed.degradation.noise)
    method = functools.partial(getattr(methods, name), **BLIND[name](kernel))
    restored = restore(y, guess, prior=bed.denoiser(VP()), method=method, steps=20, samples=4)
    chex.assert_shape(restored.chains, (4, None, *truth.shape))
    chex.assert_shape(restored.unknowns, (4, 5, 5))
    assert restored.finite.all()
    assert error(restored.mean, truth) < 0.9 * error(guess.operator.pinv(y), truth)


def test_pigdm_as_published_is_exact_for_pixels_of_unit_variance(x64):
    """N(m, I): its denoiser is E[x0 | x_t, y] at every noise level."""
    degradation = Degradation(area_downsample(SHAPE, 2), GaussianNoise(0.1))
    bed = LinearGaussian(jnp.full(SHAPE, 0.2), jnp.eye(SIDE**2), degradation)
    guided, _ = methods.pigdm(bed.denoiser(VP()), degradation)
    exact = bed.conditional(VP())
    rng = np.random.default_rng(1)
    x, y = jnp.asarray(rng.normal(size=SHAPE)), jnp.asarray(rng.normal(size=(2, 2, 1)))
    for t in (0.1, 0.5, 0.9):
        t = jnp.asarray(t)
        chex.assert_trees_all_close(guided(x, t, y), exact(x, t, y), atol=1e-8)


def by_neighbours(params, x, condition):
    """Sees two pixels far."""
    return convolve(jnp.tanh(convolve(x, params)), params)


def local_prior():
    kernel = jax.random.normal(jax.random.key(5), (3, 3, 3, 3)) / 5
    return NetworkDenoiser(VP(), kernel, by_neighbours)


def noisy_half(size):
    shape = (*size, 3)
    seen = random_mask(jax.random.key(6), shape, missing=0.5)
    degradation = Degradation(seen, GaussianNoise(0.1))
    clean = jnp.tanh(jax.random.normal(jax.random.key(7), shape))
    return degradation.sample(jax.random.key(8), clean), degradation


@pytest.mark.parametrize(
    "size", [(1, 1), (17, 31), (61, 53), pytest.param((513, 769), marks=pytest.mark.slow)]
)
def test_restored_in_tiles_an_image_is_that_of_the_whole(size):
    """A quarter of the overlap, two pixels, is as far as the network sees; through every step of a guided sampler.

    In tiles the samples are drawn one at a time and kept on the host.
    """
    y, degradation = noisy_half(size)
    settings = {"prior": local_prior(), "steps": 4, "samples": 2, "overlap": 8}
    whole, tiled = (restore(y, degradation, tile=tile, **settings) for tile in (0, 16))
    chex.assert_trees_all_close(tiled.images, whole.images, atol=1e-4)
    assert jnp.std(whole.images) > 0.1
    cut = max(size) > 16
    assert (whole.diagnostics["tile"], tiled.diagnostics["tile"]) == (0, 16 if cut else 0)
    assert isinstance(tiled.images, np.ndarray) == cut


@pytest.mark.slow
def test_the_seams_of_tiles_are_as_steep_as_the_rest():
    """The mean absolute difference of neighbours across the edges of tiles of the shipped prior against elsewhere.

    As a share of the same in the restoration of the whole, since the photograph has edges of its own there.
    """
    truth = jnp.clip(bicubic_upsample(jnp.asarray(photo("cat")), 2), -1, 1)
    degradation = Degradation(motion_blur(truth.shape, 9, 30), GaussianNoise(0.05))
    y, tile, overlap, prior = (
        degradation.sample(jax.random.key(1), truth),
        64,
        16,
        load("natural-prior"),
    )
    margin, side = overlap // 4, len(truth)
    begin = starts(side, tile, tile - overlap)
    seams = [start + margin - 1 for start in begin[1:]]
    seams += [start + tile - margin - 1 for start in begin[:-1]]

    def steepness(image):
        """Of rows and of columns."""
        steps = [np.abs(np.diff(image, axis=a)).mean(axis=(1 - a, 2)) for a in (0, 1)]
        across = np.isin(np.arange(side - 1), seams)
        return np.mean([s[across] for s in steps]) / np.mean([s[~across] for s in steps])

    whole, tiled = (
        steepness(
            restore(
                y, degradation, prior=prior, steps=6, samples=1, tile=tile, overlap=overlap
            ).mean
        )
        for tile in (0, tile)
    )
    assert tiled / whole == pytest.approx(1, abs=0.1)


BLURRED = Degradation(Blur(jnp.ones((3, 3)) / 9, SHAPE), GaussianNoise(0.1))


@pytest.mark.parametrize(
    ("method", "sampler"),
    [
        (methods.daps, DAPS),
        (methods.em, functools.partial(DiffusionEM, method=methods.diffpir)),
        (methods.enkg, EnKG),
        (methods.fps, FPS),
        (methods.mcgdiff, MCGDiff),
        (methods.reddiff, REDDiff),
        (methods.tds, Twisted),
        (
            functools.partial(methods.blind_dps, kernels=Oracle(VP(), jnp.zeros((3, 3, 1)))),
            functools.partial(BlindDPS, kernels=Oracle(VP(), jnp.zeros((3, 3, 1)))),
        ),
    ],
)
def test_a_method_has_the_defaults_of_its_sampler(method, sampler):
    assert eqx.tree_equal(method(None, BLURRED)[1], sampler(BLURRED))


def test_partial_sets_a_hyper_parameter(problem):
    prior = problem.denoiser(VP())
    denoiser, _ = functools.partial(methods.mmps, steps=7)(prior, problem.degradation)
    assert isinstance(denoiser, MMPS)
    assert denoiser.steps == 7
    _, sampler = functools.partial(methods.diffpir, zeta=0.5)(prior, problem.degradation)
    assert sampler.transition == Renoise(0.5)
