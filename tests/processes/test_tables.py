"""Published tables of noise levels as processes: exact at every step of the table, monotone and invertible between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.processes import CosineTable, LinearTable, ScaledLinearTable

STEPS = np.arange(1, 1001)


def cosine(offset=0.008):
    f = np.cos((np.arange(1001) / 1000 + offset) / (1 + offset) * np.pi / 2) ** 2
    return np.minimum(1 - f[1:] / f[:-1], 0.999)


TABLES = {
    "linear": (LinearTable(), np.linspace(1e-4, 0.02, 1000)),
    "scaled": (ScaledLinearTable(), np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2),
    "cosine": (CosineTable(), cosine()),
}
every = pytest.mark.parametrize("name", TABLES)


@every
def test_at_each_step_the_level_is_the_product_of_the_table(name):
    """Float32 sums of a thousand logarithms, as a tree, keep six digits of a² and of σ²."""
    process, betas = TABLES[name]
    kept = np.cumprod(1 - betas)
    a, _, sigma = process.coefficients(jnp.asarray(STEPS / 1000, jnp.float32))
    np.testing.assert_allclose(a**2, kept, rtol=2e-5, atol=1e-9)
    np.testing.assert_allclose(sigma**2, 1 - kept, rtol=2e-5)


@every
def test_the_time_of_a_level_is_its_inverse_at_the_steps_between_and_beyond(name, x64):
    process, _ = TABLES[name]
    t = jnp.linspace(0.0005, 1.0, 4321)
    levels = process.log_snr(t)
    assert jnp.all(jnp.diff(levels) < 0)
    np.testing.assert_allclose(process.time(levels), t, atol=1e-12)


@every
def test_numbers_follow_the_type_of_the_time(name, x64):
    process, _ = TABLES[name]
    found = process.coefficients(jnp.float32(0.3)), process.time(jnp.float32(0.3))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearTable(0.02, 1e-4), "from 0.02 to 0.0001, expected 0 < first < last < 1"),
        (lambda: ScaledLinearTable(steps=1), "steps is 1, expected at least 2"),
        (lambda: CosineTable(offset=-1.0), "from -1.0 to 0.999, expected 0 < first < last < 1"),
    ],
)
def test_an_impossible_table_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
