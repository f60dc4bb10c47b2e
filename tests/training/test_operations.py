"""Operations are counted as they run: a loop of twelve is twelve times its body."""

import jax
import jax.numpy as jnp

from jaxir import networks
from jaxir.networks import DiT
from jaxir.training import operations

MATRIX = jnp.ones((8, 8))
ROWS = jnp.ones((4, 8))


def test_a_product_of_matrices_counts_two_for_each_that_is_added():
    assert operations(jnp.matmul, ROWS, MATRIX) == 2 * 4 * 8 * 8


def test_a_loop_counts_as_often_as_it_runs_and_its_gradient_twice_more():
    def layers(weights, h):
        return jnp.sum(jax.lax.scan(lambda h, w: (jnp.tanh(h @ w), None), h, weights)[0])

    weights = jnp.stack([MATRIX] * 12)
    assert operations(layers, weights, ROWS) == 12 * 2 * 4 * 8 * 8
    assert operations(jax.grad(layers, argnums=(0, 1)), weights, ROWS) == 3 * 12 * 2 * 4 * 8 * 8


def test_a_convolution_counts_its_kernel_at_every_pixel():
    def convolve(x, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)

    x, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 6))
    right = 2 * (2 * 8 * 8 * 6) * (3 * 3 * 4)
    assert operations(convolve, x, kernel) == right
    assert operations(jax.vmap(networks.convolution.convolve, (0, None)), x, kernel) == right


def test_what_is_within_another_function_counts():
    def either(x):
        return jax.lax.cond(x[0, 0] > 0, lambda x: x @ MATRIX @ MATRIX, lambda x: x, x)

    remembered = jax.checkpoint(lambda x: x @ MATRIX)
    assert operations(jax.jit(remembered), ROWS) == 2 * 4 * 8 * 8
    assert operations(either, ROWS) == 2 * 2 * 4 * 8 * 8


def test_a_transformer_of_twice_the_layers_has_twice_the_operations_in_them():
    """Its equal layers are a loop, of which the compiler's own count sees one."""

    def count(layers):
        network = DiT(width=16, heads=2, depth=layers, patch=4, embedding=8)
        shapes = jax.eval_shape(network.init, jax.random.key(0))
        return operations(network.apply, shapes, jnp.zeros((8, 8, 3)), jnp.zeros(()))

    two, four, six = count(2), count(4), count(6)
    assert six - four == four - two > 0
