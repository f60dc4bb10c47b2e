"""DRUNet against the original's own outputs, and as the denoiser that it is."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.parity import case, expect_parity

from jaxir.pretrained.families import DRUNet

pytestmark = pytest.mark.usefixtures("quick_compile")


@functools.cache
def converted(name):
    """The image and the noise level of a fixture apart, and the denoiser."""
    of = case(name)
    level = jnp.asarray(of.arrays["x"][:, -1, 0, 0])
    image_only = {key: of.arrays[key][:, :-1] for key in ("x", "grad")}
    of = dataclasses.replace(of, arrays=of.arrays | image_only)
    return of, level, DRUNet().convert(of.config, of.tensors).denoiser


@pytest.mark.parametrize(
    "name", ["drunet_gray", pytest.param("drunet_color", marks=pytest.mark.slow)]
)
def test_a_converted_network_asked_by_its_denoiser_is_the_original(name):
    """The original's image and noise are in [0, 1] units and ours in [-1, 1]."""
    of, level, denoiser = converted(name)

    def clean(x, level):
        t = denoiser.process.time(-jnp.log(2 * level))
        return (denoiser(2 * x - 1, t) + 1) / 2

    expect_parity(clean, of, level)


@pytest.mark.slow
def test_it_is_homogeneous_in_intensities_at_any_size():
    """No layer has a bias: λ times as bright and as noisy gives λ times the answer; λ = 2⁻² rounds nothing."""
    _, _, denoiser = converted("drunet_gray")
    image = jnp.asarray(np.random.default_rng(0).uniform(size=(13, 9, 1)), jnp.float32)

    @jax.jit
    def answer(image, level):
        t = denoiser.process.time(-jnp.log(2 * level))
        return (denoiser(2 * image - 1, t) + 1) / 2

    bright, dark = answer(image, 0.1), answer(image / 4, 0.1 / 4)
    np.testing.assert_allclose(4 * dark, bright, atol=2e-5 * np.abs(bright).max())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"act_mode": "L"}, "act_mode is 'L', expected 'R'"),
        ({"in_nc": 3}, "in_nc is 3 and out_nc 3, expected one channel more in than out"),
    ],
)
def test_another_configuration_is_refused(change, text):
    config = {"in_nc": 4, "out_nc": 3, "nc": [8, 8], "nb": 1} | change
    with pytest.raises(ValueError, match=text):
        DRUNet().convert(config, {})
