"""A guide learns its own regression while the network that it guides is trained."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.data import Synthetic
from jaxir.denoisers import NetworkDenoiser
from jaxir.losses import guide_loss, with_guide
from jaxir.networks import Concatenation, Guided, Multiscale, UNet
from jaxir.processes import VP
from jaxir.training import warmup_stable_decay

STEPS = 600
GUIDE = Multiscale(scales=(2, 4), width=8, blocks=1)
NETWORK = Guided(
    UNet(widths=(16, 24), blocks=(1, 1), embedding=16, conditioning=Concatenation(GUIDE.channels)),
    GUIDE,
)


def denoiser(params):
    return NetworkDenoiser(VP(), params, NETWORK.apply, sees_y=True)


def spoiled(x0):
    """Blurred by a 5 × 5 box, which grey images at half and a quarter of the size still show."""
    wide = jnp.pad(x0, [(2, 2), (2, 2), (0, 0)], mode="reflect")
    return sum(wide[i : i + 16, j : j + 16] for i in range(5) for j in range(5)) / 25


def images(seed, count):
    source = Synthetic(count, 16, seed=seed)
    x0 = jnp.stack([source[i] for i in range(count)]).astype(jnp.float32) / 127.5 - 1
    return x0, jax.vmap(spoiled)(x0)


def reduced(image, scale):
    """The mean of the channels, each new pixel a mean of old ones that falls off linearly over `scale` of them."""
    middles = (np.arange(len(image) // scale) + 0.5) * scale - 0.5
    weights = np.maximum(1 - np.abs(np.subtract.outer(middles, np.arange(len(image)))) / scale, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ image.mean(axis=-1) @ weights.T


def test_the_loss_is_the_networks_and_the_regression_of_every_scale(quick_compile):
    """Of a guide whose prediction is y, grey images reduced by 2 and by 4 with triangles as wide as that."""
    x0, y = (batch[0] for batch in images(0, 1))
    params = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(GUIDE.init, jax.random.key(0))
    )
    t = jnp.asarray(0.5)

    @jax.jit
    def found(params):
        objective = with_guide(GUIDE, lambda key, denoiser, x0, t, y: 2 * t, weight=0.3)
        return objective(jax.random.key(1), denoiser({"guide": params}), x0, t, y)

    squares = [np.mean(reduced(np.asarray(x0 - y), scale) ** 2) for scale in GUIDE.scales]
    np.testing.assert_allclose(found(params), 1 + 0.3 * sum(squares), rtol=1e-5)


@pytest.mark.slow
def test_the_guide_halves_its_loss_on_other_images_and_its_features_help():
    """Without its features, put to zero, the trained network restores other images less well."""
    objective, optimizer = with_guide(GUIDE), optax.adam(warmup_stable_decay(4e-3, STEPS))
    x0, y = images(0, 512)
    others, spoilt = images(1, 64)

    def loss(params, key):
        parts = jax.random.split(key, 3)
        chosen = jax.random.randint(parts[0], (16,), 0, len(x0))
        times = jax.random.uniform(parts[1], (16,), minval=0.3, maxval=1.0)
        keys = jax.random.split(parts[2], 16)
        one = lambda k, x, t, z: objective(k, denoiser(params), x, t, z)  # noqa: E731
        return jnp.mean(jax.vmap(one)(keys, x0[chosen], times, y[chosen]))

    @jax.jit
    def step(params, state, key):
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return optax.apply_updates(params, updates), state

    @jax.jit
    def judged(params):
        """The guide's loss, and the error of E[x0 | y] with the guide's features and without."""

        def one(x0, y, seen):
            shown = GUIDE.apply(params["guide"], y, (16, 16))
            shown = shown.at[..., 3:].multiply(seen)
            inner = NetworkDenoiser(VP(), params["inner"], NETWORK.inner.apply, sees_y=True)
            return jnp.mean((inner(jnp.zeros_like(x0), jnp.asarray(1.0), shown) - x0) ** 2)

        regression = jax.vmap(lambda x0, y: guide_loss(GUIDE, params["guide"], x0, y))
        with_, without = (jnp.mean(jax.vmap(one, (0, 0, None))(others, spoilt, s)) for s in (1, 0))
        return jnp.mean(regression(others, spoilt)), with_, without

    new = NETWORK.init(jax.random.key(0))
    trained, state = new, optimizer.init(new)
    for key in jax.random.split(jax.random.key(5), STEPS):
        trained, state = step(trained, state, key)
    (before, _, _), (after, seen, unseen) = judged(new), judged(trained)
    print(before, after, seen, unseen)
    assert after < 0.5 * before
    assert seen < unseen
