"""Guides: what they make at any size, that it is seen, and that what they are made of can be stored."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.networks import (
    Beside,
    Compact,
    CompactRestorer,
    Concatenation,
    CrossAttention,
    DiT,
    Guided,
    Implicit,
    Modulation,
    Multiscale,
    Retinex,
    UNet,
    decomposed,
    recomposed,
)
from jaxir.photos import photo
from jaxir.pretrained.store import _build, _describe

pytestmark = pytest.mark.usefixtures("quick_compile")

TINY = UNet(widths=(8,), blocks=(1,), embedding=8)
OUTLINE = Multiscale(scales=(2, 3), width=4, blocks=1)
VECTOR = Compact(channels=6, width=8, blocks=1)
GUIDED = {
    "implicit": Guided(
        dataclasses.replace(TINY, conditioning=Concatenation(4)),
        Implicit(channels=4, width=4, blocks=1, hidden=4),
    ),
    "outline by the entrance": Guided(
        dataclasses.replace(TINY, conditioning=Concatenation(OUTLINE.channels)), OUTLINE
    ),
    "outline by the bottleneck": Guided(
        dataclasses.replace(TINY, conditioning=CrossAttention(OUTLINE.channels, heads=1, width=8)),
        OUTLINE,
    ),
    "vectors": Guided(
        dataclasses.replace(TINY, conditioning=Modulation(12)),
        Beside((VECTOR, Retinex(dataclasses.replace(VECTOR, in_channels=4)))),
    ),
}
every = pytest.mark.parametrize("name", GUIDED)
X = jax.random.normal(jax.random.key(0), (7, 10, 3))
Y = jax.random.uniform(jax.random.key(1), (2, 5, 6, 3), minval=-1.0)


@functools.cache
def rough(name):
    """Parameters of which none is zero."""
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape) / 2, leaf.dtype),
        jax.eval_shape(GUIDED[name].init, jax.random.key(0)),
    )


@pytest.mark.slow
@every
def test_y_of_another_size_is_seen_through_its_guide_alone(name):
    """The answer differs between two y, and is the inner network's to what the guide made."""
    network, params = GUIDED[name], rough(name)
    answers = jax.jit(jax.vmap(network.apply, (None, None, None, 0)))(
        params, X, jnp.asarray(0.3), Y
    )
    chex.assert_shape(answers, (2, 7, 10, 3))
    assert jnp.abs(answers[0] - answers[1]).max() > 1e-3
    shown = network.guide.apply(params["guide"], Y[0], (7, 10))
    chex.assert_shape(shown, (7, 10, network.guide.channels))
    alone = network.inner.apply(params["inner"], X, jnp.asarray(0.3), shown)
    chex.assert_trees_all_close(alone, answers[0], atol=1e-4)


def test_the_outline_starts_as_y_is_and_its_features_are_seen():
    """Without weights it predicts y grey and reduced; without its features a network answers otherwise."""
    network, params = GUIDED["outline by the entrance"], rough("outline by the entrance")

    @jax.jit
    def answers(params, y):
        new = jax.tree.map(jnp.zeros_like, params["guide"])
        shown = OUTLINE.apply(params["guide"], y, (7, 10))
        both = jnp.stack([shown, shown.at[..., 3:].set(0)])
        apply = jax.vmap(network.inner.apply, (None, None, None, 0))
        told = apply(params["inner"], X, jnp.asarray(0.3), both)
        return told, OUTLINE.predict(new, y), OUTLINE.reduced(y)

    (seen, unseen), predicted, reduced = answers(params, Y[0])
    assert jnp.abs(seen - unseen).max() > 1e-2
    chex.assert_trees_all_equal(predicted, reduced)
    assert [small.shape for small in reduced] == [(3, 3, 1), (2, 2, 1)]


def test_a_vector_is_the_same_at_each_position_and_tells_images_apart():
    params = rough("vectors")["guide"]["0"]
    z, other = jax.jit(jax.vmap(lambda params, y: VECTOR.apply(params, y, (2, 3)), (None, 0)))(
        params, Y
    )
    chex.assert_trees_all_equal(z, jnp.broadcast_to(z[:1, :1], z.shape))
    assert jnp.abs(z - other).max() > 1e-3


def test_reflectance_times_light_is_the_image_and_reflectance_knows_no_exposure():
    """R I = v to rounding; R of half the light is R, up to FLOOR against the light, where there is some."""
    image = jnp.asarray(photo("cat"))
    parts = jax.jit(decomposed)
    reflectance, light = parts(image)
    chex.assert_trees_all_close(recomposed(reflectance, light), image, atol=1e-6)
    darker, half = parts((image + 1) / 2 - 1)
    lit = light > 0.02
    ratio = jnp.where(lit, darker / jnp.maximum(reflectance, 1e-6), 1)
    assert jnp.abs(jnp.where(reflectance > 1e-3, ratio, 1) - 1).max() < 0.1
    chex.assert_trees_all_close(2 * half, light, atol=2e-3)


def test_what_a_guided_network_is_made_of_can_be_written_and_read():
    prior = DiT(
        in_channels=12,
        out_channels=12,
        patch=1,
        width=8,
        depth=1,
        heads=1,
        conditioning=Concatenation(6),
    )
    whole = CompactRestorer(Guided(prior, VECTOR), GUIDED["vectors"])
    for network in (*GUIDED.values(), whole):
        assert _build(_describe(network)) == network


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Guided(TINY, VECTOR), "inner does not see y"),
        (lambda: Beside(()), "guides is empty"),
        (lambda: Multiscale(scales=()), r"scales is \(\), expected at least one"),
        (lambda: CompactRestorer(TINY, GUIDED["vectors"]), "prior has 3 channels .* have 12"),
        (lambda: Retinex(VECTOR).apply({}, X[..., :2], (1, 1)), "expected 3 channels for every"),
    ],
)
def test_what_does_not_fit_is_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()
