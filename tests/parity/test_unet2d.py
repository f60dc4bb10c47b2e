"""diffusers' `UNet2DModel` against the original's own outputs."""

import functools

import jax.numpy as jnp
import pytest
from parity.parity import case, expect_parity

from jaxir.pretrained.families import UNet2D

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.mark.parametrize("name", ["unet2d_ddpm", "unet2d_ldm"])
def test_a_converted_network_is_the_original(name):
    of = case(name)
    denoiser, network = UNet2D().convert(of.config, of.tensors)
    extra = [jnp.asarray(of.arrays["label"])] if "label" in of.arrays else []
    apply = functools.partial(network.apply, denoiser.params)
    expect_parity(apply, of, jnp.asarray(of.arrays["t"]), *extra)


@pytest.mark.parametrize("name", ["unet2d_shift", "unet2d_plain_middle"])
def test_a_switch_that_is_not_here_is_named(name):
    of = case(name)
    with pytest.raises(ValueError, match=r"is (True|'gelu'), which jaxir's network does not have"):
        UNet2D().convert(of.config, of.tensors)
