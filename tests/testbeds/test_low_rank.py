"""An operator of few rows: every law of an operator with a singular basis, against the dense matrix, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.degradations import Linear
from jaxir.testbeds import LowRank, mcgdiff_problem

pytestmark = pytest.mark.usefixtures("x64")
RHO = 0.3
SHAPE = (2, 1, 4)
RANDOM = np.random.default_rng(0)
AXES = np.eye(8)
BASES = {
    "one row": np.linalg.qr(RANDOM.normal(size=(8, 1)))[0],
    "three rows": np.linalg.qr(RANDOM.normal(size=(8, 3)))[0],
    "as many rows as columns": np.linalg.qr(RANDOM.normal(size=(8, 8)))[0],
    "the first axes": AXES[:, :3],
    "the first axes turned over": -AXES[:, :3],
    "the first axes in another order": AXES[:, [2, 0, 1]],
    "none of the first axes": AXES[:, 5:],
    "one axis kept, one turned over, one other": AXES[:, [0, 1, 6]] * [1, -1, 1],
}
"""Right singular vectors at any angle to the first axes, 0 and 180 degrees included, where V − E or V + E vanishes."""
EACH = pytest.mark.parametrize("name", BASES)


@functools.cache
def dense(name):
    """The operator, its matrix from the parts, and what it does to a random image and measurement."""
    right = BASES[name]
    size = right.shape[1]
    left = np.linalg.qr(np.random.default_rng(1).normal(size=(size, size)))[0]
    values = np.linspace(1, 0.2, size)
    operator = LowRank(*map(jnp.asarray, (left, values, right)), SHAPE)
    x, y = (np.random.default_rng(2).normal(size=shape) for shape in (SHAPE, (size,)))
    return operator, left * values @ right.T, x, y, _run(operator, x, y)


@jax.jit
def _run(operator, x, y):
    there = operator.analyse(x)
    eye = jnp.eye(x.size).reshape(-1, *x.shape)
    return {
        "apply": operator(x),
        "adjoint": operator.adjoint(y),
        "solve": operator.solve(x, RHO),
        "by iterations": Linear.solve(operator, x, RHO),
        "pinv": operator.pinv(y),
        "there": there,
        "back": operator.synthesise(there),
        "basis": jax.vmap(operator.synthesise)(eye).reshape(x.size, -1).T,
        "square": operator.filter(jnp.square, x),
    }


@EACH
def test_it_and_its_adjoint_are_the_dense_matrix(name):
    operator, a, x, y, result = dense(name)
    np.testing.assert_allclose(result["apply"], a @ x.ravel(), atol=1e-13)
    np.testing.assert_allclose(result["adjoint"].ravel(), a.T @ y, atol=1e-13)
    assert operator.output_shape == y.shape


@EACH
def test_solve_and_pinv_are_those_of_the_dense_matrix(name):
    _, a, x, y, result = dense(name)
    expected = np.linalg.solve(a.T @ a + RHO * np.eye(x.size), x.ravel())
    np.testing.assert_allclose(result["solve"].ravel(), expected, atol=1e-12)
    np.testing.assert_allclose(result["by iterations"].ravel(), expected, atol=1e-10)
    np.testing.assert_allclose(result["pinv"].ravel(), np.linalg.pinv(a) @ y, atol=1e-12)


@EACH
def test_the_basis_is_orthogonal_begins_with_v_and_diagonalises(name):
    operator, a, x, _, result = dense(name)
    basis, size = np.asarray(result["basis"]), len(operator.values)
    np.testing.assert_allclose(basis.T @ basis, np.eye(x.size), atol=1e-13)
    np.testing.assert_allclose(basis[:, :size], operator.right, atol=1e-13)
    np.testing.assert_allclose(result["there"].ravel(), basis.T @ x.ravel(), atol=1e-13)
    np.testing.assert_allclose(result["back"], x, atol=1e-13)
    np.testing.assert_allclose(result["square"].ravel(), a.T @ (a @ x.ravel()), atol=1e-13)
    spectrum = np.ravel(operator.spectrum)
    assert operator.spectrum.shape == SHAPE
    np.testing.assert_allclose(spectrum[:size], np.linalg.svd(a)[1], atol=1e-13)
    np.testing.assert_array_equal(spectrum[size:], 0)


def test_dtype_follows_the_image_under_strict_promotion():
    operator, *_ = dense("three rows")  # its arrays are float64
    with jax.numpy_dtype_promotion("strict"):
        x = jnp.ones(SHAPE, jnp.float32)
        y = operator(x)
        for result in (y, operator.adjoint(y), operator.solve(x, RHO), operator.pinv(y)):
            assert result.dtype == jnp.float32


def test_800_dimensions_need_no_square_matrix():
    """The largest array that `analyse` makes is the image times the rows, not the image times itself."""
    operator = mcgdiff_problem(jax.random.key(0), 800, 4).degradation.operator
    x = jnp.ones(operator.shape)
    jaxpr = jax.make_jaxpr(operator.analyse)(x)
    sizes = [v.aval.size for equation in jaxpr.eqns for v in equation.outvars]
    assert max(sizes) <= 4 * 800
    np.testing.assert_allclose(jnp.linalg.norm(operator.analyse(x).ravel()), 800**0.5, rtol=1e-6)
