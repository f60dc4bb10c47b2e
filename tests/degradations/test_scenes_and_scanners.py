"""Weather, light, age, scanners, satellites and clips: dense matrices, published formulas, and scikit-image."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from skimage.data import shepp_logan_phantom
from skimage.transform import iradon, radon, resize

from jaxir.degradations import (
    Affine,
    Blur,
    ChannelMix,
    Gain,
    MultiCoil,
    Pansharpening,
    ParallelBeam,
    Spectral,
    all_pass,
    area_downsample,
    cartesian_mask,
    coil_maps,
    drops,
    each_frame,
    exposure,
    fade,
    fbp,
    from_function,
    from_linear_function,
    hann,
    haze,
    low_light,
    parallel_beam,
    rain,
    scratch_cover,
    scratches,
    sepia,
    shadow,
    shadow_cover,
    smooth_field,
    snow,
)
from jaxir.degradations.mri import to_kspace

pytestmark = pytest.mark.usefixtures("quick_compile")
KEY = jax.random.key(3)
SHAPE = (12, 10, 3)
RANDOM = np.random.default_rng(0)
RHO = 0.3
KERNEL = RANDOM.uniform(size=(3, 5))
GAIN = np.where(RANDOM.uniform(size=(4, 5, 2)) < 0.2, 0, RANDOM.normal(size=(4, 5, 2)))
MAPS = RANDOM.normal(size=(3, 5, 6)) + 1j * RANDOM.normal(size=(3, 5, 6))
SAMPLED = RANDOM.uniform(size=(5, 6)) < 0.4


def kspace(x):
    return jnp.fft.fft2(x, axes=(0, 1), norm="ortho")[::2]


OPERATORS = {
    "gain": lambda: Gain(GAIN, (4, 5, 2)),
    "channel mix": lambda: ChannelMix(KERNEL[:2, :4], (3, 2, 4)),
    "pan-sharpening": lambda: Pansharpening(area_downsample((6, 4, 3), 2), (0.2, 0.5, 0.1)),
    "exposure": lambda: exposure((7, 3, 2, 2), 3, stride=2),
    "blurred frames": lambda: each_frame(Blur(KERNEL, (4, 6, 1)), 3),
    "k-space of frames": lambda: each_frame(from_linear_function(kspace, (4, 3, 1)), 2),
    "drops": lambda: drops(jax.random.key(0), (8, 7, 2), count=3, radius=(1.0, 3.0)),
    "coils": lambda: MultiCoil(MAPS, SAMPLED, (5, 6, 2)),
    "coils, real image": lambda: MultiCoil(MAPS, SAMPLED, (5, 6, 1)),
    "parallel beams": lambda: ParallelBeam(20.0 * np.arange(9), 9, (6, 5, 2)),
}


def as_real(y):
    """Complex numbers as pairs, whose dot product is the one that adjoint means."""
    y = np.asarray(y)
    return np.stack([y.real, y.imag]).ravel() if np.iscomplexobj(y) else y.ravel()


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", OPERATORS)
def test_adjoint_solve_pinv_and_spectrum_are_those_of_the_dense_matrix(name):
    operator = OPERATORS[name]()
    like = jax.eval_shape(operator.apply, jax.ShapeDtypeStruct(operator.shape, jnp.float64))
    x, y = RANDOM.normal(size=operator.shape), RANDOM.normal(size=like.shape)
    y = jnp.asarray(y, like.dtype) * (1 + 0.5j if jnp.issubdtype(like.dtype, complex) else 1)

    @jax.jit
    def run(operator, x, y):
        columns = jax.vmap(operator)(jnp.eye(x.size).reshape(-1, *x.shape))
        result = [operator.adjoint(y), operator.solve(x, RHO), operator.pinv(y)]
        if isinstance(operator, Spectral):
            spectrum = jnp.broadcast_to(operator.spectrum, x.shape)
            result += [operator.synthesise(operator.analyse(x)), spectrum]
        return columns, result

    columns, (adjoint, solved, fitted, *basis) = run(operator, jnp.asarray(x), y)
    a = np.stack([as_real(column) for column in columns], axis=1)
    np.testing.assert_allclose(adjoint.ravel(), a.T @ as_real(y), atol=1e-12)
    normal = a.T @ a + RHO * np.eye(x.size)
    np.testing.assert_allclose(solved.ravel(), np.linalg.solve(normal, x.ravel()), atol=1e-9)
    expected = np.linalg.pinv(a, rcond=1e-10) @ as_real(y)
    precision = 1e-9 if basis else 1e-5  # conjugate gradients square the condition number
    np.testing.assert_allclose(
        fitted.ravel(), expected, atol=precision * max(1, np.abs(expected).max())
    )
    if basis:
        back, spectrum = basis
        np.testing.assert_allclose(back, x, atol=1e-12)
        singular = np.linalg.svd(a, compute_uv=False)
        found = np.sort(np.ravel(spectrum))[::-1]
        np.testing.assert_allclose(found[: len(singular)], singular, atol=1e-7)
        np.testing.assert_allclose(found[len(singular) :], 0, atol=1e-7)


SCENES = {
    "haze": lambda: haze(smooth_field(KEY, SHAPE[:2], width=3.0), SHAPE),
    "rain": lambda: rain(KEY, SHAPE, density=0.1, length=4.0),
    "snow": lambda: snow(KEY, SHAPE),
    "shadow": lambda: shadow(shadow_cover(KEY, SHAPE, width=3.0), SHAPE),
    "scratches": lambda: scratches(scratch_cover(KEY, SHAPE), SHAPE),
    "fade": lambda: fade(SHAPE),
    "sepia": lambda: sepia(SHAPE, strength=0.7),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_affine_keeps_its_draw_and_stays_a_picture(name):
    operator, x = SCENES[name](), jnp.asarray(RANDOM.uniform(-1, 1, SHAPE), jnp.float32)
    assert isinstance(operator, Affine)
    y = operator(x)
    np.testing.assert_array_equal(y, SCENES[name]()(x))  # the same key, the same scene
    np.testing.assert_allclose(operator.linear(x), y - operator.offset, atol=1e-6)
    assert float(jnp.abs(y - x).max()) > 0.05
    if name != "rain":  # which adds its light; all others are means of what lies in [-1, 1]
        assert float(jnp.abs(y).max()) <= 1 + 1e-6


def test_haze_and_shadow_and_low_light_are_their_formulas_in_intensities():
    x, depth = RANDOM.uniform(-1, 1, SHAPE), RANDOM.uniform(size=(*SHAPE[:2], 1))
    u = (x + 1) / 2
    tau = np.exp(-0.7 * depth)
    for operator, v in [
        (haze(depth, SHAPE, beta=0.7, airlight=0.6), u * tau + 0.8 * (1 - tau)),
        (shadow(depth, SHAPE, strength=0.5), u * (1 - 0.5 * depth)),
        (low_light(SHAPE, gain=0.3, gamma=1.8), 0.3 * np.maximum(u, 0) ** 1.8),
    ]:
        # gamma is a straight line below one grey level, off by at most 2 · 0.3 (1/255)^1.8 = 3e-5
        np.testing.assert_allclose(operator(jnp.asarray(x, jnp.float32)), 2 * v - 1, atol=2e-4)


def test_a_smooth_field_is_uniform_and_as_smooth_as_said():
    field = np.asarray(smooth_field(KEY, (256, 256), width=3.0))[..., 0]
    quantiles = np.quantile(field, [0.1, 0.5, 0.9])
    # about 256²/(4π 3²) = 580 independent patches: a standard error of 0.02 in the middle
    np.testing.assert_allclose(quantiles, [0.1, 0.5, 0.9], atol=0.07)
    z = np.asarray(jax.scipy.stats.norm.ppf(np.clip(field, 1e-6, 1 - 1e-6)))
    lag = np.corrcoef(z.ravel(), np.roll(z, 3, 0).ravel())[0, 1]
    assert lag == pytest.approx(np.exp(-(3**2) / (4 * 3**2)), abs=0.05)


def test_snow_covers_its_share():
    cover = np.asarray(snow(KEY, (128, 128, 1), density=0.2, opacity=1.0).linear.gain)
    # discs at random places cover 1 − e^(−density) where they overlap
    assert np.mean(1 - cover) == pytest.approx(1 - np.exp(-0.2), rel=0.25)


@functools.cache
def scan():
    image = resize(shepp_logan_phantom(), (64, 64), anti_aliasing=True).astype(np.float32)
    image = np.roll(image, (3, -5), (0, 1))  # no symmetry, so that a flip shows
    operator = parallel_beam((64, 64, 1), 90)
    sinogram = eqx.filter_jit(operator)(image[..., None])
    theirs = radon(image, theta=np.asarray(operator.angles), circle=False).T
    return image, operator, sinogram, theirs


def test_the_sinogram_is_scikit_images():
    _, _, ours, theirs = scan()
    middle, their_middle = ours.shape[1] // 2, theirs.shape[1] // 2
    reach = min(middle, their_middle) - 1
    np.testing.assert_allclose(
        ours[:, middle - reach : middle + reach, 0],
        theirs[:, their_middle - reach : their_middle + reach],
        atol=1e-4,  # float32 sums of 90 pixels
    )


def test_rays_along_the_edges_of_pixels_take_each_point_once(key):
    """At 150° and every second ray the points lie between two pixels, to rounding.

    Where the index of a pixel and its weight come from differently rounded coordinates, a ray is off by a pixel (1.3
    here) and the adjoint is that of another operator.
    """
    operator = parallel_beam((64, 64, 1), 30)
    x = jax.random.normal(key, operator.shape)
    t, s = np.arange(-46, 47)[:, None], np.arange(-46, 47)
    for number, degrees in ((25, 150.0), (5, 30.0)):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        at = np.stack([32 + t * cos - s * sin, 32 + s * cos + t * sin]) + 1
        expected = map_coordinates(np.pad(x[..., 0], 1), at, order=1).sum(axis=0)
        # float32: 93 values of rounding 64 ε
        np.testing.assert_allclose(operator(x)[number, :, 0], expected, atol=1e-3)
    y = jax.random.normal(jax.random.fold_in(key, 1), operator.output_shape)
    forth, back = jnp.vdot(operator(x), y), jnp.vdot(x, operator.adjoint(y))
    assert abs(forth - back) < 1e-6 * jnp.linalg.norm(operator(x)) * jnp.linalg.norm(y)


@pytest.mark.parametrize(("window", "name"), [(all_pass, "ramp"), (hann, "hann")])
def test_filtered_back_projection_is_as_near_the_truth_as_scikit_images(window, name):
    image, operator, sinogram, theirs = scan()
    ours = np.asarray(fbp(sinogram, operator, window=window))[..., 0]
    reference = iradon(
        theirs.T, theta=np.asarray(operator.angles), circle=False, filter_name=name, output_size=64
    )
    error, their_error = (np.sqrt(np.mean((found - image) ** 2)) for found in (ours, reference))
    # theirs interpolates filtered rays at pixels, ours is the exact adjoint: the two differ by
    # interpolation alone, a small part of what either leaves
    assert error < 1.05 * their_error
    assert np.sqrt(np.mean((ours - reference) ** 2)) < 0.25 * their_error


def test_coils_whose_squares_sum_to_one_neither_add_nor_lose_energy(key):
    maps = MAPS / np.sqrt(np.sum(np.abs(MAPS) ** 2, axis=0))
    full = MultiCoil(maps, np.ones((5, 6)), (5, 6, 2))
    x = jax.random.normal(key, full.shape)
    np.testing.assert_allclose(full.adjoint(full(x)), x, atol=1e-5)
    half = MultiCoil(np.ones((1, 5, 6), complex), SAMPLED, (5, 6, 2))
    once = half.adjoint(half(x))
    np.testing.assert_allclose(half.adjoint(half(once)), once, atol=1e-5)  # a projection


def test_a_cartesian_mask_keeps_the_centre_and_its_share_of_columns(key):
    kept = np.asarray(cartesian_mask(key, (32, 100, 1), acceleration=4, centre=0.08))
    assert np.all(kept == kept[0])
    assert kept[0].sum() == 25
    assert kept[0, 46:54].all()


def test_coil_maps_of_a_smooth_scanner_are_found(key):
    rows, columns = np.meshgrid(np.linspace(-1, 1, 48), np.linspace(-1, 1, 40), indexing="ij")
    true = np.stack(
        [np.exp(-((rows - r) ** 2 + columns**2) + 1j * r * columns) for r in (-1, 0, 1)]
    )
    true /= np.sqrt(np.sum(np.abs(true) ** 2, axis=0))
    body = np.maximum(0, 1 - rows**2 - columns**2) * (1.5 + 0.3 * np.cos(7 * rows))
    found = np.asarray(coil_maps(to_kspace(jnp.asarray(true * body))))
    inside = rows**2 + columns**2 < 0.7
    # the maps are constant over a sample of the calibration square up to about a pixel of it, 1/24
    assert np.abs(found - true)[:, inside].max() < 0.06


def test_coil_maps_explain_a_brain(data):
    path = data / "medical" / "mri_brain_8coil_kspace.npy"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    k = jnp.asarray(np.load(path))
    maps = coil_maps(k)
    operator = MultiCoil(maps, jnp.ones(k.shape[1:]), (*k.shape[1:], 2))
    x = operator.adjoint(k)
    left = jnp.linalg.norm(operator(x) - k) / jnp.linalg.norm(k)
    assert left < 0.25  # noise and what the maps miss; 1 would be no explanation
    # their phase is the slow part of the image's, which is then nearly real
    assert jnp.linalg.norm(x[..., 1]) < 0.3 * jnp.linalg.norm(x[..., 0])


def test_an_exposure_is_the_mean_of_its_frames_and_a_clip_goes_frame_by_frame(key):
    clip = jax.random.normal(key, (7, 4, 3, 2))
    blurred = exposure(clip.shape, 3, stride=2)(clip)
    expected = np.stack([np.mean(clip[first : first + 3], axis=0) for first in (0, 2, 4)])
    np.testing.assert_allclose(blurred, expected, atol=1e-6)
    np.testing.assert_array_equal(exposure(clip.shape, 1, stride=3)(clip), clip[::3])
    squares = each_frame(from_function(jnp.square, (4, 3, 2)), 7)
    np.testing.assert_allclose(squares(clip), clip**2, rtol=1e-6)


def test_what_does_not_fit_is_said():
    for act, message in [
        (lambda: Gain(np.ones((4, 4, 1)), SHAPE), r"gain has shape \(4, 4, 1\)"),
        (lambda: ChannelMix(np.ones((2, 2)), SHAPE), r"matrix has shape \(2, 2\)"),
        (lambda: exposure((5, 4, 4, 1), 6), "frames is 6"),
        (lambda: exposure((4, 4, 1), 2), "a clip is"),
        (lambda: MultiCoil(MAPS, SAMPLED, (5, 6, 3)), "one channel"),
        (lambda: MultiCoil(MAPS, SAMPLED.T, (5, 6, 1)), r"mask has shape \(6, 5\)"),
        (lambda: cartesian_mask(KEY, SHAPE, acceleration=8, centre=0.5), "in the centre"),
        (lambda: coil_maps(jnp.asarray(MAPS), calibration=9), "calibration is 9"),
    ]:
        with pytest.raises(ValueError, match=message):
            act()
