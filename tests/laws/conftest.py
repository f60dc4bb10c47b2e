"""Exact laws of whole samplers: the draws are arguments, and the map from them to the image is affine."""

import math

import jax
import jax.numpy as jnp
import pytest
from affine import SHAPE, Law


@pytest.fixture
def noise_as_keys(monkeypatch):
    """`noise_as_keys(f, start, shape)`: the law of f(x, key), affine in x ~ `start` and in what it draws.

    The key is an array of so many standard normals; `fold_in` takes a part of it by its number, `normal` returns what
    is left. By the Jacobians J of the state and K of the draws the covariance is J C Jᵀ + K Kᵀ.
    """
    monkeypatch.setattr(jax.random, "fold_in", lambda key, i: key[i])
    monkeypatch.setattr(
        jax.random,
        "normal",
        lambda key, shape, dtype=None: key.ravel()[: math.prod(shape)].reshape(shape),
    )

    def law(f, start, shape):
        at = start.mean.reshape(SHAPE), jnp.zeros(shape)
        mean = jax.jit(f)(*at).ravel()
        jacobian, draws = jax.jit(jax.jacrev(lambda x, key: f(x, key).ravel(), (0, 1)))(*at)
        size = len(mean)
        jacobian, draws = jacobian.reshape(size, -1), draws.reshape(size, -1)
        return Law(mean, jacobian @ start.covariance @ jacobian.T + draws @ draws.T)

    return law
