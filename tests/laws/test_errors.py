"""Formulas that a review or published code gets wrong, as they should be; `tests/mutations` injects the errors."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY, MEAN, SHAPE, Y, affine, gaussian

from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.denoisers import Denoiser, Estimate, GaussianDenoiser
from jaxir.guidance import ClassifierShifted, PiGDM, Replacement
from jaxir.processes import IRSDE, VP, ConstantRate, Process
from jaxir.samplers.langevin import NoiseShare, SignalToNoise, langevin
from jaxir.transitions import Ancestral, ReverseEuler
from jaxir.typing import Image

pytestmark = pytest.mark.usefixtures("x64")
STATE = np.array([[[0.7, -0.2, 1.5]]])


class Oracle(Denoiser):
    """Knows the clean image."""

    process: Process
    x0: Image
    sees_y = True

    def estimate(self, x, t, y=None):
        return Estimate(self.x0)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_reverse_step_of_irsde_is_the_printed_one(noise):
    """dx = [θ (μ − x) − ½ (1 + λ) σ² ∇log p] dt + √λ σ dw with σ² = 2 λ² θ, Luo et al. 2023, Eqs. 3 and 7."""
    process, std, end, t, s = IRSDE(0.3, 0.005, ConstantRate()), 0.3, 0.005, 0.6, 0.55
    theta = -np.log(end)
    mean = Y + (MEAN - Y) * np.exp(-theta * t)
    score = -(STATE - mean) / (std**2 * (1 - np.exp(-2 * theta * t)))
    g2 = 2 * std**2 * theta
    drift = theta * (Y - STATE) - 0.5 * (1 + noise) * g2 * score
    denoiser = Oracle(process, jnp.asarray(MEAN).reshape(SHAPE))
    times = jnp.asarray(t), jnp.asarray(s)
    law = ReverseEuler(noise).step(denoiser, None, jnp.asarray(STATE), *times, jnp.asarray(Y)).law
    chex.assert_trees_all_close(law.mean, STATE + (s - t) * drift, rtol=1e-10)
    chex.assert_trees_all_close(law.scale, np.sqrt(noise * g2 * (t - s)), rtol=1e-10)


def test_the_signal_to_noise_of_a_corrector_is_of_one_image(key):
    """A neighbour with a score a hundred times as large changes no step but its own."""
    score = jax.random.normal(key, SHAPE, jnp.float64)
    noise, sigma = score[..., ::-1], jnp.asarray(0.5)
    rule = jax.vmap(lambda score: SignalToNoise()(score, noise, sigma))
    together = rule(jnp.stack([score, 100 * score]))
    alone = SignalToNoise()(score, noise, sigma)
    chex.assert_trees_all_close(together, jnp.stack([alone, alone * 1e-4]), rtol=1e-10)


@pytest.mark.parametrize("process", EVERY.values(), ids=EVERY)
def test_langevin_steps_ask_nothing_special_of_a_process(key, process):
    """Published subVP lacks the table that Langevin's step wants: here a process is its three curves."""
    denoiser, t = Oracle(process, jnp.asarray(MEAN).reshape(SHAPE)), jnp.asarray(0.5)

    def step(x):
        return langevin(key, denoiser, x, t, jnp.asarray(Y), step_size=NoiseShare(), steps=2)[0]

    assert jax.eval_shape(step, jnp.asarray(STATE)).shape == SHAPE


def test_a_classifier_moves_the_mean_by_its_gradient_there():
    """μ + τ² ∇ log p(y | x_s) at μ, with τ² that of the step: Eq. 25 of the review as its Block 8 derives it."""
    t, s, x = jnp.asarray(0.5), jnp.asarray(0.4), jnp.asarray(STATE)
    classifier = jax.tree_util.Partial(lambda x, t, y: -jnp.sum((x - t) ** 4))
    denoiser = gaussian(VP())
    plain = Ancestral().step(denoiser, None, x, t, s).law
    found = ClassifierShifted(Ancestral(), classifier).step(denoiser, None, x, t, s).law
    expected = plain.mean - 4 * plain.scale**2 * (plain.mean - s) ** 3
    chex.assert_trees_all_close((found.mean, found.scale), (expected, plain.scale), rtol=1e-12)


def test_pigdm_is_of_one_image():
    """A neighbour with another measurement changes nothing, as it does where the operator is flattened over a batch."""
    shape, t = (4, 4, 1), jnp.asarray(0.4)
    prior = GaussianDenoiser(VP(), jnp.zeros(shape), jnp.eye(16), jnp.full(16, 0.5))
    guided = PiGDM(prior, Degradation(area_downsample(shape, 2), GaussianNoise(0.1)))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, *shape)))
    y = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2, 2, 1)))
    together = jax.vmap(guided, (0, None, 0))(x, t, y)
    chex.assert_trees_all_close(together[0], guided(x[0], t, y[0]), atol=1e-12)


def test_what_a_measurement_replaces_has_the_scale_and_the_noise_of_the_state():
    """In the range of A⁺ the law of x_s is N(a A⁺y, σ² P): with means of blocks A⁺ is four times Aᵀ."""
    shape = (4, 4, 1)
    operator = area_downsample(shape, 2)
    y = jnp.asarray(np.random.default_rng(0).normal(size=(2, 2, 1)))
    rule = Replacement(Ancestral(), Degradation(operator, GaussianNoise(0.0)))
    process, t, s = VP(), jnp.asarray(0.4), jnp.asarray(0.3)
    x = jnp.asarray(np.random.default_rng(1).normal(size=shape))
    law = rule.step(Oracle(process, 0.5 * x), None, x, t, s, y).law
    a, _, sigma = process.coefficients(s)
    chex.assert_trees_all_close(operator(law.mean), a * y, atol=1e-10)
    scale, _ = affine(law.scale, shape)
    matrix, _ = affine(operator, shape)
    seen = matrix @ scale
    chex.assert_trees_all_close(seen @ seen.T, sigma**2 * matrix @ matrix.T, atol=1e-10)
