"""Restorers of a minute: small networks that learn to give back what the degradation leaves open.

A picture is soft waves under a chequered texture, whose phase is a coin that no pixel of y shows, since y is the waves
alone, paler and darker. So E[x0 | y] has no texture: a regression network cannot have any, whatever its size
and its training, while a draw from p(x0 | y) has all of it. That is the claim of what is drawn at random; what is
not, and the mean of many draws, claims to be nearer to the truth than y is, and as near as the regression network.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from palette import missing

import jaxir
from jaxir.data import Synthetic
from jaxir.denoisers import (
    CleanImage,
    Displacement,
    Noise,
    PairedPreconditioned,
    Residual,
    Velocity,
)
from jaxir.losses import euler_matching_loss, matching_loss, mean_matching_loss, stepwise
from jaxir.networks import Concatenation, UNet
from jaxir.processes import (
    IRSDE,
    VP,
    Flow,
    Interpolation,
    ResShift,
    brownian_bridge,
    cosine_times,
    ddbm_vp,
    goub,
    i2sb,
    karras_times,
    log_normal_law,
    log_snr_times,
    uniform_times,
)
from jaxir.samplers import DDBMSampler, Discrete, sample
from jaxir.training import Experiment, train, warmup_stable_decay
from jaxir.transitions import DDIM, Ancestral, Bridge, MeanODE, ReverseEuler

pytestmark = pytest.mark.slow
SIDE, TEXTURE, PICTURES, DRAWS = 16, 0.25, 8, 16
CHEQUERS = 1 - 2 * (np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 2)[..., None]


def faded(key, crop):
    """A soft picture under the texture with either sign, and it without, half as colourful and darker."""
    phase = jax.random.rademacher(key, (), jnp.float32)
    return crop / 2 + phase * TEXTURE * CHEQUERS, crop / 4 - 0.4


def holed(key, crop):
    """`faded`, of which every second picture has lost a half."""
    coin, key = jax.random.split(key)
    x0, y = faded(key, crop)
    kept = (jnp.arange(SIDE) < SIDE // 2)[:, None, None] | jax.random.bernoulli(coin)
    return x0, y * kept


def restorer(process, prediction, **changes):
    """90 thousand weights, 16 pictures a step."""
    settings = {
        "name": "tiny",
        "source": functools.partial(Synthetic, 256, SIDE),
        "network": UNet(widths=(24, 32), blocks=(1, 1), embedding=32, conditioning=Concatenation()),
        "process": process,
        "prediction": prediction,
        "pairing": faded,
        "optimizer": lambda steps: optax.adam(warmup_stable_decay(3e-3, steps)),
        "steps": 2000,
        "batch": 16,
        "crop": SIDE,
        "ema": 0.99,
    }
    return Experiment(**settings | changes)


ABSOLUTE = functools.partial(matching_loss, power=1)
DRAWN = {
    "sr3": (restorer(VP(), Noise(), objective=ABSOLUTE), Discrete(Ancestral()), 50, log_snr_times),
    "palette": (
        restorer(
            VP(), Noise(), objective=functools.partial(matching_loss, where=missing), pairing=holed
        ),
        *(Discrete(Ancestral()), 50, log_snr_times),
    ),
    "irsde": (
        restorer(IRSDE(0.3), Residual(), data_std=0.2),
        Discrete(Ancestral()),
        50,
        log_snr_times,
    ),
    "irsde-likelihood": (
        restorer(
            IRSDE(0.3),
            Residual(),
            data_std=0.2,
            objective=stepwise(functools.partial(euler_matching_loss, power=2.0), 100),
        ),
        *(Discrete(ReverseEuler()), 101, uniform_times),
    ),
    "goub": (
        restorer(
            goub(0.3),
            Residual(),
            data_std=0.2,
            objective=stepwise(functools.partial(mean_matching_loss, power=2.0), 50),
        ),
        *(Discrete(Ancestral()), 50, log_snr_times),
    ),
    "bbdm": (
        # more of the clean end, where what it tells vanishes, than a uniform law has of it
        restorer(
            brownian_bridge(0.3),
            Displacement(),
            objective=ABSOLUTE,
            times=functools.partial(log_normal_law, mean=-1.5, std=1.5),
        ),
        *(Discrete(Ancestral()), 50, log_snr_times),
    ),
    "i2sb": (restorer(i2sb(), Residual(), data_std=0.2), Discrete(Bridge()), 50, log_snr_times),
    "ddbm": (
        restorer(ddbm_vp(), PairedPreconditioned(0.4, 0.4, 0.05), data_std=0.4),
        *(DDBMSampler(), 20, karras_times),
    ),
    "resshift": (restorer(ResShift(0.4), CleanImage()), Discrete(Bridge()), 15, uniform_times),
    "flow-from-noise": (restorer(Flow(), Velocity()), Discrete(DDIM(0.0)), 50, log_snr_times),
    "flow-from-degraded": (
        restorer(Interpolation(0.3), Velocity()),
        *(Discrete(DDIM(0.0)), 50, log_snr_times),
    ),
}
DETERMINISTIC = {
    "mean-ode": (
        restorer(goub(0.3), Residual(), data_std=0.2, objective=stepwise(mean_matching_loss, 50)),
        *(Discrete(MeanODE()), 50, cosine_times),
    ),
}


def pictures():
    """Pictures that were not trained on, and their y."""
    source = Synthetic(PICTURES, SIDE, seed=1)
    crops = jnp.stack([source[i] for i in range(PICTURES)]).astype(jnp.float32) / 127.5 - 1
    return jax.vmap(faded)(jax.random.split(jax.random.key(0), PICTURES), crops)


def estimate(denoiser, y):
    """What a network says from y alone: at the end of the span, in the middle of what may be there."""
    end = jnp.asarray(denoiser.process.span[1])
    return denoiser(denoiser.process.centre(end, y), end, y)


def regression_loss(key, denoiser, x0, t, y):
    """Mean square error from y alone."""
    return jnp.mean((estimate(denoiser, y) - x0) ** 2)


def fitted(experiment, folder):
    """The denoiser that a run leaves."""
    train(experiment, folder, log_every=200)
    return jaxir.load(folder / "model")


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """The answers of a regression network of the same size and training to the y of `pictures`."""
    experiment = restorer(IRSDE(0.3), Residual(), data_std=0.2, objective=regression_loss)
    denoiser = fitted(experiment, tmp_path_factory.mktemp("regression"))
    return jax.jit(jax.vmap(lambda y: estimate(denoiser, y)))(pictures()[1])


def restored(method, folder, draws):
    """The restored `pictures`, so many of each."""
    experiment, sampler, steps, grid = {**DRAWN, **DETERMINISTIC}[method]
    denoiser = fitted(experiment, folder)
    times = grid(denoiser.process, steps)
    return jnp.stack(
        [
            sample(
                jax.random.key(i),
                denoiser,
                y,
                shape=y.shape,
                sampler=sampler,
                times=times,
                samples=draws,
            ).images
            for i, y in enumerate(pictures()[1])
        ]
    )


def texture(images):
    """Mean square difference of neighbours."""
    return np.mean(np.diff(images, axis=-2) ** 2) + np.mean(np.diff(images, axis=-3) ** 2)


def decibels(images):
    """PSNR against `pictures`, of the mean square error over all: a draw is very near or far, by the coin."""
    return 10 * np.log10(4 / np.mean((images - pictures()[0]) ** 2))


@pytest.mark.parametrize("method", DRAWN)
def test_what_is_drawn_has_the_texture_that_regression_lacks(method, regression, tmp_path):
    """At most half as far from the texture of the truth, in both phases; the mean of 16 draws is nearer than y.

    It is nearer than a draw, too, whose square error is twice that of E[x0 | y]: 3 dB less, of which it has 2.7.
    """
    clean, degraded = pictures()
    images = restored(method, tmp_path, DRAWS)
    phases = np.mean(np.mean(images * CHEQUERS, axis=(2, 3, 4)) > 0)
    gap = abs(texture(regression) - texture(clean))
    mean, degraded = decibels(jnp.mean(images, axis=1)), decibels(degraded)
    single = decibels(jnp.moveaxis(images, 1, 0))
    assert abs(texture(images) - texture(clean)) < 0.5 * gap
    assert 0.1 < phases < 0.9
    assert mean > degraded + 3
    assert mean > single + 1


@pytest.mark.parametrize("method", DETERMINISTIC)
def test_what_is_not_drawn_is_near_the_mean(method, regression, tmp_path):
    """Nearer to the truth than y, and than a draw, whose square error is twice the least: 3 dB less.

    No more, since of two phases, far apart, its drift favours the one that its start is nearer to.
    """
    found = decibels(restored(method, tmp_path, 1)[:, 0])
    assert found > decibels(pictures()[1]) + 3
    assert found > decibels(regression) - 3
