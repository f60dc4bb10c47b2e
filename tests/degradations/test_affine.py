"""y = A x + c is a linear problem for y − c, wherever the c comes from."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir import methods
from jaxir.degradations import (
    Affine,
    Blur,
    Degradation,
    GaussianNoise,
    Linear,
    PoissonNoise,
    area_downsample,
    each_frame,
    fade,
    haze,
    low_light,
    sepia,
    shadow,
    stack,
)
from jaxir.processes import VP
from jaxir.restoration import restore
from jaxir.testbeds import LinearGaussian, stationary_covariance

pytestmark = pytest.mark.usefixtures("quick_compile")

SHAPE = (4, 4, 1)
COLOUR = (4, 4, 3)
DEPTH = np.linspace(0.2, 2, 16, dtype=np.float32).reshape(SHAPE)
AIRLIGHT = 0.8
X = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)


def in_haze():
    return Degradation(haze(DEPTH, SHAPE, airlight=AIRLIGHT), GaussianNoise(0.1))


AFFINE = {
    "haze": lambda: in_haze().operator,
    "of a blur": lambda: in_haze().operator @ Blur(np.full((2, 2), 0.25), SHAPE),
    "before a reduction": lambda: area_downsample(SHAPE, 2) @ in_haze().operator,
    "of another": lambda: shadow(DEPTH / 2, COLOUR) @ fade(COLOUR) @ sepia(COLOUR),
    "stacked": lambda: stack(in_haze().operator, area_downsample(SHAPE, 2)),
    "frame by frame": lambda: each_frame(in_haze().operator, 2),
}


@pytest.mark.parametrize("case", AFFINE)
def test_an_affine_operator_is_its_linear_part_and_its_value_at_0(case):
    operator = AFFINE[case]()
    assert not isinstance(operator, Linear)
    linear = operator.linear_part
    assert isinstance(linear, Linear)
    x = jax.random.normal(jax.random.key(0), operator.shape)
    offset = operator(jnp.zeros(operator.shape))
    assert np.abs(offset).max() > 0.1
    np.testing.assert_allclose(operator(x), linear(x) + offset, atol=1e-6)


def test_what_is_not_affine_or_not_gaussian_is_left_as_it_is():
    assert low_light(SHAPE).linear_part is None
    assert stack(low_light(SHAPE), in_haze().operator).linear_part is None
    linear = area_downsample(SHAPE, 2)
    assert linear.linear_part is linear
    for degradation in (
        Degradation(low_light(SHAPE), GaussianNoise(0.1)),
        Degradation(linear, GaussianNoise(0.1)),
        Degradation(in_haze().operator, PoissonNoise(100.0)),
    ):
        assert degradation.without_offset(X) == (degradation, X)


@functools.cache
def prior():
    problem = LinearGaussian(jnp.zeros(SHAPE), stationary_covariance(4) / 4, in_haze())
    return problem.denoiser(VP())


METHODS = ["ddnm", "ddrm", "diffpir", "mmps", "pigdm"]


@pytest.mark.parametrize("name", METHODS)
def test_a_linear_method_on_haze_is_the_same_on_what_is_left_without_the_airlight(name):
    y = np.asarray(in_haze().sample(jax.random.key(1), X))
    transmission = np.exp(-DEPTH)
    clear = Degradation(in_haze().operator.linear, GaussianNoise(0.1))
    settings = {"prior": prior(), "method": getattr(methods, name), "steps": 5, "samples": 2}
    ours = restore(y, in_haze(), **settings)
    theirs = restore(y - AIRLIGHT * (1 - transmission), clear, **settings)
    # y − c in numpy rounds otherwise than in JAX: some units of 1e-7, which the least τ = e^-2 enlarges
    chex.assert_trees_all_close(ours.images, theirs.images, atol=2e-5)
    left = theirs.residual(clear, y - AIRLIGHT * (1 - transmission))
    np.testing.assert_allclose(ours.residual(in_haze(), y), left, atol=1e-4)


def test_by_hand_the_refusal_says_how():
    line = r"needs a linear operator, got Affine: take c out of A x \+ c, degradation, y = degr"
    with pytest.raises(TypeError, match=line):
        methods.diffpir(prior(), in_haze())
    linear, _ = in_haze().without_offset(X)
    methods.diffpir(prior(), linear)


def test_the_offset_is_in_the_units_of_the_measurement():
    operator = Affine(area_downsample(SHAPE, 2), 0.5)
    _, rest = Degradation(operator, GaussianNoise(0.1)).without_offset(jnp.ones((2, 2, 1)))
    np.testing.assert_array_equal(rest, np.full((2, 2, 1), 0.5))
