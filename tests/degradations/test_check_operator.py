"""check_operator finds what is wrong, names it and gives the number."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import (
    JPEG,
    Blur,
    Linear,
    bicubic_downsample,
    check,
    check_operator,
    expect_sound,
    from_function,
    from_linear_function,
    grey,
    stack,
)

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (16, 12, 3)


class Shift(Linear):
    """x moved by one pixel, with a wrong adjoint and a wrong pseudo-inverse on demand."""

    back: int
    gain: float
    shape: tuple[int, ...] = eqx.field(static=True)

    def apply(self, x):
        return jnp.roll(x, 1, 0)

    def adjoint(self, y):
        return jnp.roll(y, self.back, 0)

    def pinv(self, y):
        return self.gain * jnp.roll(y, -1, 0)


def failed(report):
    return [failure.split(":")[0] for failure in report.failures]


@pytest.mark.parametrize(
    "make",
    [
        lambda: bicubic_downsample(SHAPE, 2),
        lambda: grey((8, 6, 3)) @ bicubic_downsample(SHAPE, 2),
        lambda: Shift(-1, 1.0, SHAPE),
        lambda: from_linear_function(lambda x: jnp.fft.fft2(x, axes=(0, 1))[::2], SHAPE),
    ],
)
def test_a_good_operator_passes(make):
    report = check_operator(make())
    assert report.ok, str(report)


def test_the_norm_is_the_largest_singular_value():
    operator = 3.0 * jnp.ones((1, 1))
    assert check_operator(Blur(operator, SHAPE)).norm == pytest.approx(3, rel=1e-5)


def test_a_wrong_adjoint_is_found():
    # Roll by +1 twice instead of there and back: unrelated images, so an error of order one.
    report = check_operator(Shift(1, 1.0, SHAPE))
    assert failed(report) == ["adjointness"]
    assert report.adjointness > 0.5
    assert f"{report.adjointness:.2e}" in str(report)


def test_a_wrong_pseudo_inverse_is_found():
    report = check_operator(Shift(-1, 1.01, SHAPE))
    assert failed(report) == ["pinv"]
    assert report.pinv == pytest.approx(0.01, rel=1e-3)


def test_an_affine_function_is_not_linear():
    report = check_operator(from_linear_function(lambda x: x + 0.5, SHAPE))
    assert "linearity" in failed(report)
    assert report.linearity > 0.1
    assert "use from_function" in str(report)


def test_a_general_operator_may_be_nonlinear():
    report = check_operator(from_function(jnp.sin, SHAPE))
    assert report.ok
    assert report.linearity > 1e-3
    assert report.adjointness is None


def test_values_that_are_not_finite_are_counted():
    report = check_operator(
        from_function(lambda x: jnp.where(x > 2, x, jnp.nan).at[0].set(0), SHAPE)
    )
    assert failed(report) == ["finite"]
    assert report.not_finite == 15 * 12 * 3
    assert "540 of 576 numbers" in str(report)


def test_a_dtype_that_does_not_follow_is_found():
    report = check_operator(from_function(lambda x: x.astype(jnp.bfloat16), SHAPE))
    assert failed(report) == ["dtype"]
    assert "A(float32) is bfloat16" in str(report)


def on_the_host(f):
    """`f` of NumPy, given the whole batch at once, as `expand_dims` does."""

    def call(x):
        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.pure_callback(f, like, x, vmap_method="expand_dims")

    return call


def test_images_of_a_batch_that_are_mixed_are_found():
    """A norm over whatever comes is right alone and wrong beside another image."""
    normalised = on_the_host(lambda x: x / np.linalg.norm(x))
    alone = jax.random.normal(jax.random.key(0), SHAPE)
    np.testing.assert_allclose(jnp.linalg.norm(normalised(alone)), 1, rtol=1e-5)
    report = check_operator(from_function(normalised, SHAPE))
    assert failed(report) == ["mixing"]
    # beside z the norm is √(|x|² + |z|²), beside x/2 − z/4 √(21/16) |x|: 1 − √(21/16)/√2 of the first apart
    assert report.mixing == pytest.approx(np.sqrt(32 / 21) - 1, rel=0.05)
    assert check_operator(from_function(on_the_host(np.tanh), SHAPE)).ok


class Mixed(Linear):
    """The identity, whose adjoint is divided among the images of a batch."""

    shape: tuple[int, ...] = eqx.field(static=True)

    def apply(self, x):
        return x

    def adjoint(self, y):
        return y + on_the_host(lambda y: 1e-2 * (y - y.mean(axis=0, keepdims=True)))(y)


def test_an_adjoint_that_mixes_images_is_found():
    report = check_operator(Mixed(SHAPE))
    assert report.mixing > 1e-3
    assert "mixing" in failed(report)


def test_a_measurement_in_bits_is_not_an_error_of_the_check():
    report = check_operator(from_function(lambda x: x > 0, SHAPE))
    assert failed(report) == ["dtype"]
    assert "A(float32) is bool" in str(report)


def test_only_what_is_not_shipped_is_measured_before_a_restoration(monkeypatch):
    shipped = stack(grey((8, 6, 3)) @ bicubic_downsample(SHAPE, 2), JPEG(50, SHAPE))
    own = grey((8, 6, 3)) @ from_linear_function(lambda x: x[::2, ::2], SHAPE)
    monkeypatch.setattr(check, "_report", lambda operator, *_, **__: pytest.fail("measured"))
    expect_sound(shipped)
    for operator in (own, stack(shipped, own), Shift(-1, 1.0, SHAPE)):
        with pytest.raises(pytest.fail.Exception, match="measured"):
            expect_sound(operator)
