"""Predict and refine in pixels is the diffusion of residuals: the same denoiser, loss and weights, and its claims."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.denoisers import NetworkDenoiser, Preconditioned
from jaxir.losses import edm_weight, matching_loss
from jaxir.metrics import psnr
from jaxir.networks import Concatenation, Refinement, UNet
from jaxir.pretrained import load, save_denoiser
from jaxir.processes import EDM, VP, log_normal_law
from jaxir.samplers import Discrete, sample
from jaxir.transitions import DDIM

quick = pytest.mark.usefixtures("quick_compile")
"""Not for what trains: its program is compiled once and runs long."""

STD = 0.15
SMALL = {"widths": (8,), "blocks": (1,), "embedding": 8}
NETWORK = Refinement(UNet(**SMALL), UNet(**SMALL, conditioning=Concatenation()), STD)


@functools.cache
def rough():
    """Parameters of which none is zero."""
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            0.5 * random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        jax.eval_shape(NETWORK.init, jax.random.key(0)),
    )


def both(process):
    """The denoiser of images, and that of residuals with the refiner alone."""
    settings = {"prediction": Preconditioned(STD), "data_std": STD, "sees_y": True}
    return (
        NetworkDenoiser(process, rough(), NETWORK.apply, **settings),
        NetworkDenoiser(process, rough()["refiner"], NETWORK.refiner.apply, **settings),
    )


def images():
    return jax.random.normal(jax.random.key(3), (3, 6, 4, 3)) / 2


@quick
@pytest.mark.parametrize("process", [VP(), EDM(4.0)], ids=["VP", "EDM"])
def test_the_estimate_is_the_prediction_and_the_refined_rest(process):
    x, y, _ = images()
    whole, rest = both(process)
    first = NETWORK.predict(rough(), y)
    for t in (0.02, 0.5, 1.0):
        a = process.coefficients(jnp.asarray(t)).a
        expected = first + rest(x - a * first, jnp.asarray(t), y)
        chex.assert_trees_all_close(whole(x, jnp.asarray(t), y), expected, rtol=1e-4, atol=1e-4)


@quick
def test_the_loss_is_that_of_the_residual(key):
    x0, y, _ = images()
    whole, rest = both(VP())
    t, residual = jnp.asarray(0.3), x0 - NETWORK.predict(rough(), y)
    np.testing.assert_allclose(
        matching_loss(key, whole, x0, t, y), matching_loss(key, rest, residual, t, y), rtol=1e-4
    )


@quick
def test_a_new_network_answers_with_y_where_only_noise_is_left(key):
    x, y, _ = images()
    params = NETWORK.init(key)
    denoiser = NetworkDenoiser(EDM(1e3), params, NETWORK.apply, Preconditioned(STD), STD, True)
    chex.assert_trees_all_close(denoiser(1e3 * x, jnp.asarray(1.0), y), y, atol=1e-3)


@quick
def test_its_weights_are_stored_as_one_network(tmp_path):
    x, y, _ = images()
    whole, _ = both(VP())
    save_denoiser(tmp_path, whole, NETWORK)
    loaded = load(tmp_path)
    chex.assert_trees_all_equal(loaded.params, rough())
    chex.assert_trees_all_close(loaded(x, jnp.asarray(0.5), y), whole(x, jnp.asarray(0.5), y))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Refinement(NETWORK.refiner, NETWORK.refiner, STD), "predictor must not see y"),
        (lambda: Refinement(NETWORK.predictor, NETWORK.predictor, STD), "the refiner must"),
        (lambda: Refinement(NETWORK.predictor, NETWORK.refiner, 0.0), "data_std is 0.0"),
        (
            lambda: Refinement(UNet(out_channels=1), NETWORK.refiner, STD),
            "predictor has 1 channels out but refiner 3",
        ),
    ],
)
def test_a_wrong_configuration_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def texture(key):
    """Noise seen through a small lens: half of its energy is lost when blocks of 2 × 2 are averaged."""
    noise = jax.random.normal(key, (17, 17, 1))
    x0 = 0.3 * (noise[:-1, :-1] + noise[1:, :-1] + noise[:-1, 1:] + noise[1:, 1:])
    blocks = x0.reshape(8, 2, 8, 2, 1).mean(axis=(1, 3))
    return x0, jnp.repeat(jnp.repeat(blocks, 2, axis=0), 2, axis=1)


def sharpness(image):
    """Mean squared difference of neighbours."""
    return np.mean(np.diff(image, axis=0) ** 2) + np.mean(np.diff(image, axis=1) ** 2)


@pytest.mark.slow
def test_one_sample_is_sharper_than_the_regression_and_the_mean_of_samples_nearer_the_truth():
    """0.02 M parameters. The mean of n posterior samples has 1 + 1/n of the least squared error, one has twice it."""
    small = {"widths": (16, 24), "blocks": (1, 1), "patch": 1, "in_channels": 1, "out_channels": 1}
    network = Refinement(UNet(**small), UNet(**small, conditioning=Concatenation(1)), 0.3)
    process, optimizer = EDM(4.0, span=(2e-3, 1.0)), optax.adam(2e-3)

    def denoiser(params):
        return NetworkDenoiser(process, params, network.apply, Preconditioned(0.3), 0.3, True)

    def loss(params, key):
        times, images, noise = jax.random.split(key, 3)
        t = log_normal_law(times, process, 16, mean=-1.0, std=1.4)
        x0, y = jax.vmap(texture)(jax.random.split(images, 16))
        one = functools.partial(matching_loss, denoiser=denoiser(params), weighting=edm_weight)
        losses = jax.vmap(lambda key, x0, t, y: one(key, x0=x0, t=t, y=y))
        return jnp.mean(losses(jax.random.split(noise, 16), x0, t, y))

    @jax.jit  # in a scan the derivatives of convolutions are several times slower on a CPU
    def step(params, state, key):
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return optax.apply_updates(params, updates), state

    params = network.init(jax.random.key(1))
    state = optimizer.init(params)
    for key in jax.random.split(jax.random.key(5), 400):
        params, state = step(params, state, key)
    trained = denoiser(params)
    single, mean, sharp, regression, true = [], [], [], [], []
    for number in range(4):
        x0, y = texture(jax.random.fold_in(jax.random.key(9), number))
        drawn = sample(
            jax.random.key(number),
            trained,
            y,
            shape=x0.shape,
            sampler=Discrete(DDIM(1.0)),
            times=30,
            samples=8,
        )
        single.append(np.mean([float(psnr(image, x0)) for image in drawn.images]))
        mean.append(float(psnr(drawn.mean, x0)))
        sharp.append(np.mean([sharpness(image) for image in drawn.images]))
        regression.append(sharpness(network.predict(trained.params, y)))
        true.append(sharpness(x0))
    assert np.mean(mean) > np.mean(single) + 1.5  # 10 log₁₀(2/(1 + 1/8)) = 2.5 dB for exact samples
    assert np.mean(regression) < 0.7 * np.mean(true)
    assert 0.8 < np.mean(sharp) / np.mean(true) < 1.2
