"""What is said when something does not fit: what came, what was expected, what to do."""

import equinox as eqx
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
    Grey,
    Identity,
    Linear,
    Mask,
    bicubic_downsample,
    box_mask,
    from_function,
    from_linear_function,
    gaussian_blur,
    grey,
    motion_blur,
    random_mask,
)
from jaxir.denoisers import gaussian_denoiser
from jaxir.processes import VP
from jaxir.restoration import restore

SHAPE = (64, 64, 3)
X = jnp.zeros(SHAPE)
KEY = jax.random.key(0)


def reduction():
    return Degradation(bicubic_downsample(SHAPE, 4), GaussianNoise(0.1))


CASES = {
    "clean image as measurement": (
        lambda: reduction().log_prob(X, X),
        r"y has shape \(64, 64, 3\) but the degradation's output is \(16, 16, 3\): "
        r"pass the low-resolution image",
    ),
    "another measurement": (
        lambda: reduction().log_prob(jnp.zeros((16, 16)), X),
        r"y has shape \(16, 16\) but .* is \(16, 16, 3\): pass what this degradation returns",
    ),
    "clean image to the adjoint": (
        lambda: reduction().operator.adjoint(X),
        r"y has shape \(64, 64, 3\) but the operator's output is \(16, 16, 3\)",
    ),
    "clean image to the pseudo-inverse": (
        lambda: Blur(np.ones((3, 3)), SHAPE).pinv(X[:32]),
        r"y has shape \(32, 64, 3\) but the operator's output is \(64, 64, 3\)",
    ),
    "image of another size": (
        lambda: reduction()(X[:32]),
        r"x has shape \(32, 64, 3\) but the operator's input is \(64, 64, 3\): make",
    ),
    "batch": (lambda: Identity(SHAPE)(X[None]), r"\(1, 64, 64, 3\) but .* jax.vmap"),
    "8 bits": (lambda: Identity(SHAPE)(X.astype(jnp.uint8)), r"dtype uint8 .* x / 127.5 - 1"),
    "shape without channels": (lambda: Blur(np.ones((3, 3)), (64, 64)), r"shape is \(64, 64\) but"),
    "empty shape": (lambda: Identity((0, 64, 3)), r"shape is \(0, 64, 3\) but .* at least 1"),
    "not a multiple": (
        lambda: bicubic_downsample((63, 65, 3), 4),
        r"shape is \(63, 65, 3\) but .* multiples of the factor 4: crop the image to \(60, 64\)",
    ),
    "factor 0": (lambda: bicubic_downsample(SHAPE, 0), "multiples of the factor 0"),
    "kernel in colour": (lambda: Blur(np.ones((3, 3, 3)), SHAPE), r"\(3, 3, 3\) but one kernel"),
    "large kernel": (
        lambda: gaussian_blur(SHAPE, 20.0),
        r"\(161, 161\) but the image is \(64, 64, 3\)",
    ),
    "no width": (lambda: gaussian_blur(SHAPE, 0.0), r"width is 0.0 but"),
    "no length": (lambda: motion_blur(SHAPE, -1.0, 0.0), r"length is -1.0 but"),
    "mask of another size": (
        lambda: Mask(np.ones((32, 64)), SHAPE),
        r"mask has shape \(32, 64, 1\) but what this image takes is \(64, 64, 1\)",
    ),
    "mask with two channels": (lambda: Mask(np.ones((64, 64, 2)), SHAPE), r"\(64, 64, 2\) but"),
    "mask in 8 bits": (
        lambda: Mask(np.full((64, 64), 255), SHAPE),
        r"\[255, 255\] but .* mask > thr",
    ),
    "hole outside": (
        lambda: box_mask(SHAPE, 16, corner=(60, 0)),
        r"rows 60 to 76 .* \(64, 64, 3\)",
    ),
    "not a probability": (lambda: random_mask(KEY, SHAPE, missing=92), r"missing is 92 but"),
    "crop of everything": (lambda: Crop(SHAPE, 32), r"margin is 32 but the image is \(64, 64, 3\)"),
    "weights of two channels": (lambda: Grey((0.5, 0.5), SHAPE), r"weights have shape \(2,\) but"),
    "grey of grey": (lambda: grey((64, 64, 1)), r"\(3,\) but the image is \(64, 64, 1\)"),
    "negative noise": (lambda: GaussianNoise(-0.1), r"sigma is -0.1 but"),
    "no noise level": (lambda: GaussianNoise(float("nan")), r"sigma is nan but"),
    "operators that do not meet": (
        lambda: bicubic_downsample(SHAPE, 2) @ bicubic_downsample(SHAPE, 2),
        r"B returns shape \(32, 32, 3\) but A takes \(64, 64, 3\)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_came_and_what_was_expected(case):
    act, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        act()


@pytest.mark.parametrize("f", [jnp.sin, jnp.square, jnp.abs, lambda x: jnp.clip(x, -1, 1)])
def test_a_function_that_is_not_linear_is_refused(f):
    with pytest.raises(TypeError, match=r"f is not linear.*use from_function"):
        from_linear_function(f, SHAPE)


def test_shapes_fail_at_trace_time():
    with pytest.raises(ValueError, match="pass the low-resolution image"):
        jax.eval_shape(Degradation.log_prob, reduction(), X, X)


SMALL = (8, 6, 1)


class Turned(Linear):
    """Rows moved by one, whose adjoint moves them on instead of back."""

    shape: tuple[int, ...] = eqx.field(static=True, default=SMALL)

    def apply(self, x):
        return jnp.roll(x, 1, 0)

    def adjoint(self, y):
        return jnp.roll(y, 1, 0)


def normalised(x):
    """What a batch is divided by here is the batch's: a function of NumPy, called once for all images."""
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(lambda x: x / np.linalg.norm(x), like, x, vmap_method="expand_dims")


UNSOUND = {
    "a wrong adjoint": (
        Turned,
        r"^the operator Turned is not sound, adjointness: \d\.\d\de[+-]\d\d is above 3.45e-04: adjoint is not",
    ),
    "inside a composition": (
        lambda: Identity(SMALL) @ from_linear_function(lambda x: x - 1, SMALL),
        r"^the operator LinearComposition is not sound, linearity",
    ),
    "not finite": (
        lambda: from_function(jnp.sqrt, SMALL),
        r"^the operator Function is not sound, finite: 2\d of 48 numbers of A\(x\) are NaN or infinite",
    ),
    "not finite by its parameters": (
        lambda: Blur(np.full((2, 2), np.nan), SMALL),
        r"^the operator Blur holds 4 numbers that are NaN or infinite, expected none: look at the kernel",
    ),
    "mixes a batch": (
        lambda: from_function(normalised, SMALL),
        r"^the operator Function is not sound, mixing: \d\.\d\de-\d\d is above 3.45e-04: an image changes its neigh",
    ),
    "not linear": (
        lambda: from_linear_function(lambda x: x + 0.5, SMALL),
        r"^the operator LinearFunction is not sound, linearity: \d\.\d\de-\d\d is above 3.45e-04: A is not linear, "
        r"use from_function \(check_operator tells more; check=False goes on all the same\)$",
    ),
}


def small_restore(operator, method, **settings):
    return restore(
        jnp.zeros(operator.output_shape),
        Degradation(operator, GaussianNoise(0.1)),
        prior=gaussian_denoiser(VP(), jnp.zeros(SMALL), jnp.eye(48) / 4),
        method=method,
        **settings,
    )


def too_late(denoiser, degradation):
    raise AssertionError("the operator was not checked before the method began")


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("case", UNSOUND)
def test_restore_names_what_an_operator_breaks_before_it_samples(case):
    make, message = UNSOUND[case]
    with pytest.raises(ValueError, match=message):
        small_restore(make(), too_late)
    with pytest.raises(AssertionError, match="not checked before"):
        small_restore(make(), too_late, check=False)


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("name", ["diffpir", "mmps"])
def test_a_method_that_needs_linearity_says_how_far_from_it_an_operator_is(name):
    method = getattr(methods, name)
    bent = from_function(lambda x: x + x**2 / 4, SMALL)
    far = r"needs a linear operator, got Function: use DPS, .*\(linearity: \d\.\d\de-0\d is above 3.45e-04\)"
    with pytest.raises(TypeError, match=far):
        small_restore(bent, method)
    with pytest.raises(TypeError, match=far):  # inside jit too
        jax.eval_shape(lambda: method(None, Degradation(bent, GaussianNoise(0.1))))
    near = r"got Function: it is linear to \de[+-]\d\d, so make it with from_linear_function$"
    with pytest.raises(TypeError, match=near):
        small_restore(from_function(lambda x: jnp.cumsum(x, 0), SMALL), method)
