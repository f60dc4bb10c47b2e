"""Telling apart: the published formula, its ends, and lengths that do not count."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.losses import info_nce, similarity

loss = jax.jit(info_nce)


def vectors():
    random = np.random.default_rng(0)
    return random.normal(size=5), random.normal(size=(4, 5))


def test_it_is_minus_the_logarithm_of_the_share_of_the_positive_key():
    query, keys = vectors()
    cosines = keys @ query / np.linalg.norm(keys, axis=1) / np.linalg.norm(query)
    shares = np.exp(cosines / 0.2) / np.sum(np.exp(cosines / 0.2))
    found = loss(jnp.asarray(query), jnp.asarray(keys), 2, temperature=0.2)
    np.testing.assert_allclose(found, -np.log(shares[2]), rtol=1e-5)


def test_lengths_do_not_count_and_equal_keys_cannot_be_told_apart():
    query, keys = (jnp.asarray(v) for v in vectors())
    np.testing.assert_allclose(loss(3 * query, 5 * keys, 1), loss(query, keys, 1), rtol=1e-5)
    same = jnp.broadcast_to(keys[0], (4, 5))
    np.testing.assert_allclose(loss(query, same, 1), np.log(4), rtol=1e-6)
    apart = jnp.stack([query, -query, -query, -query])
    np.testing.assert_allclose(loss(query, apart, 0), 0, atol=1e-6)


def test_a_vector_of_zeros_has_no_direction_and_a_finite_derivative():
    _, keys = (jnp.asarray(v) for v in vectors())
    np.testing.assert_array_equal(similarity(jnp.zeros(5), keys), 0)
    assert np.all(np.isfinite(jax.jit(jax.grad(info_nce))(jnp.zeros(5), keys, 0)))
