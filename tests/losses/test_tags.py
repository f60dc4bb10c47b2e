"""A student of a recogniser: the two distances as published, least at the teacher's answer, and smaller by training."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.data import Synthetic
from jaxir.losses import Tags, tags_loss
from jaxir.networks import ImageEncoder


def answers():
    random = np.random.default_rng(0)
    return [Tags(*(jnp.asarray(random.normal(size=n)) for n in (5, 3))) for _ in range(2)]


def test_it_is_the_squared_error_of_features_and_the_cross_entropy_of_tags():
    student, teacher = answers()
    p, q = (1 / (1 + np.exp(-np.asarray(tags.logits))) for tags in (teacher, student))
    cross = np.mean(-p * np.log(q) - (1 - p) * np.log(1 - q))
    error = np.mean(np.square(np.asarray(student.features) - np.asarray(teacher.features)))
    found = jax.jit(tags_loss)(student, teacher, weight=0.3)
    np.testing.assert_allclose(found, error + 0.3 * cross, rtol=1e-5)


def test_it_is_least_at_the_teachers_answer_and_does_not_move_the_teacher():
    student, teacher = answers()
    loss = jax.jit(jax.value_and_grad(tags_loss, argnums=(0, 1)))
    least, (at_teacher, _) = loss(teacher, teacher)
    for part in at_teacher:
        np.testing.assert_allclose(part, 0, atol=1e-7)
    value, (_, of_teacher) = loss(student, teacher)
    assert value > least
    for part in of_teacher:
        np.testing.assert_array_equal(part, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_a_student_of_degraded_images_learns_to_answer_as_on_clean_ones():
    """It starts as the teacher; what is left above the teacher's own entropy falls to a half on new images."""
    network, optimizer = ImageEncoder(features=12, widths=(8, 16)), optax.adam(1e-3)
    teacher = jax.tree.map(lambda leaf: 3 * leaf, network.init(jax.random.key(0)))
    source = Synthetic(64, 16)
    images = jnp.stack([source[i] for i in range(64)]) / 127.5 - 1

    def tags(params, x):
        found = network.apply(params, x)
        return Tags(found[:8], found[8:])

    def one(params, x, key):
        y = x + 0.3 * jax.random.normal(key, x.shape)
        own = tags(teacher, x)
        return tags_loss(tags(params, y), own) - tags_loss(own, own)

    def loss(params, x, key):
        return jnp.mean(jax.vmap(functools.partial(one, params))(x, jax.random.split(key, len(x))))

    @jax.jit
    def step(params, state, key):
        updates, state = optimizer.update(jax.grad(loss)(params, images[:48], key), state)
        return optax.apply_updates(params, updates), state

    params, state = teacher, optimizer.init(teacher)
    for key in jax.random.split(jax.random.key(1), 200):
        params, state = step(params, state, key)
    before, after = (loss(p, images[48:], jax.random.key(2)) for p in (teacher, params))
    assert 0 < after < 0.5 * before
