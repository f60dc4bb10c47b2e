"""Transport of patches: exact for Gaussians, and a trade of squared error for the look of clean images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import sqrtm

from jaxir.codecs import HaarCodec, Pixels, Transport, gaussian_transport, transport
from jaxir.codecs.transport import averaged, patches

pytestmark = pytest.mark.usefixtures("quick_compile")

SIDE = 32


def covariance(random, size):
    root = random.normal(size=(size, 2 * size))
    return root @ root.T / size


def test_a_gaussian_is_brought_to_exactly_the_target_and_moved_the_least(x64):
    """E|T x − x|² is Olkin and Pukelsheim's tr(S + S_t − 2 (S_t^½ S S_t^½)^½), by scipy; no other map has less."""
    random = np.random.default_rng(0)
    source, target = covariance(random, 12), covariance(random, 12)
    found = np.asarray(gaussian_transport(jnp.asarray(source), jnp.asarray(target)))
    np.testing.assert_allclose(found @ source @ found, target, atol=1e-6)
    np.testing.assert_allclose(found, found.T, atol=1e-9)
    moved = found - np.eye(12)
    root = sqrtm(target)
    least = np.trace(source + target - 2 * sqrtm(root @ source @ root).real)
    np.testing.assert_allclose(np.trace(moved @ source @ moved.T), least, rtol=1e-6)


def test_the_mean_of_all_patches_of_an_image_is_the_image(x64):
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 9, 2)))
    again = jax.jit(lambda x: averaged(patches(x, 3), 3, x))(x)
    np.testing.assert_allclose(again, x, atol=1e-12)


def field(random, count):
    """Stationary Gaussian images of one channel, what remains of their low frequencies, and the power of each."""
    rows, columns = np.meshgrid(*[np.fft.fftfreq(SIDE)] * 2, indexing="ij")
    power = 1 / (0.05**2 + rows**2 + columns**2)
    power *= 0.25 * SIDE**2 / power.sum()
    noise = random.normal(size=(2, count, SIDE, SIDE))
    clean, error = np.fft.fft2(noise, norm="ortho")
    clean = clean * np.sqrt(power)
    y = clean + 0.4 * error
    shrunk = y * power / (power + 0.4**2)  # E[x0 | y]
    return tuple(np.fft.ifft2(part, norm="ortho").real[..., None] for part in (clean, shrunk))


@jax.jit
def judged(codec, restored, unpaired, clean, smooth):
    """For α = 1 ... 0 the squared error, and how far the patches' covariance is from that of clean images.

    Behind these, how far that of two sets of clean images is from each other.
    """
    encode, decode = jax.vmap(codec.encode), jax.vmap(codec.decode)
    moved = transport(encode(restored), encode(unpaired))

    def look(images):
        found = jax.vmap(lambda z: patches(z, 3))(encode(images))
        return jnp.cov(found.reshape(-1, found.shape[-1]).T)

    def at(alpha):
        images = decode(jax.vmap(lambda z: moved(z, alpha=alpha))(encode(smooth)))
        return jnp.mean((images - clean) ** 2), jnp.linalg.norm(look(images) - look(clean))

    errors, distances = jax.lax.map(at, jnp.linspace(1, 0, 5))
    return errors, distances, jnp.linalg.norm(look(unpaired) - look(clean))


@pytest.mark.parametrize(
    "codec",
    [
        pytest.param(Pixels((SIDE, SIDE, 1)), marks=pytest.mark.slow, id="pixels"),
        pytest.param(HaarCodec((SIDE, SIDE, 1)), id="latent"),
    ],
)
def test_less_alpha_is_less_psnr_and_nearer_to_the_look_of_clean_images(codec, x64):
    """At every step from 1 to 0, and at 0 no further from it than other clean images are.

    No image is in two of: the restored ones of the statistics, the clean ones, those that are judged.
    """
    random = np.random.default_rng(2)
    _, restored = field(random, 16)
    unpaired, _ = field(random, 16)
    clean, smooth = field(random, 16)
    errors, distances, chance = judged(codec, restored, unpaired, clean, smooth)
    assert jnp.all(jnp.diff(errors) > 0)
    assert jnp.all(jnp.diff(distances) < 0)
    assert distances[-1] < chance < distances[0]


@pytest.mark.slow
def test_directions_that_were_flattened_stay_finite(x64):
    flat = jnp.ones((2, 5, 5, 1)) * jnp.arange(5.0)[:, None, None]
    clean = jnp.asarray(np.random.default_rng(3).normal(size=(2, 5, 5, 1)))
    brought = jax.jit(lambda flat, clean: transport(flat, clean)(flat[0]))(flat, clean)
    assert jnp.isfinite(brought).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: t(jnp.zeros((4, 4, 1)), alpha=1.5), r"alpha is 1.5, expected a number in \[0"),
        (lambda t: t(jnp.zeros((4, 4, 2))), "x has 2 channels but the transport is of 1"),
        (lambda t: t(jnp.zeros((2, 4, 1))), "patch is 3 but the image has shape"),
    ],
)
def test_what_does_not_fit_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call(Transport(jnp.zeros(9), jnp.zeros(9), jnp.eye(9), 3))
