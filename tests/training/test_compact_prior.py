"""A restorer that is told a vector restores as well with the one that four steps of diffusion find."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax
import pytest
from compact_prior import begun, first, rebuilt, restored, restorer, second, with_prior

from jaxir.codecs import CompactCodec
from jaxir.data import Synthetic
from jaxir.training import train, warmup_stable_decay

pytestmark = pytest.mark.slow
SIDE, PICTURES, NUMBERS = 16, 64, 8


def dimmed(key, crop):
    """A picture whose channels have one mean and deviation, and it with from 1 to ¼ of the light of each, and noise.

    How much light was lost shows in the means of y, which see the whole picture; the restorer's convolutions do not.
    """
    strength, noise = jax.random.split(key)
    x0 = crop - jnp.mean(crop, (0, 1))
    x0 = 0.35 * x0 / jnp.sqrt(jnp.mean(x0**2, (0, 1)) + 1e-3)
    gain = 0.25 ** jax.random.uniform(strength, (3,))
    return x0, gain * (x0 + 1) - 1 + 0.05 * jax.random.normal(noise, crop.shape)


def fitted(experiment, steps, folder, initial=None):
    """The denoiser that a short run leaves."""
    run = dataclasses.replace(
        experiment,
        source=functools.partial(Synthetic, 512, SIDE),
        validation=None,
        crop=SIDE,
        batch=16,
        steps=steps,
        ema=0.99,
        optimizer=lambda steps: optax.adam(warmup_stable_decay(3e-3, steps)),
    )
    return run.denoiser(train(run, folder / run.name, initial=initial, log_every=200).ema[0])


def pictures():
    """Pictures that were not trained on, and their y."""
    source = Synthetic(PICTURES, SIDE, seed=1)
    crops = jnp.stack([source[i] for i in range(PICTURES)]).astype(jnp.float32) / 127.5 - 1
    return jax.vmap(dimmed)(jax.random.split(jax.random.key(0), PICTURES), crops)


def decibels(images):
    return 10 * jnp.log10(4 / jnp.mean((images - pictures()[0]) ** 2))


@pytest.mark.parametrize("retinex", [False, True], ids=["diffir", "retinex"])
def test_four_steps_find_a_vector_that_is_as_good_as_the_clean_images_own(retinex, tmp_path):
    """Within half a decibel of the first stage, which has seen the clean image; a vector of others is a decibel worse.

    Of two vectors, the image's and that of its reflectance and light, each is missed where it is that of others,
    though what either knows the other could know too.
    """
    network = restorer((16, 24), NUMBERS, retinex=retinex)
    told = fitted(first(network, dimmed), 700, tmp_path)
    whole = with_prior(network, NUMBERS, retinex=retinex)
    experiment = second(whole, dimmed)
    found = fitted(experiment, 400, tmp_path, begun(experiment, told.params))

    clean, degraded = pictures()
    encode = jax.jit(jax.vmap(lambda x0, y: CompactCodec(network, told.params, y).encode(x0)))
    decode = jax.jit(jax.vmap(lambda z, y: CompactCodec(network, told.params, y).decode(z)))
    z = encode(clean, degraded)
    others = jnp.broadcast_to(jnp.mean(z, axis=0), z.shape)
    own = decibels(jax.vmap(functools.partial(rebuilt, network, told))(clean, degraded))
    drawn = decibels(
        jnp.stack([restored(whole, found, *pair) for pair in zip(clean, degraded, strict=True)])
    )
    print("degraded", decibels(degraded), "told", own, "found", drawn)
    print("vector of others", decibels(decode(others, degraded)))
    assert drawn > own - 0.5
    assert own > decibels(degraded) + 3
    assert own > decibels(decode(others, degraded)) + 1
    if retinex:
        half = z.shape[-1] // 2
        for kept in (jnp.arange(2 * half) < half, jnp.arange(2 * half) >= half):
            partly = decibels(decode(jnp.where(kept, z, others), degraded))
            print("one vector of others", partly)
            assert own > partly
