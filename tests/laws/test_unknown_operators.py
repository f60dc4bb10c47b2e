"""Blind deblurring where the kernel can be found: it is, and where it is known the method is the one that knows it."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir import methods
from jaxir.degradations import (
    Blur,
    Crop,
    Degradation,
    GaussianNoise,
    LaplaceNoise,
    Mask,
    from_function,
    gaussian_blur,
)
from jaxir.denoisers import Denoiser, Estimate, MixtureDenoiser
from jaxir.guidance import PublishedDPS
from jaxir.processes import VE, VP, Process, brownian_bridge, log_snr_times
from jaxir.samplers import (
    BlindDPS,
    DiffusionEM,
    Discrete,
    EnKG,
    Samples,
    kernel_of,
    on_simplex,
    sample,
    unit_kernel,
    with_kernel,
)
from jaxir.testbeds import StationaryField, field_power
from jaxir.transitions import Ancestral
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("quick_compile")

SIDE, SIGMA = 32, 0.05
SHAPE = (SIDE, SIDE, 1)


def flat():
    """What is known of the kernel: its size."""
    return Degradation(Blur(np.full((5, 5), 0.04), SHAPE), GaussianNoise(SIGMA))


def candidates():
    """Six kernels of 5 × 5, told apart by the spectra that they leave: lines of four directions, a point, a box."""
    kernels = np.zeros((6, 5, 5))
    along = np.arange(5)
    for kernel, (rows, columns) in zip(
        kernels,
        [(2, along), (along, 2), (along, along), (along, along[::-1]), (2, 2)],
        strict=False,
    ):
        kernel[rows, columns] = 1
    kernels[5, 1:4, 1:4] = 1
    return kernels / kernels.sum(axis=(1, 2), keepdims=True)


def images_of(kernels):
    """As a kernel's image has it: black is −1, the brightest pixel 1."""
    return jnp.asarray(2 * kernels / kernels.max(axis=(1, 2), keepdims=True) - 1)[..., None]


def distance(kernels, truth):
    """‖k − k*‖₁, between 0 and 2."""
    return np.abs(np.asarray(kernels) - truth).sum(axis=(-2, -1))


def rms(image, truth):
    return float(jnp.sqrt(jnp.mean((image - truth) ** 2)))


@functools.cache
def field():
    """A field blurred along a diagonal: the bed, the clean image, the measurement."""
    truth = Degradation(Blur(candidates()[2], SHAPE), GaussianNoise(SIGMA))
    bed = StationaryField(jnp.zeros(SHAPE), 0.25 * field_power(SIDE), truth)
    return bed, *bed.draw(jax.random.key(1))


def drawn(sampler, count=8, times=200):
    bed, _, y = field()
    how = {"shape": SHAPE, "times": times, "samples": count}
    return sample(jax.random.key(0), bed.denoiser(VP()), y, sampler=sampler, **how)


@functools.cache
def not_blind():
    return drawn(Discrete(PublishedDPS(Ancestral(), field()[0].degradation, 1.0)))


@pytest.mark.parametrize("times", [50, 200])
def test_as_it_comes_blind_dps_finds_the_kernel_and_restores_as_if_it_were_known(times):
    """Among six, for at least six of eight images."""
    _, x0, y = field()
    kernels = candidates()
    prior = MixtureDenoiser(VP(), jnp.full(6, 1 / 6), images_of(kernels), 0.0)
    found = drawn(methods.blind_dps(None, flat(), kernels=prior)[1], times=times)
    assert found.unknowns.shape == (8, 5, 5)
    start = distance(kernels, kernels[2]).mean()
    assert distance(found.unknowns, kernels[2]).mean() < start / 3
    known = rms(not_blind().mean, x0)
    assert rms(found.mean, x0) < min(1.1 * known, 0.8 * rms(y, x0))


def test_the_steps_of_blind_dps_follow_the_numbers_of_y_and_of_times():
    """At the paper's size and times c_k is the 0.3 of its code; c T/√m and c_k T √m stay, of the m numbers seen."""

    def steps(size, times, keep=1.0):
        seen = np.arange(size)[:, None] < np.full(size, keep * size)
        operator = Mask(seen, (size, size, 3)) @ Blur(np.full((5, 5), 0.04), (size, size, 3))
        sampler = BlindDPS(Degradation(operator, GaussianNoise(SIGMA)), point())
        return np.array(sampler._scales(jnp.zeros((size, size, 3)), times))

    published = steps(256, 1000)
    np.testing.assert_allclose(published[1], 0.3, rtol=0.03)
    np.testing.assert_allclose(steps(256, 500), 2 * published, rtol=1e-6)
    for fewer in (steps(128, 1000), steps(256, 1000, keep=0.25)):
        np.testing.assert_allclose(fewer, published * [0.5, 2], rtol=1e-6)


def test_with_a_known_kernel_blind_dps_is_dps():
    """The denoiser of kernels knows one only; the keys of the image are those of `Discrete`."""
    only = MixtureDenoiser(VE(), jnp.ones(1), images_of(candidates()[2:3]), 0.0)
    found = drawn(BlindDPS(flat(), only, scale=1.0), count=2)
    chex.assert_trees_all_close(found.unknowns[0], jnp.asarray(candidates()[2]), atol=1e-6)
    chex.assert_trees_all_close(found.images, not_blind().images[:2], atol=1e-3)


def bent():
    """A motion with a corner, 7 × 7, which its mirror image is not."""
    kernel = np.eye(7)
    kernel[[0, 6], [0, 6]], kernel[1, 3] = 0, 1
    return kernel / kernel.sum()


def round_kernel():
    profile = np.exp(-0.5 * (np.arange(-3, 4) / 1.5) ** 2)
    return np.outer(profile, profile) / profile.sum() ** 2


@functools.cache
def scene():
    """A field around a known scene, whose edges tell a kernel from its mirror image; blurred by the bent motion."""
    random, mean = np.random.default_rng(0), np.zeros(SHAPE)
    for _ in range(12):
        (top, left), (height, width) = random.integers(0, SIDE - 8, 2), random.integers(3, 10, 2)
        mean[top : top + height, left : left + width] += random.choice([-0.5, 0.5])
    truth = Degradation(Blur(bent(), SHAPE), GaussianNoise(SIGMA))
    bed = StationaryField(jnp.asarray(mean, jnp.float32), 0.02 * field_power(SIDE), truth)
    return bed, *bed.draw(jax.random.key(1))


def restored(sampler, denoiser=None, key=None, count=1):
    bed, _, y = scene()
    times = log_snr_times(VP(), 20, sigma_max=5.0, sigma_min=0.03)
    key = jax.random.key(0) if key is None else key
    how = {"shape": SHAPE, "times": times, "samples": count, "sampler": sampler}
    return sample(key, denoiser or bed.denoiser(VP()), y, **how)


def guess(kernel):
    return Degradation(Blur(kernel, SHAPE), GaussianNoise(SIGMA))


def test_em_finds_the_kernel_and_restores_as_if_it_were_known():
    """From a round kernel, with DiffPIR, 8 draws and 20 rounds."""
    _, x0, y = scene()
    found = restored(DiffusionEM(guess(round_kernel()), methods.diffpir, draws=8, rounds=20))
    assert found.unknowns.shape == (1, 7, 7)
    assert len(found.images) == 8
    assert distance(found.unknowns, bent()) < distance(round_kernel(), bent()) / 5
    known = restored(DiffusionEM(guess(bent()), methods.diffpir, draws=8, rounds=1))
    assert rms(found.mean, x0) < min(1.1 * rms(known.mean, x0), rms(y, x0) / 2)
    assert found.diagnostics["kernel_change"] < 0.05


def test_a_blind_method_is_judged_by_the_kernel_that_it_found(key):
    """The exact residual of the true kernel, for a run that found it, and that of another for one that did not."""
    truth = candidates()[:2]
    x, noise = jax.random.normal(key, SHAPE), jax.random.fold_in(key, 1)
    known = with_kernel(flat(), jnp.asarray(truth[0], jnp.float32))
    y = known.sample(noise, x)
    found = Samples(jnp.stack([x, x]), {}, jnp.asarray(truth, jnp.float32), 2).residual(flat(), y)
    right, wrong = (
        float(jnp.sqrt(jnp.mean((y - with_kernel(flat(), jnp.asarray(k))(x)) ** 2))) / SIGMA
        for k in truth
    )
    np.testing.assert_allclose(found, [right, wrong], rtol=1e-5)
    assert right < 1.1 < wrong  # 1,024 values: 1 within 0.022


def test_one_round_of_em_is_the_method_itself():
    """Draw j of a run with key k has the key fold_in(k, j), as `sample` gives it."""
    bed, _, _ = scene()
    found = restored(DiffusionEM(guess(bent()), methods.diffpir, draws=8, rounds=1))
    guided, sampler = methods.diffpir(bed.denoiser(VP()), bed.degradation)
    plain = restored(sampler, guided, jax.random.fold_in(jax.random.key(0), 0), 8)
    chex.assert_trees_all_close(found.images, plain.images, atol=1e-5)


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: Image

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


def unguided(denoiser, degradation):
    return denoiser, Discrete()


def test_the_m_step_is_least_squares_over_kernels():
    """From the clean image and y without noise, the kernel itself; the image's own spectrum says how fast."""
    bed, x0, _ = scene()
    y = bed.degradation(x0)
    sampler = DiffusionEM(guess(round_kernel()), unguided, draws=1, rounds=2, steps=2000)
    oracle = Oracle(VP(), x0)
    found = sample(jax.random.key(0), oracle, y, shape=SHAPE, times=2, sampler=sampler)
    assert distance(found.unknowns, bent()) < 0.01
    wide = DiffusionEM(guess(round_kernel()), unguided, 1, 2, ridge=1e9, steps=2000)
    found = sample(jax.random.key(0), oracle, y, shape=SHAPE, times=2, sampler=wide)
    assert distance(found.unknowns, np.full((7, 7), 1 / 49)) < 0.01  # of all, the one of least norm


def test_the_projection_is_the_nearest_kernel(x64):
    """⟨v − p, z − p⟩ ≤ 0 for every other kernel z, which says that p is nearest in a convex set."""
    random = np.random.default_rng(0)
    for scale in (0.05, 1.0, 20.0):
        v = scale * random.normal(size=(5, 7))
        p = np.asarray(on_simplex(jnp.asarray(v)))
        assert p.min() >= 0
        np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
        others = random.dirichlet(np.full(35, 0.3), size=200).reshape(-1, 5, 7)
        corners = np.eye(35).reshape(-1, 5, 7)
        for z in (*others, *corners):
            assert np.sum((v - p) * (z - p)) < 1e-10


def test_a_kernel_is_found_within_a_composition_and_replaced():
    truth = jnp.asarray(bent(), jnp.float32)
    whole = Crop(SHAPE, 3) @ Blur(round_kernel(), SHAPE)
    seen = with_kernel(Degradation(whole, GaussianNoise(SIGMA)), truth)
    chex.assert_trees_all_close(kernel_of(seen), truth)
    x = jax.random.normal(jax.random.key(0), SHAPE)
    chex.assert_trees_all_close(seen(x), Blur(truth, SHAPE)(x)[3:-3, 3:-3], atol=1e-6)
    chex.assert_trees_all_close(unit_kernel(images_of(bent()[None])[0]), truth, atol=1e-6)


def test_an_image_without_light_is_a_flat_kernel_and_has_a_derivative():
    """All black, where max(·, 0) has a kink, and below."""
    weights = jnp.arange(9.0).reshape(3, 3)
    for level in (-1.0, -1.5):
        image = jnp.full((3, 3, 1), level)
        chex.assert_trees_all_close(unit_kernel(image), jnp.full((3, 3), 1 / 9))
        slope = jax.grad(lambda image: jnp.sum(weights * unit_kernel(image)))(image)
        chex.assert_trees_all_equal(slope, jnp.zeros_like(image))


def point():
    return MixtureDenoiser(VP(), jnp.ones(1), images_of(candidates()[2:3]), 0.0)


KINDS = {
    "BlindDPS": lambda v: BlindDPS(flat(), point(), scale=v, kernel_scale=v, sparsity=v),
    "DiffusionEM": lambda v: DiffusionEM(guess(round_kernel()), unguided, 2, 2, ridge=v, steps=5),
    "EnKG": lambda v: EnKG(Degradation(flat().operator, GaussianNoise(v)), 4, 2),
    "FPS": lambda v: methods.fps(None, flat(), particles=4, variance=v)[1],
}


class Tracing(Denoiser):
    """A denoiser that counts how often it is traced."""

    process: Process
    count: jax.tree_util.Partial

    def estimate(self, x, t, y=None):
        self.count()
        return Estimate(jnp.tanh(x))


@pytest.mark.parametrize("kind", KINDS)
def test_alone_equals_in_a_batch_and_a_new_value_does_not_retrace(key, kind):
    _, _, y = field()
    traces = []
    denoiser = Tracing(VP(), jax.tree_util.Partial(lambda: traces.append(1)))

    def draw(value, **how):
        return sample(key, denoiser, y, shape=SHAPE, sampler=KINDS[kind](value), times=3, **how)

    together = draw(0.3, samples=3)
    seen = len(traces)
    other = draw(0.4, samples=3)
    assert len(traces) == seen > 0
    assert kind == "DiffusionEM" or jnp.any(other.images != together.images)
    alone = draw(0.3, samples=1)
    first = len(alone.images)
    chex.assert_trees_all_close(alone.images, together.images[:first], atol=1e-4)
    if alone.unknowns is not None:
        chex.assert_trees_all_close(alone.unknowns, together.unknowns[:1], atol=1e-5)


def test_what_blind_methods_do_not_admit_is_refused(key):
    masked = Degradation(Mask(jnp.ones((SIDE, SIDE)), SHAPE), GaussianNoise(SIGMA))
    twice = Degradation(gaussian_blur(SHAPE, 1) @ gaussian_blur(SHAPE, 2), GaussianNoise(SIGMA))
    for degradation, count in ((masked, 0), (twice, 2)):
        with pytest.raises(TypeError, match=f"has {count} Blurs, expected 1"):
            BlindDPS(degradation, point())
        with pytest.raises(TypeError, match=f"has {count} Blurs, expected 1"):
            DiffusionEM(degradation, unguided)
    with pytest.raises(ValueError, match=r"kernel_scale is -1.0, expected 0 or more"):
        BlindDPS(flat(), point(), kernel_scale=-1.0)
    with pytest.raises(ValueError, match="kernels needs a process with b = 0"):
        BlindDPS(flat(), MixtureDenoiser(brownian_bridge(), jnp.ones(1), jnp.ones((1, 5, 5, 1))))
    how = {
        "shape": SHAPE,
        "times": 3,
        "sampler": methods.blind_dps(None, flat(), kernels=point())[1],
    }
    sees_y = field()[0].conditional(brownian_bridge())
    with pytest.raises(ValueError, match="BlindDPS needs a process that ends in noise"):
        sample(key, sees_y, field()[2], **how)
    squared = from_function(jnp.square, SHAPE) @ flat().operator
    for degradation in (
        Degradation(squared, GaussianNoise(SIGMA)),
        Degradation(flat().operator, LaplaceNoise(SIGMA)),
    ):
        with pytest.raises(
            TypeError,
            match=r"DiffusionEM needs (a linear operator|Gaussian noise), got .* use BlindDPS",
        ):
            DiffusionEM(degradation, unguided)
    with pytest.raises(ValueError, match="rounds is 0, expected at least 1"):
        methods.em(None, flat(), rounds=0)
    with pytest.raises(ValueError, match=r"ridge is -1.0, expected 0 or more"):
        DiffusionEM(flat(), unguided, ridge=-1.0)
