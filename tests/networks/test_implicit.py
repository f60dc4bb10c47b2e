"""Reading off an image at any size: where pixels lie, what is exact, and what moves with y."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.networks import Implicit, interpolate

pytestmark = pytest.mark.usefixtures("quick_compile")

SMALL = Implicit(in_channels=2, channels=3, width=8, blocks=1, hidden=8)
sizes = pytest.mark.parametrize("size", [(10, 12), (13, 15), (3, 4)])


def linear(height, width):
    """The plane 2 + 3 u − v over a picture of 1 × 1, at the middles of pixels."""
    u, v = ((np.arange(n) + 0.5) / n for n in (height, width))
    return jnp.asarray(2 + 3 * u[:, None] - v[None, :])[..., None]


@sizes
def test_a_plane_is_read_off_exactly_up_to_the_border_at_any_ratio(size, x64):
    """So it is where each cell extends the plane to the pixel by its offset; the pixel is 5/H × 6/W cells large."""

    @jax.jit
    def both(h):
        extended = interpolate(
            h, size, lambda value, at: value + 3 / 5 * at[..., :1] - at[..., 1:2] / 6
        )
        return interpolate(h, size), extended, interpolate(h, size, lambda value, at: at[..., 2:])

    plain, extended, cells = both(linear(5, 6))
    np.testing.assert_allclose(plain, linear(*size), atol=1e-12)
    np.testing.assert_allclose(extended, linear(*size), atol=1e-12)
    np.testing.assert_allclose(cells, np.broadcast_to(np.divide((5, 6), size), cells.shape))


def test_one_row_is_constant_across(x64):
    row = jax.jit(lambda h: interpolate(h, (3, 9)))(linear(1, 6))
    np.testing.assert_allclose(row, jnp.broadcast_to(linear(1, 9), (3, 9, 1)), atol=1e-12)


@functools.cache
def rough():
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape) / 3, leaf.dtype),
        jax.eval_shape(SMALL.init, jax.random.key(0)),
    )


def test_without_its_last_layer_it_is_cubic_interpolation_with_zeros_beside_it():
    y = jax.random.normal(jax.random.key(1), (5, 6, 2))

    @jax.jit
    def both(params, y):
        return SMALL.apply(params, y, (13, 15)), jax.image.resize(y, (13, 15, 2), "cubic")

    last = {"Dense_3": jax.tree.map(jnp.zeros_like, rough()["Dense_3"])}
    made, plain = both(rough() | last, y)
    chex.assert_trees_all_close(made[..., :2], plain, atol=1e-6)
    chex.assert_trees_all_equal(made[..., 2:], jnp.zeros((13, 15, 1)))


def test_moving_y_by_two_cells_moves_the_answer_by_five_pixels_at_two_and_a_half():
    """Away from the border, by as many cells as three convolutions and an interpolation reach."""
    y = jax.random.normal(jax.random.key(1), (22, 6, 2))
    apply = jax.jit(lambda params, y: SMALL.apply(params, y, (50, 15)))
    first, second = apply(rough(), y[:-2]), apply(rough(), y[2:])
    assert jnp.abs(first[..., 2]).max() > 0.1
    chex.assert_trees_all_close(first[15:-10], second[10:-15], atol=1e-5)


def test_what_is_learnt_depends_on_the_ratio():
    """At odd ratios the middle pixel has the same offsets, and of a constant image the same values around it."""

    @jax.jit
    def middles(params):
        y = jnp.full((3, 3, 2), 0.3)
        return SMALL.apply(params, y, (3, 3))[1, 1], SMALL.apply(params, y, (9, 9))[4, 4]

    one, three = middles(rough())
    assert jnp.abs(one - three).max() > 1e-3


def test_fewer_channels_than_y_has_are_refused():
    with pytest.raises(ValueError, match="channels is 2 but y has 3"):
        Implicit(channels=2)
