"""Impossible values are refused in one line where they are known, and let through where they are traced."""

import jax
import jax.numpy as jnp
import pytest

from jaxir import expect


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), jnp.asarray(-2.0)])
def test_what_is_not_positive_is_refused(value):
    with pytest.raises(ValueError, match=f"width is {value}, expected a positive number"):
        expect.positive("width", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), jnp.asarray(2.0)])
def test_what_is_not_a_share_is_refused(value):
    with pytest.raises(ValueError, match=rf"eta is {value}, expected a number in \[0, 1\]"):
        expect.share("eta", value)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, jnp.asarray(0.5)])
def test_the_ends_of_a_share_belong_to_it(value):
    expect.share("eta", value)


def test_a_traced_value_is_not_compared():
    def check(value):
        assert not expect.known(1.0, value)
        expect.positive("width", value)
        expect.share("eta", value)
        return value

    assert jax.jit(check)(-3.0) == -3
    assert expect.known(1.0, jnp.asarray(-3.0))
