"""Guidance by a class: on a mixture of Gaussians the classifier, and what it should make of the prior, are exact."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.denoisers import Denoiser, Estimate, MixtureDenoiser
from jaxir.guidance import ClassifierFree, ClassifierGuided, ClassifierShifted, Unconditional
from jaxir.processes import EDM, VP, Process, brownian_bridge, log_snr_times
from jaxir.samplers import Discrete, ReverseSDE, sample
from jaxir.transitions import DDIM, Ancestral

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE = (1, 1, 2)
WEIGHTS = np.array([0.2, 0.5, 0.3])
MEANS = np.array([[1.0, 0.5], [-0.6, 0.9], [0.2, -0.8]]).reshape(3, *SHAPE)
VARIANCE = 0.4
CLASS = 2


def mixture(process):
    return MixtureDenoiser(process, jnp.asarray(WEIGHTS), jnp.asarray(MEANS), VARIANCE)


class Component(Denoiser):
    """The exact denoiser of the mixture's component y; of all of them where y is −1."""

    process: Process
    whole: MixtureDenoiser

    @property
    def sees_y(self):
        return True

    def estimate(self, x, t, y=None):
        a, _, sigma = self.process.coefficients(t)
        mean = self.whole.means[y]
        gain = a * VARIANCE / (a**2 * VARIANCE + sigma**2)
        alone = mean + gain * (x - a * mean)
        return Estimate(jnp.where(y < 0, self.whole(x, t), alone))


def exact_classifier(process, means, x, t, y):
    """log p(y | x_t) of the mixture, by Bayes' rule."""
    a, _, sigma = process.coefficients(t)
    square = jnp.sum((x - a * means) ** 2, axis=(1, 2, 3))
    return jax.nn.log_softmax(jnp.log(WEIGHTS) - 0.5 * square / (a**2 * VARIANCE + sigma**2))[y]


def classifier(process=VP()):
    return jax.tree_util.Partial(exact_classifier, process, jnp.asarray(MEANS))


def states(process, count=5):
    times = log_snr_times(process, count)
    x = (
        jax.random.normal(jax.random.key(1), (count, *SHAPE))
        * jnp.hypot(*process.coefficients(times)[::2])[:, None, None, None]
    )
    return x, times


@pytest.mark.parametrize("process", [VP(), EDM()], ids=["VP", "EDM"])
def test_the_exact_classifier_makes_the_prior_the_class(x64, process):
    """D + (σ²/a) ∇ log p(y | x_t) is E[x0 | x_t, y], at every noise level."""
    guided = ClassifierGuided(mixture(process), classifier(process))
    component = Component(process, mixture(process))
    for x, t in zip(*states(process), strict=True):
        chex.assert_trees_all_close(
            guided(x, t, CLASS), component(x, t, CLASS), rtol=1e-8, atol=1e-8
        )


def constant_gradient(x, t, y):
    return jnp.sum(jnp.asarray([[[0.3, -1.1]]]) * x)


def test_the_two_forms_differ_by_the_published_ratio(x64):
    """For one gradient the shifts of the mean are as √α_t (1 − ᾱ_{t−1})/(1 − ᾱ_t), Eq. 25 against Eq. 29."""
    table = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    x, plain = jnp.asarray([[[0.3, -0.4]]]), mixture(VP())
    of_gradient = jax.tree_util.Partial(constant_gradient)
    for i in (1, 10, 500, 999):
        t, s = (
            VP().time(jnp.asarray(0.5 * np.log(ab / (1 - ab)))) for ab in (table[i], table[i - 1])
        )
        base = Ancestral().step(plain, None, x, t, s).law.mean
        score = Ancestral().step(ClassifierGuided(plain, of_gradient), None, x, t, s).law.mean
        mean = ClassifierShifted(Ancestral(), of_gradient).step(plain, None, x, t, s).law.mean
        expected = np.sqrt(table[i] / table[i - 1]) * (1 - table[i - 1]) / (1 - table[i])
        np.testing.assert_allclose((mean - base) / (score - base), expected, rtol=1e-6)


def test_the_two_forms_agree_to_first_order_in_the_step(x64):
    """The shifts themselves are of order h, their difference of order h²."""
    plain, x, ell = mixture(VP()), jnp.asarray([[[0.3, -0.4]]]), 0.3
    gaps = []
    for h in (0.02, 0.01, 0.005):
        t, s = VP().time(jnp.asarray(ell)), VP().time(jnp.asarray(ell + h))
        base = Ancestral().step(plain, None, x, t, s).law.mean
        forms = [
            Ancestral().step(ClassifierGuided(plain, classifier()), None, x, t, s, CLASS),
            ClassifierShifted(Ancestral(), classifier()).step(plain, None, x, t, s, CLASS),
        ]
        shifts = [form.law.mean - base for form in forms]
        gaps.append(float(jnp.linalg.norm(shifts[0] - shifts[1]) / jnp.linalg.norm(shifts[0])))
    np.testing.assert_allclose(np.log2(np.array(gaps[:-1]) / gaps[1:]), 1.0, atol=0.1)


WAYS = {
    "score form": (ClassifierGuided(mixture(VP()), classifier()), Discrete(Ancestral(1.0))),
    "mean form": (mixture(VP()), Discrete(ClassifierShifted(Ancestral(1.0), classifier()))),
    "conditional SDE": (Component(VP(), mixture(VP())), ReverseSDE()),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_samples_have_the_moments_of_the_class(key, way):
    """4 standard errors of 4000 draws, and 3 % of the variance for 200 steps of order one."""
    denoiser, sampler = WAYS[way]
    found = sample(
        key, denoiser, jnp.asarray(CLASS), shape=SHAPE, sampler=sampler, times=200, samples=4000
    ).images.reshape(-1, 2)
    error = np.sqrt(VARIANCE / 4000)
    np.testing.assert_allclose(found.mean(0), MEANS[CLASS].ravel(), atol=4 * error + 0.003)
    np.testing.assert_allclose(found.var(0) / VARIANCE, 1.0, atol=4 * np.sqrt(2 / 4000) + 0.03)


def free(weight, **interval):
    component = Component(VP(), mixture(VP()))
    return ClassifierFree(component, Unconditional(component, jnp.asarray(-1)), weight, **interval)


def test_without_weight_it_is_the_prior_and_with_one_the_class():
    """The convention: the difference is multiplied by the weight; the paper's w is one less."""
    for x, t in zip(*states(VP()), strict=True):
        expected = mixture(VP())(x, t), Component(VP(), mixture(VP()))(x, t, CLASS)
        found = free(0.0)(x, t, CLASS), free(1.0)(x, t, CLASS)
        chex.assert_trees_all_close(found, expected, atol=1e-5)
        w = 2.5  # Ho and Salimans, Eq. 6, on the clean image: (1 + w) D_c − w D_u
        paper = (1 + w) * expected[1] - w * expected[0]
        chex.assert_trees_all_close(free(1 + w)(x, t, CLASS), paper, atol=1e-4)


def test_outside_the_interval_it_is_the_conditional_model():
    x = jnp.asarray([[[0.3, -0.4]]])
    guided, conditional = free(3.0, low=0.2, high=2.0), free(1.0)
    for level, inside in [(0.1, False), (0.5, True), (1.9, True), (5.0, False)]:
        t = VP().time(-jnp.log(level))
        expected = free(3.0) if inside else conditional
        chex.assert_trees_all_equal(guided(x, t, CLASS), expected(x, t, CLASS))


def test_more_weight_sharpens_the_class(key):
    """From the same noise, log p(y | x0) rises with the weight; one program for all weights."""
    found = []
    for weight in (0.0, 0.5, 1.0, 2.0, 4.0):
        images = sample(
            key,
            free(weight),
            jnp.asarray(CLASS),
            shape=SHAPE,
            sampler=Discrete(DDIM()),
            times=30,
            samples=200,
        ).images
        t = VP().time(jnp.asarray(3.0))
        a = VP().coefficients(t).a
        found.append(jax.vmap(lambda x: classifier()(a * x, t, CLASS))(images).mean())  # noqa: B023
    assert np.all(np.diff(found) > 0)


def test_what_makes_no_sense_is_refused():
    component = Component(VP(), mixture(VP()))
    with pytest.raises(ValueError, match="expected the same process"):
        ClassifierFree(component, mixture(EDM()))
    with pytest.raises(ValueError, match=r"low is 2\.0 and high 1\.0"):
        free(1.0, low=2.0, high=1.0)
    with pytest.raises(TypeError, match="Pinned moves towards y"):
        Unconditional(mixture(brownian_bridge()), jnp.zeros(SHAPE))
