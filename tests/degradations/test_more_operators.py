"""Operators that see the image from afar: each against the dense matrix of its columns, or a formula in numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import linalg, ndimage

from jaxir.degradations import (
    Blur,
    Clip,
    Gamma,
    Linear,
    LinearStack,
    Mosaic,
    PhaseRetrieval,
    Quantise,
    Spectral,
    VaryingBlur,
    area_downsample,
    bayer,
    bicubic_downsample,
    check_operator,
    defocus_blur,
    fourier_sensing,
    from_linear_function,
    from_ycbcr,
    grey,
    hadamard_sensing,
    nearest_downsample,
    nonlinear_blur,
    stack,
    to_ycbcr,
)

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.usefixtures("quick_compile")]
SHAPE = (8, 4, 3)
RANDOM = np.random.default_rng(0)
KERNELS = RANDOM.uniform(size=(2, 3, 3, 2))
RHO = 0.3


def kspace(x):
    return jnp.fft.fft2(x, axes=(0, 1), norm="ortho")[::2]


OPERATORS = {
    "defocus": lambda: defocus_blur(SHAPE, 1.2),
    "varying blur": lambda: VaryingBlur(KERNELS, SHAPE),
    "bicubic / 1.5": lambda: bicubic_downsample((9, 7, 2), 1.5),
    "area / 2.3": lambda: area_downsample((9, 7, 2), 2.3),
    "nearest / 2.5": lambda: nearest_downsample((9, 7, 2), 2.5),
    "bayer": lambda: bayer((5, 6, 3), "GRBG"),
    "hadamard": lambda: hadamard_sensing(jax.random.key(1), SHAPE, rate=0.4),
    "fourier": lambda: fourier_sensing(jax.random.key(1), (6, 5, 2), rate=0.4),
    "stack": lambda: stack(
        grey(SHAPE), from_linear_function(kspace, SHAPE), area_downsample(SHAPE, 2)
    ),
}
every = pytest.mark.parametrize("name", OPERATORS)


def vector(y):
    y = np.asarray(y)
    return np.stack([y.real, y.imag]).ravel() if np.iscomplexobj(y) else y.ravel()


@functools.cache
def dense(name):
    """The operator, and its matrix with what `adjoint`, `solve` and `pinv` do to a random vector."""
    operator = OPERATORS[name]()

    @jax.jit
    def run(operator, x, y):
        basis = jnp.eye(x.size).reshape(-1, *x.shape)
        columns = jax.vmap(operator)(basis)
        result = {
            "adjoint": operator.adjoint(y),
            "solve": operator.solve(x, RHO),
            "pinv": operator.pinv(y),
        }
        if isinstance(operator, Spectral):
            there = operator.analyse(x)
            result |= {
                "back": operator.synthesise(there),
                "norm": jnp.linalg.norm(there.ravel()),
                "spectrum": jnp.broadcast_to(operator.spectrum, x.shape),
            }
        return columns.reshape(x.size, -1).T, result

    x, y = (
        jnp.asarray(RANDOM.normal(size=shape)) for shape in (operator.shape, operator.output_shape)
    )
    matrix, result = run(operator, x, y)
    return operator, np.asarray(matrix), np.asarray(x), np.asarray(y), result


@every
def test_adjoint_solve_and_pinv_are_those_of_the_dense_matrix(name):
    operator, a, x, y, result = dense(name)
    np.testing.assert_allclose(result["adjoint"].ravel(), a.T @ y.ravel(), atol=1e-12)
    normal = a.T @ a + RHO * np.eye(x.size)
    np.testing.assert_allclose(
        result["solve"].ravel(), np.linalg.solve(normal, x.ravel()), atol=1e-10
    )
    precision = 1e-9 if isinstance(operator, Spectral) else 1e-5  # conjugate gradients square it
    expected = np.linalg.pinv(a, rcond=1e-10) @ y.ravel()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(result["pinv"].ravel(), expected, atol=precision * scale)


@pytest.mark.parametrize(
    "name", [name for name in OPERATORS if name not in ("varying blur", "stack")]
)
def test_the_basis_is_orthogonal_and_its_spectrum_that_of_the_svd(name):
    operator, a, x, _, result = dense(name)
    assert isinstance(operator, Spectral)
    np.testing.assert_allclose(result["back"], x, atol=1e-12)
    assert float(result["norm"]) == pytest.approx(np.linalg.norm(x))
    found = np.sort(np.ravel(result["spectrum"]))[::-1]
    expected = np.linalg.svd(a, compute_uv=False)
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-12)


def test_a_disc_has_its_second_moment_and_no_direction():
    kernel = np.asarray(defocus_blur((31, 31, 1), 4.3).kernel)
    line = np.arange(len(kernel)) - len(kernel) // 2
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-15)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-15)
    assert kernel.sum() == pytest.approx(1)
    middle = len(kernel) // 2
    assert kernel[middle, middle] == pytest.approx(1 / (np.pi * 4.3**2), rel=1e-3)
    # a disc has r²/4 along each axis, and rounding to pixels adds between 0 and 1/6, 1/12 on average
    assert (kernel * line**2).sum() == pytest.approx(4.3**2 / 4 + 1 / 12, abs=1 / 12)


def test_a_varying_blur_of_equal_kernels_is_a_blur():
    kernels = np.broadcast_to(KERNELS[0, 0], (3, 2, 3, 2))
    x = jnp.asarray(RANDOM.normal(size=SHAPE))
    expected = Blur(KERNELS[0, 0], SHAPE)(x)
    np.testing.assert_allclose(VaryingBlur(kernels, SHAPE)(x), expected, atol=1e-12)


def test_a_point_is_spread_by_the_kernel_of_its_tile():
    kernels = RANDOM.uniform(size=(2, 2, 3, 3))
    shape = (12, 12, 1)
    for i, j in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        row, column = (
            2 + 7 * i,
            2 + 7 * j,
        )  # beyond the middles at 2.5 and 8.5, where weights are constant
        point = jnp.zeros(shape).at[row, column].set(1)
        spread = VaryingBlur(kernels, shape)(point)[row - 1 : row + 2, column - 1 : column + 2, 0]
        np.testing.assert_allclose(spread, kernels[i, j], atol=1e-12)


def test_levins_kernels_blur_as_scipy_convolves(data):
    path = data / "kernels" / "levin09.npz"
    if not path.is_file():
        pytest.skip(f"no kernels of Levin: {path} does not exist")
    x = RANDOM.normal(size=(40, 36, 1))
    for name, kernel in np.load(path).items():
        assert kernel.sum() == pytest.approx(1), name
        expected = ndimage.convolve(x, kernel[..., None], mode="wrap")
        np.testing.assert_allclose(Blur(kernel, x.shape)(jnp.asarray(x)), expected, atol=1e-12)


def pillow(x, size, kernel):
    channels = [
        Image.fromarray(np.float32(c)).resize(size[::-1], kernel) for c in np.moveaxis(x, -1, 0)
    ]
    return np.stack([np.asarray(c) for c in channels], -1)


@pytest.mark.parametrize("factor", [1.3, 2.5])
def test_resizing_by_any_factor_is_pillows(factor):
    x = RANDOM.normal(size=(41, 37, 2))
    size = (round(41 / factor), round(37 / factor))
    nearest = nearest_downsample(x.shape, factor)(jnp.asarray(x))
    np.testing.assert_allclose(nearest, pillow(x, size, Image.Resampling.NEAREST), atol=1e-6)
    bicubic = bicubic_downsample(x.shape, factor)(jnp.asarray(x))
    expected = pillow(x, size, Image.Resampling.BICUBIC)
    inside = slice(3, -3)  # beyond the border Pillow cuts the kernel off
    np.testing.assert_allclose(bicubic[inside, inside], expected[inside, inside], atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3])
def test_nearest_by_a_whole_factor_is_pillows(factor):
    x = RANDOM.normal(size=(12, 18, 1))
    ours = nearest_downsample(x.shape, factor)(jnp.asarray(x))
    size = (12 // factor, 18 // factor)
    np.testing.assert_allclose(ours, pillow(x, size, Image.Resampling.NEAREST), atol=1e-6)


def test_area_is_the_difference_of_the_integral():
    x = RANDOM.normal(size=(11, 9, 1))
    ours = np.asarray(area_downsample(x.shape, 1.7)(jnp.asarray(x)))[..., 0]
    expected = x[..., 0]
    for axis, new in enumerate(ours.shape):
        size = expected.shape[axis]
        integral = np.cumsum(np.insert(expected, 0, 0, axis), axis)
        edges = np.linspace(0, size, new + 1)
        at = np.apply_along_axis(lambda v: np.interp(edges, np.arange(len(v)), v), axis, integral)  # noqa: B023
        expected = np.diff(at, axis=axis) * new / size
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_a_bayer_mosaic_sees_the_letters_of_its_pattern():
    x = jnp.asarray(RANDOM.normal(size=(6, 4, 3)))
    y = bayer(x.shape, "RGGB")(x)[..., 0]
    np.testing.assert_array_equal(y[::2, ::2], x[::2, ::2, 0])
    np.testing.assert_array_equal(y[1::2, ::2], x[1::2, ::2, 1])
    np.testing.assert_array_equal(y[::2, 1::2], x[::2, 1::2, 1])
    np.testing.assert_array_equal(y[1::2, 1::2], x[1::2, 1::2, 2])


def test_hadamard_is_scipys_matrix_of_a_flipped_image():
    operator = hadamard_sensing(jax.random.key(3), (8, 4, 1), rate=1.0)
    x = RANDOM.normal(size=(8, 4))
    signed = np.asarray(operator.basis.signs) * x
    expected = linalg.hadamard(8) @ signed @ linalg.hadamard(4) / np.sqrt(32)
    np.testing.assert_allclose(operator(jnp.asarray(x[..., None]))[..., 0], expected, atol=1e-12)


def test_fourier_sensing_keeps_both_of_a_pair_and_gives_the_complex_coefficients_back():
    operator = fourier_sensing(jax.random.key(0), (32, 27, 1), rate=0.3)
    x = RANDOM.normal(size=(32, 27))
    kept = np.asarray(operator.kept)
    opposite = np.roll(kept[::-1, ::-1], (1, 1), (0, 1))
    np.testing.assert_array_equal(kept, opposite)
    assert kept[0, 0]
    assert abs(kept.mean() - 0.3) < 4 * np.sqrt(
        2 * 0.3 * 0.7 / kept.size
    )  # pairs: twice the variance
    y = np.asarray(operator(jnp.asarray(x[..., None])))[..., 0]
    other = np.roll(y[::-1, ::-1], (1, 1), (0, 1))
    found = (y + other) / 2 + 1j * (other - y) / 2
    np.testing.assert_allclose(found, kept * np.fft.fft2(x, norm="ortho"), atol=1e-12)


def test_ycbcr_is_that_of_jpeg_files_and_goes_back():
    pixels = RANDOM.integers(0, 256, size=(16, 16, 3)).astype(np.uint8)
    x = jnp.asarray(pixels) / 127.5 - 1
    y = np.asarray(to_ycbcr(x)) * 127.5 + [127.5, 128, 128]
    expected = np.asarray(Image.fromarray(pixels).convert("YCbCr"), float)
    np.testing.assert_allclose(np.clip(y, 0, 255), expected, atol=1.001)  # Pillow rounds, or cuts
    np.testing.assert_allclose(from_ycbcr(to_ycbcr(x)), x, atol=1e-12)


def test_sensors_are_their_formulas_and_their_derivatives_what_is_stated():
    x = jnp.asarray([-1.3, -1.0, -0.6, -0.1, 0.2, 0.74, 1.0, 1.2]).reshape(8, 1, 1)
    slope = lambda operator: jax.grad(lambda x: operator(x).sum())(x).ravel()  # noqa: E731
    quantise = Quantise(5, x.shape)
    np.testing.assert_allclose(quantise(x).ravel(), [-1, -1, -0.5, 0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(slope(quantise)[jnp.array([0, 2, 3, 4, 5, 7])], [0, 1, 1, 1, 1, 0])
    clip = Clip(2.0, x.shape)
    np.testing.assert_allclose(clip(x), np.clip(2 * x, -1, 1))
    np.testing.assert_allclose(slope(clip), [0, 0, 0, 2, 2, 0, 0, 0])
    gamma = Gamma(2.2, x.shape)
    bright = x[2:7]
    np.testing.assert_allclose(gamma(x)[2:7], 2 * ((bright + 1) / 2) ** 2.2 - 1, atol=1e-12)
    np.testing.assert_allclose(Gamma(1 / 2.2, x.shape)(gamma(x)), x, atol=1e-12)
    assert np.all(np.isfinite(slope(gamma)))
    assert np.all(np.isfinite(slope(Gamma(1 / 2.2, x.shape))))


def test_nonlinear_blur_is_a_blur_of_light_and_of_grey_no_blur():
    shape = (6, 5, 1)
    kernel = np.full((3, 3), 1 / 9)
    operator = nonlinear_blur(Blur(kernel, shape), gamma=2.0)
    x = jnp.asarray(RANDOM.uniform(-0.8, 1, size=shape))
    light = ndimage.convolve(((np.asarray(x) + 1) / 2) ** 2, kernel[..., None], mode="wrap")
    np.testing.assert_allclose(operator(x), 2 * np.sqrt(light) - 1, atol=1e-12)
    flat = jnp.full(shape, 0.3)
    np.testing.assert_allclose(operator(flat), flat, atol=1e-12)
    assert not isinstance(operator, Linear)


def test_phase_retrieval_is_blind_to_sign_and_half_a_turn_and_keeps_the_energy():
    shape = (6, 5, 2)
    operator = PhaseRetrieval(shape)
    x = jnp.asarray(RANDOM.normal(size=shape))
    y = operator(x)
    assert y.shape == operator.output_shape == (12, 10, 2)
    expected = np.abs(np.fft.fft2(np.asarray(x), s=(12, 10), axes=(0, 1), norm="ortho"))
    np.testing.assert_allclose(y, expected, atol=1e-12)  # where the zeros lie has no effect on |F|
    np.testing.assert_allclose(operator(-x), y, atol=1e-12)
    np.testing.assert_allclose(operator(x[::-1, ::-1]), y, atol=1e-12)
    assert float(jnp.sum(y**2)) == pytest.approx(float(jnp.sum(x**2)))
    gradient = jax.grad(lambda x: operator(x).sum())(jnp.zeros(shape))
    assert np.all(np.isfinite(gradient))


def test_a_stack_splits_what_it_joins_and_is_linear_where_its_parts_are():
    parts = [grey(SHAPE), from_linear_function(kspace, SHAPE)]
    operator = stack(*parts)
    assert isinstance(operator, LinearStack)
    assert check_operator(operator).ok
    x = jnp.asarray(RANDOM.normal(size=SHAPE))
    measured = [part(x) for part in parts]
    np.testing.assert_array_equal(operator.join(measured), operator(x))
    for one, back in zip(measured, operator.split(operator(x)), strict=True):
        np.testing.assert_array_equal(back, one)
    assert not isinstance(stack(grey(SHAPE), PhaseRetrieval(SHAPE)), Linear)
    levels = [jnp.full_like(one, s) for one, s in zip(measured, (0.1, 0.2 + 0.2j), strict=True)]
    sigma = operator.join(levels)
    assert sigma.shape == operator.output_shape
    assert set(np.asarray(sigma)) == {0.1, 0.2}


def test_new_values_do_not_retrace():
    traces = []

    @jax.jit
    def run(operators, x):
        traces.append(1)
        return [operator(x) for operator in operators]

    x = jnp.zeros(SHAPE)
    for value in (1.0, 2.0):
        run(
            (
                VaryingBlur(value * KERNELS, SHAPE),
                hadamard_sensing(jax.random.key(int(value)), SHAPE),
                Mosaic([[int(value)]], SHAPE),
                Quantise(value + 1, SHAPE),
                Clip(value, SHAPE),
                Gamma(value, SHAPE),
            ),
            x,
        )
    assert len(traces) == 1


CASES = {
    "no radius": (lambda: defocus_blur(SHAPE, 0.0), "radius is 0.0 but"),
    "one kernel": (lambda: VaryingBlur(KERNELS[0], SHAPE), "expected .* for a single one use Blur"),
    "large kernels": (lambda: VaryingBlur(np.ones((1, 1, 9, 9)), SHAPE), r"\(9, 9\) but the image"),
    "factor below 1": (lambda: nearest_downsample(SHAPE, 0.5), "factor 0.5"),
    "colours": (lambda: bayer(SHAPE, "RGBG"), "pattern is 'RGBG', expected RGGB"),
    "grey mosaic": (lambda: bayer((8, 8, 1)), r"\(8, 8, 1\)"),
    "channels": (lambda: Mosaic([[0, 3]], SHAPE), "table of channels, 0 to 2"),
    "no power of two": (lambda: hadamard_sensing(jax.random.key(0), (6, 4, 1)), "powers of two"),
    "percent": (lambda: fourier_sensing(jax.random.key(0), SHAPE, rate=25), "rate is 25"),
    "one level": (lambda: Quantise(1, SHAPE), "levels is 1, expected 2 or more"),
    "no gain": (lambda: Clip(0.0, SHAPE), "gain is 0.0"),
    "no gamma": (lambda: Gamma(-1.0, SHAPE), "exponent is -1.0"),
    "undersampling": (lambda: PhaseRetrieval(SHAPE, 0.5), "oversampling is 0.5"),
    "nothing stacked": (lambda: stack(), "no operators"),
    "two images": (lambda: stack(grey(SHAPE), grey((4, 4, 3))), "expected a single one"),
    "one part": (lambda: stack(grey(SHAPE)).join([]), "got 0 measurements, expected 1"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_came_and_what_was_expected(case):
    act, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        act()
