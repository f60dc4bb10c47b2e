"""One decoder enlarges by every ratio, whole or not, and better than cubic interpolation."""

import jax
import jax.numpy as jnp
import optax
import pytest
from any_scale import RATIOS, experiment, reduced, resized

from jaxir.metrics import psnr
from jaxir.networks import Implicit
from jaxir.photos import photo
from jaxir.training import warmup_stable_decay

pytestmark = pytest.mark.slow
SIDE, STEPS = 30, 400
UNSEEN = 2.8


def test_one_decoder_beats_cubic_interpolation_at_every_ratio_on_a_photograph_it_has_not_seen():
    """Of two photographs it learns from crops of 30 pixels, which are 15, 12 and 10; it is judged by the third.

    At a ratio that it was not trained for, it beats it too.
    """
    decoder = Implicit(width=24, blocks=2, hidden=32)
    optimizer = optax.adam(warmup_stable_decay(3e-3, STEPS))
    photos = jnp.stack([photo(name) for name in ("astronaut", "coffee")])

    def loss(params, key):
        def one(key):
            which, corner = jax.random.split(key)
            at = jax.random.randint(corner, (2,), 0, 96 - SIDE + 1)
            image = photos[jax.random.randint(which, (), 0, 2)]
            x0 = jax.lax.dynamic_slice(image, (*at, 0), (SIDE, SIDE, 3))
            made = [decoder.apply(params, reduced(x0, ratio), x0.shape[:2]) for ratio in RATIOS]
            return jnp.mean(jnp.abs(jnp.stack(made) - x0))

        return jnp.mean(jax.vmap(one)(jax.random.split(key, 4)))

    @jax.jit
    def step(params, state, key):
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return optax.apply_updates(params, updates), state

    params = decoder.init(jax.random.key(0))
    state = optimizer.init(params)
    for key in jax.random.split(jax.random.key(5), STEPS):
        params, state = step(params, state, key)
    x0 = jnp.asarray(photo("cat"))[3:93, 3:93]
    for ratio in (*RATIOS, UNSEEN):
        y = reduced(x0, ratio)
        made = jax.jit(decoder.apply, static_argnums=2)(params, y, (90, 90))
        assert made.shape == x0.shape
        print(ratio, y.shape, psnr(made, x0), psnr(resized(y, 90, 90), x0))
        assert psnr(made, x0) > psnr(resized(y, 90, 90), x0) + 0.1


def test_the_diffusion_network_with_it_takes_y_of_every_size_with_the_same_weights():
    """It starts as a denoiser of what cubic interpolation lacks; shapes alone are asked for."""
    network = experiment().network
    params = jax.eval_shape(network.init, jax.random.key(0))
    x, t = jax.ShapeDtypeStruct((60, 45, 3), jnp.float32), jax.ShapeDtypeStruct((), jnp.float32)
    for small in ((30, 23, 3), (24, 18, 3), (20, 15, 3)):
        y = jax.ShapeDtypeStruct(small, jnp.float32)
        assert jax.eval_shape(network.apply, params, x, t, y).shape == (60, 45, 3)
