"""A prior of latents restores: behind a linear codec as one of pixels would, and each method is as printed."""

import functools
from typing import ClassVar

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from affine import Law, affine, pushed

from jaxir import methods
from jaxir.codecs import Codec, LinearCodec, Pixels, taken_apart
from jaxir.degradations import (
    Crop,
    Degradation,
    GaussianNoise,
    Identity,
    Mask,
    Noise,
    area_downsample,
    from_function,
    haze,
    random_mask,
)
from jaxir.denoisers import Denoiser, Estimate, GaussianDenoiser
from jaxir.guidance import DPS, MMPS, PSLD, PublishedDPS
from jaxir.least_squares import least_squares
from jaxir.processes import VE, VP, Process, brownian_bridge, log_snr_times
from jaxir.restoration import restore
from jaxir.samplers import Discrete, ReSample, Samples, sample
from jaxir.testbeds import LinearGaussian, stationary_covariance
from jaxir.transitions import DDIM, Ancestral

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE, LATENT = (4, 4, 1), (2, 2, 2)
PIXELS, SIZE = 16, 8
RANDOM = np.random.default_rng(0)
FULL = np.linalg.qr(RANDOM.normal(size=(PIXELS, PIXELS)))[0]
BASIS, TURN = FULL[:, :SIZE], np.linalg.qr(RANDOM.normal(size=(SIZE, SIZE)))[0]
VARIANCES, MEAN = np.geomspace(0.02, 2.0, SIZE), RANDOM.normal(size=LATENT) / 2
KNOWN = RANDOM.random((4, 4)) < 0.5
OPERATORS = {
    "mask": lambda: Mask(jnp.asarray(KNOWN), SHAPE),
    "area": lambda: area_downsample(SHAPE, 2),
}
each_operator = pytest.mark.parametrize("make", OPERATORS.values(), ids=OPERATORS)


class Squashing(Codec):
    """D(z) = B tanh(z): a decoder that is not linear, and its inverse on the images that it makes."""

    basis: jax.Array
    shape: tuple[int, int, int] = eqx.field(static=True, default=SHAPE)
    latent_shape: tuple[int, int, int] = eqx.field(static=True, default=LATENT)
    scale: float = 1.0
    linear: ClassVar[bool] = False

    def analyse(self, x):
        return jnp.arctanh(jnp.clip(self.basis.T @ x.ravel(), -0.999, 0.999)).reshape(LATENT)

    def synthesise(self, z):
        return (self.basis @ jnp.tanh(z.ravel())).reshape(SHAPE)


class Oracle(Denoiser):
    """Knows the clean latent."""

    process: Process
    x0: jax.Array

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


class Unknown(Noise):
    """Of no stated deviation."""

    def sample(self, key, mean):
        return mean

    def log_prob(self, y, mean):
        return jnp.zeros(())


def linear_codec(scale=1.0):
    return LinearCodec(jnp.asarray(BASIS), SHAPE, LATENT, scale)


def squashing():
    return Squashing(jnp.asarray(BASIS))


each_pair = pytest.mark.parametrize(
    ("codec", "make"),
    [(linear_codec, OPERATORS["mask"]), (squashing, OPERATORS["area"])],
    ids=["linear", "bent"],
)


def degradation(operator, sigma=0.1):
    return Degradation(operator, GaussianNoise(sigma))


def bed(operator, sigma=0.1, codec=None):
    """z ~ N(m, C), seen as A D(z) + noise."""
    covariance = jnp.asarray(TURN @ np.diag(VARIANCES) @ TURN.T)
    latent = (codec or linear_codec()).through(degradation(operator, sigma))
    return LinearGaussian(jnp.asarray(MEAN), covariance, latent)


def prior(process=VP()):
    return GaussianDenoiser(process, jnp.asarray(MEAN), jnp.asarray(TURN), jnp.asarray(VARIANCES))


def prior_of_images(process=VP()):
    """The law of D(z): no variance across the subspace."""
    mean = jnp.asarray((BASIS @ MEAN.ravel()).reshape(SHAPE))
    basis = np.hstack([BASIS @ TURN, FULL[:, SIZE:]])
    variances = np.concatenate([VARIANCES, np.zeros(PIXELS - SIZE)])
    return GaussianDenoiser(process, mean, jnp.asarray(basis), jnp.asarray(variances))


def matrix(operator):
    return np.asarray(affine(operator, operator.shape)[0])


def some(shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@jax.jit
def law_of_step(transition, denoiser, z, t, s, y):
    return transition.step(denoiser, None, z, t, s, y).law


def stepped(transition, z, y):
    """From 0.6 to 0.5."""
    return law_of_step(transition, prior(), z, jnp.asarray(0.6), jnp.asarray(0.5), y)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_linear_codec_is_the_nearest_image_of_its_subspace(x64, scale):
    codec, x, z = linear_codec(scale), some(SHAPE), some(LATENT)
    chex.assert_trees_all_close(codec.encode(codec.decode(z)), z, atol=1e-12)
    rest = (x - codec.decode(codec.encode(x))).ravel()
    np.testing.assert_allclose(BASIS.T @ np.asarray(rest), 0, atol=1e-12)
    chex.assert_trees_all_close(codec.encode(x).ravel(), scale * BASIS.T @ x.ravel(), atol=1e-12)


@each_operator
def test_the_degradation_of_a_latent_is_the_composition(x64, make):
    """A B/c, linear with its adjoint as the codec is; a decoder that is not linear makes it differentiable only."""
    latent = linear_codec(2.5).through(degradation(make())).operator
    np.testing.assert_allclose(matrix(latent), matrix(make()) @ BASIS / 2.5, atol=1e-12)
    y = some(latent.output_shape)
    expected = matrix(latent).T @ np.asarray(y).ravel()
    chex.assert_trees_all_close(latent.adjoint(y).ravel(), expected, atol=1e-12)
    bent = squashing().through(degradation(make()))
    DPS(prior(), bent)
    with pytest.raises(TypeError, match="MMPS needs a linear operator"):
        MMPS(prior(), bent)


@each_operator
def test_a_degradation_of_latents_is_taken_apart_again(make):
    codec, operator = linear_codec(), make()
    for latent in (
        codec.through(degradation(operator)),
        squashing().through(degradation(operator)),
    ):
        found, behind = taken_apart(latent.operator)
        assert found is operator
        assert isinstance(behind, Codec)
        assert behind.latent_shape == LATENT
    crop = Crop(SHAPE, 1)
    found, behind = taken_apart(crop @ (Identity(SHAPE) @ codec.decoder))
    x = jnp.ones(SHAPE).at[1, 2].set(3.0)
    chex.assert_trees_all_equal((found(x), behind), (crop(x), codec))
    found, behind = taken_apart(operator)
    assert found is operator
    assert behind == Pixels(SHAPE)
    chex.assert_trees_all_equal((behind.encode(x), behind.decode(x)), (x, x))


@each_operator
@pytest.mark.parametrize("kind", ["MMPS", "DPS"])
def test_guidance_of_latents_is_that_of_images_in_the_subspace(x64, make, kind):
    """D(ẑ(E(x))) = x̂(x): the noise that matters is the noise within the subspace."""
    guided = {"MMPS": lambda *to: MMPS(*to, 9), "DPS": DPS}[kind]
    codec, seen = linear_codec(), degradation(make())
    y = seen.operator.clean(some(seen.operator.output_shape))
    latents, images = guided(prior(), codec.through(seen)), guided(prior_of_images(), seen)
    exact = bed(make()).conditional(VP())

    @jax.jit
    @jax.vmap
    def compared(t):
        x = some(SHAPE, 3)
        z = codec.encode(x)
        return codec.decode(latents(z, t, y)), images(x, t, y), codec.decode(exact(z, t, y))

    found, expected, posterior = compared(jnp.array([0.05, 0.3, 0.6, 0.9]))
    chex.assert_trees_all_close(found, expected, atol=1e-9)
    if kind == "MMPS":
        # with eight eigenvalues, and σ_y² where no latent reaches, nine iterations are exact
        chex.assert_trees_all_close(found, posterior, atol=1e-7)


@functools.partial(jax.jit, static_argnames="shape")
def law_of_chain(denoiser, shape, times, y):
    """Exact propagation of the whole chain of ancestral steps, from the noise on."""

    def mapped(t, s):
        def mean(x):
            return DDIM(1.0).step(denoiser, None, x, t, s, y).law.mean

        return *affine(mean, shape), DDIM(1.0).weights(VP(), t, s).noise

    steps = jax.vmap(mapped)(times[:-1], times[1:])
    std, size = VP().coefficients(times[0]).sigma, int(np.prod(shape))
    end = pushed(Law(jnp.zeros(size), std**2 * jnp.eye(size)), *steps)
    return end.push(*affine(lambda x: denoiser(x, times[-1], y), shape))


def test_the_law_of_latent_samples_decoded_is_that_of_images(x64):
    """B m_z and B C_z Bᵀ."""
    seen, y = degradation(OPERATORS["area"]()), some((2, 2, 1))
    times = log_snr_times(VP(), 20, sigma_max=10.0, sigma_min=0.03)
    latents = law_of_chain(MMPS(prior(), linear_codec().through(seen), 9), LATENT, times, y)
    images = law_of_chain(MMPS(prior_of_images(), seen, 9), SHAPE, times, y)
    decoded = latents.push(jnp.asarray(BASIS), jnp.zeros(PIXELS))
    chex.assert_trees_all_close(decoded, images, atol=1e-8)


@pytest.mark.slow
def test_decoded_latent_samples_tend_to_the_exact_posterior_of_images(x64):
    """B m(y), B C(y) Bᵀ. Twice as many steps halve what the covariance lacks; the mean is exact but for the start.

    There the noise is without the mean, which C/σ̂² ≤ 2e-4 of is left at the end.
    """
    problem, y = bed(OPERATORS["area"]()), some((2, 2, 1))
    exact, nothing = problem.posterior(y), jnp.zeros(PIXELS)
    expected = Law(exact.mean.ravel(), exact.covariance).push(jnp.asarray(BASIS), nothing)
    missing = []
    for steps in (100, 200):
        times = log_snr_times(VP(), steps, sigma_max=100.0, sigma_min=1e-3)
        found = law_of_chain(problem.conditional(VP()), LATENT, times, y)
        found = found.push(jnp.asarray(BASIS), nothing)
        np.testing.assert_allclose(found.mean, expected.mean, atol=1e-3)
        missing.append(float(jnp.linalg.norm(found.covariance - expected.covariance)))
    np.testing.assert_allclose(missing[0] / missing[1], 2, rtol=0.1)


@each_pair
def test_psld_without_gluing_is_dps_with_the_composed_operator(x64, make, codec):
    latent = codec().through(degradation(make()))
    z, y = some(LATENT), some(latent.operator.output_shape)
    found = stepped(PSLD(Ancestral(), latent, 0.7, 0.0), z, y)
    expected = stepped(PublishedDPS(Ancestral(), latent, 0.7), z, y)
    chex.assert_trees_all_close(found, expected, rtol=1e-10, atol=1e-12)


@each_operator
def test_psld_is_as_printed(x64, make):
    """η ‖y − A B ẑ‖ + γ ‖ẑ − Bᵀ(A⁺y + (I − A⁺A) B ẑ)‖ and its gradient written in matrices, ẑ = G z + o."""
    seen, z = degradation(make()), some(LATENT)
    y = seen.operator.clean(some(seen.operator.output_shape))
    gain, offset = (np.asarray(v) for v in affine(lambda z: prior()(z, jnp.asarray(0.6)), LATENT))
    a, v = matrix(seen.operator), np.asarray(y).ravel()
    estimate = gain @ np.asarray(z).ravel() + offset
    residual = v - a @ BASIS @ estimate
    fitted = np.linalg.pinv(a) @ v + (np.eye(PIXELS) - np.linalg.pinv(a) @ a) @ BASIS @ estimate
    apart = estimate - BASIS.T @ fitted
    turn = np.eye(SIZE) - BASIS.T @ (np.eye(PIXELS) - np.linalg.pinv(a) @ a) @ BASIS
    slope = -0.7 * (a @ BASIS).T @ residual / np.linalg.norm(residual)
    slope += 0.3 * turn.T @ apart / np.linalg.norm(apart)
    free = stepped(Ancestral(), z, y)
    found = stepped(PSLD(Ancestral(), linear_codec().through(seen), 0.7, 0.3), z, y)
    expected = free.mean.ravel() - gain.T @ slope
    chex.assert_trees_all_close(found.mean.ravel(), expected, atol=1e-9)
    chex.assert_trees_all_close(found.scale, free.scale)


@each_pair
def test_a_consistent_estimate_is_not_glued(x64, make, codec):
    """Where y = A D(ẑ) and ẑ = E(D(ẑ)) the gradient vanishes, and where y is another it does not."""
    latent, z = codec().through(degradation(make())), some(LATENT)
    y = latent.operator(prior()(z, jnp.asarray(0.6)))
    free, glue = stepped(Ancestral(), z, y), PSLD(Ancestral(), latent, 0.0, 1.0)
    chex.assert_trees_all_close(stepped(glue, z, y), free, atol=1e-8)
    other = stepped(glue, z, y + 0.3)
    assert jnp.linalg.norm(other.mean - free.mean) > 1e-3


@jax.jit
def among_latents(sampler, z, y):
    return sampler._among_latents(z, y)


@jax.jit
def among_images(sampler, z, y):
    return sampler._among_images(z, y)


@each_operator
def test_without_noise_hard_consistency_is_the_nearest_solution_of_least_squares(x64, make):
    """Among latents ẑ + (A B)⁺(y − A B ẑ), among images Bᵀ(B ẑ + A⁺(y − A B ẑ))."""
    sampler = ReSample(linear_codec().through(degradation(make(), 0.0)))
    z, y = some(LATENT), make().clean(some(make().output_shape))
    a, start, v = matrix(make()), np.asarray(z).ravel(), np.asarray(y).ravel()
    residual = v - a @ BASIS @ start
    nearest = start + np.linalg.pinv(a @ BASIS) @ residual
    chex.assert_trees_all_close(among_latents(sampler, z, y).ravel(), nearest, atol=1e-8)
    nearest = BASIS.T @ (BASIS @ start + np.linalg.pinv(a) @ residual)
    chex.assert_trees_all_close(among_images(sampler, z, y).ravel(), nearest, atol=1e-8)


@each_pair
def test_with_noise_it_ends_where_the_noise_accounts_for_the_rest(x64, make, codec):
    """At ‖y − A D(z)‖² = m σ², m what y tells, or within a twentieth of it where D is bent; what explains y stays."""
    sigma, latent = 0.05, codec().through(degradation(make(), 0.05))
    operator, sampler = latent.operator, ReSample(latent)
    told = operator.clean(jnp.ones(operator.output_shape))
    truth, z = 0.5 * some(LATENT), 0.5 * some(LATENT, 2)
    y = operator(truth) + 0.7 * sigma * told

    def share(z):
        return float(jnp.sum((y - operator(z)) ** 2) / (jnp.sum(told) * sigma**2))

    assert share(z) > 5
    tolerance = 1e-9 if codec is linear_codec else 0.05
    np.testing.assert_allclose(share(among_latents(sampler, z, y)), 1, atol=tolerance)
    chex.assert_trees_all_equal(among_latents(sampler, truth, y), truth)


def test_least_squares_finds_the_minimum_of_nonlinear_and_of_complex_functions(x64):
    """Against SciPy's trust region, and against the normal equations of the real and imaginary parts."""
    weights, y = some((20, 6), 1) / 2, some(20, 2)

    def bent(v):
        return jnp.tanh(weights @ v) + 0.1 * (weights @ v) ** 2

    found = jax.jit(lambda y: least_squares(bent, jnp.zeros(6), y, steps=500))(y)
    theirs = scipy.optimize.least_squares(
        lambda v: np.asarray(y - bent(v)), np.zeros(6), xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    np.testing.assert_allclose(found, theirs.x, atol=1e-6)
    spiral = some((9, 4), 3) + 1j * some((9, 4), 4)
    z = some(9, 5) + 1j * some(9, 6)
    found = jax.jit(lambda z: least_squares(lambda v: spiral @ v, jnp.zeros(4), z))(z)
    stacked = np.vstack([spiral.real, spiral.imag]), np.concatenate([z.real, z.imag])
    np.testing.assert_allclose(found, np.linalg.lstsq(*stacked)[0], atol=1e-10)


@pytest.mark.parametrize("gamma", [0.3, 40.0])
def test_the_law_of_resampling_is_as_printed(x64, gamma):
    """σ² = γ (1 − ᾱ_s)/(1 − ᾱ_t) (1 − ᾱ_t/ᾱ_s), mean (σ² √ᾱ_s ẑ + (1 − ᾱ_s) z')/(σ² + 1 − ᾱ_s), and its variance."""
    t, s, clean, stepped = jnp.asarray(0.5), jnp.asarray(0.45), some(LATENT), some(LATENT, 2)
    sampler = ReSample(linear_codec().through(degradation(OPERATORS["mask"]())), strength=gamma)
    law = sampler.around(VP(), clean, stepped, t, s)
    now, then = (float(VP().coefficients(u).a) ** 2 for u in (t, s))
    variance = gamma * (1 - then) / (1 - now) * (1 - now / then)
    total = variance + 1 - then
    mean = (variance * np.sqrt(then) * clean + (1 - then) * stepped) / total
    chex.assert_trees_all_close(law.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(law.scale**2, variance * (1 - then) / total, rtol=1e-10)


@pytest.mark.parametrize("process", [VP(), VE()], ids=["VP", "VE"])
def test_resampling_goes_from_the_step_itself_to_the_forward_law(x64, process):
    t, s, clean, stepped = jnp.asarray(0.5), jnp.asarray(0.45), some(LATENT), some(LATENT, 2)
    latent = linear_codec().through(degradation(OPERATORS["mask"]()))
    law = ReSample(latent, strength=0.0).around(process, clean, stepped, t, s)
    chex.assert_trees_all_close((law.mean, law.scale), (stepped, 0.0))
    law = ReSample(latent, strength=1e14).around(process, clean, stepped, t, s)
    forward = process.marginal(clean, s)
    chex.assert_trees_all_close((law.mean, law.scale), (forward.mean, forward.scale), rtol=1e-8)


def drawn(sampler, denoiser, y, shape=LATENT, **how):
    settings = {"times": log_snr_times(VP(), 20, sigma_max=5.0, sigma_min=0.03), "samples": 8}
    settings |= how
    return sample(jax.random.key(0), denoiser, y, shape=shape, sampler=sampler, **settings)


def test_resample_explains_y_to_its_noise_and_without_resampling_is_ddim_and_one_consistency(x64):
    """No resampling by γ = 0, by a level below the grid, or by times too far apart: all of them values."""
    problem = bed(OPERATORS["area"]())
    latent, (_, y) = problem.degradation, problem.draw(jax.random.key(3))
    plain = drawn(Discrete(DDIM(1.0)), prior(), y)
    one = ReSample(latent, DDIM(1.0))
    expected = jax.vmap(lambda z: among_latents(one, z, y))(plain.images)
    for setting in ({"strength": 0.0, "every": 2}, {"below": 0.01}, {"every": 20}):
        found = drawn(ReSample(latent, DDIM(1.0), **setting), prior(), y)
        chex.assert_trees_all_close(found.images, expected, atol=1e-10)
    often = drawn(methods.resample(None, latent, every=2)[1], prior(), y)
    assert jnp.linalg.norm(often.images - expected) > 0.1
    images = often.map(linear_codec().decode)
    residual = images.residual(degradation(OPERATORS["area"]()), y)
    chex.assert_trees_all_close(residual, often.residual(latent, y))
    assert jnp.max(residual) < 1.001  # where the optimiser stops
    assert jnp.min(residual) > 0.5  # below it the noise would be explained too


def test_consistency_is_sought_among_images_above_a_level_and_among_latents_below(x64):
    """One resampling, of a γ that forgets the step, at σ̂ = 1: what comes of it is the forward law of either ẑ."""
    latent = linear_codec().through(degradation(OPERATORS["area"](), 0.0))
    y, z = some((2, 2, 1)), some(LATENT)
    times = VP().time(-jnp.log(jnp.array([1.0, 0.5])))
    key, oracle = jax.random.key(7), Oracle(VP(), z)
    noise = jax.random.normal(jax.random.fold_in(jax.random.fold_in(key, 0), 0), LATENT)
    a, _, sigma = VP().coefficients(times[1])

    @jax.jit
    def run(sampler):
        state = sampler.init(oracle, some(LATENT, 4), times, y)
        return sampler.run(key, oracle, state, times, y, 0, 1)[0]

    for pixel, among in ((0.9, among_images), (1.1, among_latents)):
        sampler = ReSample(latent, strength=1e14, every=1, pixel=pixel)
        expected = a * among(sampler, z, y) + sigma * noise
        chex.assert_trees_all_close(run(sampler), expected, atol=1e-6)


def test_map_keeps_all_but_the_images():
    samples = Samples(jnp.ones((4, *LATENT)), {"seconds": 1.0}, jnp.zeros(2), 2)
    images = samples.map(lambda z: 2 * z.sum(axis=-1, keepdims=True))
    chex.assert_trees_all_equal(images.images, jnp.full((4, 2, 2, 1), 4.0))
    assert (images.diagnostics, images.runs) == (samples.diagnostics, 2)
    assert images.chains.shape == (2, 2, 2, 2, 1)


class Counted(Denoiser):
    """A denoiser that tells how often it is traced and asked."""

    process: Process
    traced: jax.tree_util.Partial
    asked: jax.tree_util.Partial

    def estimate(self, x, t, y=None):
        self.traced()
        jax.debug.callback(self.asked)
        return Estimate(jnp.tanh(x) * jnp.exp(self.process.log_snr(t)) / 10)


def test_one_evaluation_a_time_alone_as_in_a_batch_and_no_retrace_for_new_values():
    """Of both methods at once: resampling around the steps of PSLD."""
    traced, asked = [], []
    counted = Counted(
        VP(),
        jax.tree_util.Partial(lambda: traced.append(1)),
        jax.tree_util.Partial(lambda: asked.append(1)),
    )
    operator = OPERATORS["area"]()
    y = some((2, 2, 1)).astype(jnp.float32)

    def draw(value, samples):
        codec = LinearCodec(jnp.asarray(BASIS, jnp.float32), SHAPE, LATENT, value)
        latent = codec.through(degradation(operator, value / 2))
        numbers = (value, round(10 * value), 20 * value, 4 * value, round(20 * value))
        sampler = ReSample(latent, PSLD(Ancestral(value), latent, value, value), *numbers)
        return drawn(sampler, counted, y, samples=samples, times=12)

    together = draw(0.3, 3)
    jax.effects_barrier()
    assert together.diagnostics["evaluations"] == len(asked) == 12
    seen = len(traced)
    other = draw(0.5, 3)
    assert len(traced) == seen
    assert jnp.any(other.images != together.images)
    chex.assert_trees_all_close(draw(0.3, 1).images[0], together.images[0], atol=1e-5)


def rms(image):
    return float(jnp.sqrt(jnp.mean(image**2)))


def named(fast, *slow):
    marked = [pytest.param(name, marks=pytest.mark.slow) for name in slow]
    return pytest.mark.parametrize("name", [*fast, *marked])


@named(["psld", "resample"], "daps", "diffpir", "dps", "mmps", "reddiff")
def test_every_method_restores_images_through_latents(name):
    """A soft field by the strongest half of its components, half of its pixels missing: better than A⁺."""
    shape, latent_shape = (8, 8, 1), (4, 8, 1)
    variances, components = np.linalg.eigh(0.25 * stationary_covariance(8, scale=1.0))
    variances, components = variances[32:], components[:, 32:].astype(np.float32)
    codec = LinearCodec(jnp.asarray(components), shape, latent_shape)
    seen = degradation(random_mask(jax.random.key(1), shape, missing=0.5))
    latent = codec.through(seen)
    field = LinearGaussian(jnp.zeros(latent_shape), jnp.diag(jnp.asarray(variances)), latent)
    z, y = field.draw(jax.random.key(4))
    truth, y = codec.decode(z), latent.operator.clean(y)
    method = getattr(methods, name)
    samples = restore(y, latent, prior=field.denoiser(VP()), method=method, steps=20, samples=8)
    restored = samples.map(codec.decode)
    assert restored.images.shape == (8, *shape)
    assert rms(restored.mean - truth) < 0.9 * rms(seen.operator.pinv(y) - truth)


@named(["resample"], "psld", "dps")
def test_behind_a_decoder_that_is_not_linear_the_measurement_is_explained(name):
    """Twice as well as by the prior alone."""
    codec = Squashing(jnp.asarray(BASIS, jnp.float32))
    latent = codec.through(degradation(OPERATORS["mask"]()))
    z = prior().mean + 0.3 * some(LATENT).astype(jnp.float32)
    y = latent.operator.clean(latent.sample(jax.random.key(5), z))
    method = getattr(methods, name)
    samples = restore(y, latent, prior=prior(), method=method, steps=50, samples=8)
    unguided = drawn(Discrete(DDIM(1.0)), prior(), None)
    found, before = (jnp.median(draws.residual(latent, y)) for draws in (samples, unguided))
    assert found < before / 2


def test_what_does_not_fit_is_refused(key):
    codec, mask = linear_codec(), OPERATORS["mask"]()
    latent = codec.through(degradation(mask))
    line = r"degradation takes images of shape \(8, 8, 1\) but the codec decodes to \(4, 4, 1\)"
    with pytest.raises(ValueError, match=line):
        codec.through(degradation(Identity((8, 8, 1))))
    with pytest.raises(ValueError, match=r"x has shape \(2, 2, 2\) but an image of the codec"):
        codec.encode(jnp.zeros(LATENT))
    with pytest.raises(ValueError, match=r"z has shape \(4, 4, 1\) but a latent of the codec"):
        codec.decode(jnp.zeros(SHAPE))
    with pytest.raises(ValueError, match=r"basis has shape \(16, 8\), expected \(16, 4\)"):
        LinearCodec(jnp.asarray(BASIS), SHAPE, (2, 2, 1))
    with pytest.raises(ValueError, match="columns of basis are not orthonormal"):
        LinearCodec(2 * jnp.asarray(BASIS), SHAPE, LATENT)
    with pytest.raises(ValueError, match=r"scale is 0.0, expected a positive"):
        linear_codec(0.0)
    hazy = codec.through(degradation(haze(jnp.ones((4, 4, 1)), SHAPE)))
    with pytest.raises(TypeError, match="PSLD needs a linear operator, got Affine: take c out"):
        PSLD(Ancestral(), hazy)
    with pytest.raises(TypeError, match="PSLD needs a linear operator, got Function: use DPS"):
        PSLD(Ancestral(), codec.through(degradation(from_function(jnp.square, SHAPE))))
    with pytest.raises(ValueError, match=r"gluing is -1.0, expected 0 or more"):
        methods.psld(prior(), latent, gluing=-1.0)
    with pytest.raises(ValueError, match=r"strength is -1.0, expected 0 or more"):
        methods.resample(prior(), latent, strength=-1.0)
    with pytest.raises(ValueError, match="every is 0, expected at least 1"):
        methods.resample(prior(), latent, every=0)
    bridge = prior(brownian_bridge())
    with pytest.raises(ValueError, match="ReSample needs a process that ends in noise"):
        sample(key, bridge, jnp.zeros(SHAPE), shape=LATENT, sampler=ReSample(latent))
    unknown = codec.through(Degradation(mask, Unknown()))
    with pytest.raises(TypeError, match="Unknown states no deviation"):
        drawn(ReSample(unknown), prior(), jnp.zeros(SHAPE))
