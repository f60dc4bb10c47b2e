"""Every operator, the same laws: each against the dense matrix that its own columns make, in float64."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal

from jaxir.degradations import (
    Affine,
    Blur,
    Crop,
    Grey,
    Identity,
    Linear,
    Mask,
    Spectral,
    area_downsample,
    bicubic_downsample,
    box_mask,
    each_frame,
    from_function,
    from_linear_function,
    gaussian_blur,
    grey,
    motion_blur,
    random_mask,
    stack,
)
from jaxir.linear import conjugate_gradient

SHAPE = (12, 10, 3)
RHO = 0.3
RANDOM = np.random.default_rng(0)
ODD = RANDOM.uniform(size=(3, 5))  # no symmetry, so that a flip or a shift shows
EVEN = RANDOM.uniform(size=(4, 2))
PIXELS = RANDOM.uniform(size=SHAPE) < 0.4


def kspace(x):
    return jnp.fft.fft2(x, axes=(0, 1), norm="ortho")[::2]


OPERATORS: dict[str, Callable[[], Linear]] = {
    "identity": lambda: Identity(SHAPE),
    "mask": lambda: Mask(PIXELS[..., 0], SHAPE),
    "mask, one a channel": lambda: Mask(PIXELS, SHAPE),
    "crop": lambda: Crop(SHAPE, 2),
    "grey": lambda: grey(SHAPE),
    "first channel": lambda: Grey((1.0, 0.0, 0.0), SHAPE),
    "odd blur": lambda: Blur(ODD, SHAPE),
    "even blur": lambda: Blur(EVEN, SHAPE),
    "blur with a zero": lambda: Blur(np.full((1, 2), 0.5), SHAPE),
    "bicubic / 4": lambda: bicubic_downsample((12, 8, 3), 4),
    "valid blur": lambda: Crop(SHAPE, 2) @ Blur(ODD, SHAPE),
    "grey / 2": lambda: grey((6, 5, 3)) @ area_downsample(SHAPE, 2),
    "k-space": lambda: from_linear_function(kspace, SHAPE),
    "masked k-space": lambda: Mask(PIXELS[:6], (6, 10, 3)) @ from_linear_function(kspace, SHAPE),
}
SPECTRAL = [
    name
    for name in OPERATORS
    if name not in ("valid blur", "grey / 2", "k-space", "masked k-space")
]

every = pytest.mark.parametrize("name", OPERATORS)
spectral = pytest.mark.parametrize("name", SPECTRAL)
pytestmark = pytest.mark.usefixtures("x64", "quick_compile")


def as_real(y):
    """Complex numbers as pairs, whose dot product is the one that adjoint means."""
    y = np.asarray(y)
    return np.stack([y.real, y.imag]).ravel() if np.iscomplexobj(y) else y.ravel()


def matrix(f, shape):
    """The dense matrix of a linear function of arrays of this shape."""
    basis = jnp.eye(int(np.prod(shape))).reshape(-1, *shape)
    columns = np.asarray(jax.jit(jax.vmap(f))(basis))
    return np.stack([as_real(column) for column in columns], axis=1)


@functools.cache
def dense(name):
    operator = OPERATORS[name]()
    return operator, matrix(operator, operator.shape)


def draw(shape, dtype=float):
    z = np.random.default_rng(1).normal(size=(2, *shape))
    return jnp.asarray(z[0] + 1j * z[1] if np.issubdtype(dtype, complex) else z[0])


@every
def test_it_is_linear(name):
    operator, a = dense(name)
    x = draw(operator.shape)
    np.testing.assert_allclose(as_real(operator(x)), a @ x.ravel(), atol=1e-13)


@every
def test_its_output_shape_is_known_without_running_it(name):
    operator, _ = dense(name)
    assert operator.output_shape == operator(draw(operator.shape)).shape


@every
def test_adjoint_is_the_transposed_matrix(name):
    operator, a = dense(name)
    ax = operator(draw(operator.shape))
    y = draw(ax.shape, ax.dtype)
    adjoint = operator.adjoint(y)
    assert adjoint.dtype == jnp.float64
    np.testing.assert_allclose(adjoint.ravel(), a.T @ as_real(y), atol=1e-13)


@every
def test_solve_is_the_dense_solve(name):
    operator, a = dense(name)
    v = draw(operator.shape)
    expected = np.linalg.solve(a.T @ a + RHO * np.eye(a.shape[1]), v.ravel())
    np.testing.assert_allclose(operator.solve(v, RHO).ravel(), expected, atol=1e-12)


@every
def test_pinv_and_its_derivative_are_those_of_the_dense_pseudo_inverse(name):
    operator, a = dense(name)
    x = draw(operator.shape)
    ax = operator(x)
    y = draw(ax.shape, ax.dtype)
    pinv = np.linalg.pinv(a, rcond=1e-12)
    precision = (
        1e-10 if name in SPECTRAL else 1e-6
    )  # conjugate gradients square the condition number
    found, pull_back = jax.vjp(operator.pinv, y)
    for ours, expected in [
        (found, pinv @ as_real(y)),
        (pull_back(x)[0].conj(), pinv.T @ x.ravel()),
    ]:
        np.testing.assert_allclose(as_real(ours), expected, atol=precision * np.abs(expected).max())


@spectral
def test_pinv_meets_the_four_conditions_of_moore_and_penrose(name):
    operator, a = dense(name)
    p = matrix(operator.pinv, operator.output_shape)
    for left, right in [(a @ p @ a, a), (p @ a @ p, p), (a @ p, (a @ p).T), (p @ a, (p @ a).T)]:
        np.testing.assert_allclose(left, right, atol=1e-11 * np.abs(p).max())


@spectral
def test_closed_forms_agree_with_conjugate_gradients(name):
    operator, _ = dense(name)
    v = draw(operator.shape)
    np.testing.assert_allclose(operator.solve(v, RHO), Linear.solve(operator, v, RHO), atol=1e-11)


@spectral
def test_spectrum_is_that_of_the_dense_svd(name):
    operator, a = dense(name)
    found = np.sort(np.broadcast_to(operator.spectrum, operator.shape).ravel())[::-1]
    expected = np.linalg.svd(a, compute_uv=False)
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-12)
    np.testing.assert_allclose(found[len(expected) :], 0, atol=1e-12)


@spectral
def test_the_basis_is_unitary_and_diagonalises(name):
    operator, a = dense(name)
    x = draw(operator.shape)
    coordinates = operator.analyse(x)
    assert jnp.linalg.norm(coordinates.ravel()) == pytest.approx(float(jnp.linalg.norm(x.ravel())))
    np.testing.assert_allclose(operator.synthesise(coordinates), x, atol=1e-13)
    np.testing.assert_allclose(
        operator.filter(jnp.square, x).ravel(), a.T @ (a @ x.ravel()), atol=1e-12
    )


@every
def test_dtype_follows_the_image_under_strict_promotion(name):
    operator, _ = dense(name)  # its arrays are float64
    with jax.numpy_dtype_promotion("strict"):
        x = draw(operator.shape).astype(jnp.float32)
        y = operator(x)
        assert jnp.finfo(y.dtype).dtype == jnp.float32
        for image in (operator.adjoint(y), operator.solve(x, RHO), operator.pinv(y)):
            assert image.dtype == jnp.float32


@pytest.mark.parametrize("name", ["odd blur", "bicubic / 4", "valid blur"])
def test_an_image_alone_is_the_same_as_in_a_batch(name):
    operator, _ = dense(name)
    x = jnp.stack([scale * draw(operator.shape) for scale in (1.0, 100.0, 0.0)])
    for f in (operator, lambda v: operator.solve(v, RHO), lambda v: operator.pinv(operator(v))):
        batch = jax.jit(jax.vmap(f))(x)
        for image, one in zip(x, batch, strict=True):
            np.testing.assert_allclose(
                one, f(image), atol=1e-12 * max(1, float(jnp.abs(one).max()))
            )


def test_a_new_kernel_mask_or_rho_does_not_retrace():
    traces = []

    @jax.jit
    def restored(blur, mask, rho, x):
        traces.append(1)
        return blur.solve(x, rho) + mask(x)

    for value in (1.0, 2.0):
        mask = Mask(PIXELS[..., int(value)], SHAPE)
        restored(Blur(value * ODD, SHAPE), mask, value, draw(SHAPE))
    assert len(traces) == 1


def test_solve_serves_the_space_of_measurements_by_push_through():
    operator, a = dense("odd blur")
    y = draw(operator.output_shape)
    expected = a.T @ np.linalg.solve(a @ a.T + RHO * np.eye(len(a)), y.ravel())
    np.testing.assert_allclose(
        operator.solve(operator.adjoint(y), RHO).ravel(), expected, atol=1e-12
    )


def test_matmul_applies_the_right_one_first_and_knows_what_is_linear():
    clip = from_function(lambda x: jnp.clip(x, -0.5, 0.5), SHAPE)
    blur, x = Blur(ODD, SHAPE), draw(SHAPE)
    np.testing.assert_array_equal((clip @ blur)(x), clip(blur(x)))
    assert isinstance(blur @ blur, Linear)
    assert not isinstance(blur @ blur, Spectral)
    assert not isinstance(clip @ blur, Linear)


@pytest.mark.parametrize("kernel", [ODD, ODD.T])
def test_blur_is_scipys_convolution(kernel):
    x = draw(SHAPE)
    expected = ndimage.convolve(np.asarray(x), kernel[..., None], mode="wrap")
    np.testing.assert_allclose(Blur(kernel, SHAPE)(x), expected, atol=1e-13)


@pytest.mark.parametrize("size", [(3, 5), (4, 2)])
def test_the_middle_of_the_kernel_is_half_its_size_rounded_down(size):
    height, width = size
    kernel = np.zeros(size)
    kernel[height // 2, width // 2] = 1
    np.testing.assert_allclose(Blur(kernel, SHAPE)(draw(SHAPE)), draw(SHAPE), atol=1e-14)


def test_crop_after_blur_has_seen_no_boundary():
    x = draw(SHAPE)
    kernel = RANDOM.uniform(size=(5, 5))
    y = (Crop(SHAPE, 2) @ Blur(kernel, SHAPE))(x)
    expected = signal.convolve2d(x[..., 1], kernel, mode="valid")
    np.testing.assert_allclose(y[..., 1], expected, atol=1e-12)


def moments(kernel):
    """Mean and covariance of a kernel as a distribution over (x to the right, y upwards)."""
    height, width = kernel.shape
    y, x = np.meshgrid(
        height // 2 - np.arange(height), np.arange(width) - width // 2, indexing="ij"
    )
    points = np.stack([x.ravel(), y.ravel()])
    return points @ kernel.ravel(), (points * kernel.ravel()) @ points.T


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_motion_blur_is_a_line_of_its_length_and_angle(angle):
    kernel = np.asarray(motion_blur((64, 64, 1), 15.0, angle).kernel)
    mean, covariance = moments(kernel)
    np.testing.assert_allclose([kernel.sum(), *mean], [1, 0, 0], atol=1e-12)
    variances, axes = np.linalg.eigh(covariance)
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    assert abs(axes[:, 1] @ along) > 0.9999
    # A line has L²/12 along it and 0 across; bilinear weights add at most ¼ of a squared pixel.
    assert 0 <= variances[1] - 15**2 / 12 <= 0.25
    assert 0 <= variances[0] <= 0.25


def test_gaussian_blur_has_its_width():
    kernel = np.asarray(gaussian_blur((64, 64, 1), 2.0).kernel)
    mean, covariance = moments(kernel)
    np.testing.assert_allclose([kernel.sum(), *mean], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(covariance, 4 * np.eye(2), atol=5e-3)  # cut at 4 widths: 1.1e-3 of 4


def test_random_mask_misses_its_share_in_all_channels_together():
    mask = random_mask(jax.random.key(1), (64, 64, 3), missing=0.92)
    known = mask(jnp.ones((64, 64, 3)))
    assert bool(jnp.all(known == known[..., :1]))
    error = np.sqrt(0.92 * 0.08 / 64**2)
    assert abs(float(known.mean()) - 0.08) < 4 * error


def test_what_a_mask_hides_is_never_used():
    mask = box_mask(SHAPE, 4)
    y = jnp.where(mask.mask, draw(SHAPE), jnp.nan)
    assert bool(jnp.all(jnp.isfinite(mask.pinv(y))))


def test_the_kernel_can_be_learnt():
    x, y = draw(SHAPE), Blur(ODD, SHAPE)(draw(SHAPE))
    gradient = jax.grad(lambda k: jnp.sum((Blur(k, SHAPE)(x) - y) ** 2))(jnp.asarray(0.9 * ODD))
    step = jax.grad(lambda s: jnp.sum((Blur(s * ODD, SHAPE)(x) - y) ** 2))(0.9)
    assert float(jnp.sum(gradient * ODD)) == pytest.approx(float(step))


def test_conjugate_gradients_hold_in_float32_at_the_size_of_a_photograph():
    n = 256 * 256 * 3
    diagonal = jnp.linspace(0.1, 1, n, dtype=jnp.float32)
    rhs = jnp.asarray(np.random.default_rng(2).normal(size=n), jnp.float32)
    solution = conjugate_gradient(lambda x: diagonal * x, rhs)
    np.testing.assert_allclose(solution.x, rhs / diagonal, atol=2e-4)
    assert solution.residual < 1e-5


def test_the_residual_tells_of_too_few_steps():
    diagonal = jnp.linspace(0.1, 1, 100)
    solution = conjugate_gradient(lambda x: diagonal * x, jnp.ones(100), steps=1)
    assert float(solution.residual) == pytest.approx(
        float(jnp.linalg.norm(1 - diagonal * solution.x) / 10)
    )
    assert solution.residual > 0.1
    assert conjugate_gradient(lambda x: diagonal * x, jnp.zeros(100)).residual == 0


@pytest.mark.parametrize(
    ("operator", "hole"),
    [
        (Affine(Mask(PIXELS, SHAPE), 0.3), ~PIXELS),
        (Affine(Mask(PIXELS, SHAPE), 0.3).linear_part, ~PIXELS),
        (stack(Mask(PIXELS, SHAPE), Identity(SHAPE)), np.stack([~PIXELS, np.zeros_like(PIXELS)])),
        (each_frame(Mask(PIXELS, SHAPE), 2), np.stack([~PIXELS, ~PIXELS])),
    ],
    ids=["affine", "linear part", "stack", "frames"],
)
def test_a_hole_stays_a_hole_with_a_constant_in_a_stack_and_in_frames(operator, hole):
    y = operator(draw(operator.shape))
    hole = np.asarray(hole).reshape(y.shape)
    np.testing.assert_allclose(operator.clean(jnp.where(hole, jnp.nan, y)), y, rtol=1e-6)


@pytest.mark.parametrize("inner", [Blur(ODD, SHAPE), from_function(jnp.tanh, SHAPE)])
def test_what_is_in_the_hole_of_a_mask_says_nothing_whatever_came_before(inner):
    operator = Mask(PIXELS, SHAPE) @ inner
    y = operator(jnp.ones(SHAPE))
    np.testing.assert_array_equal(operator.clean(jnp.where(PIXELS, y, jnp.nan)), y)
