"""diffusers' `UNet2DConditionModel` against the original's own outputs, odd sizes too."""

import functools

import jax.numpy as jnp
import pytest
from parity.parity import case, expect_parity

from jaxir.pretrained.families import UNet2DCondition

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.mark.parametrize("name", ["unet2dcondition_sd1", "unet2dcondition_sd2"])
def test_a_converted_network_is_the_original(name):
    of = case(name)
    denoiser, network = UNet2DCondition().convert(of.config, of.tensors)
    apply = functools.partial(network.apply, denoiser.params)
    expect_parity(apply, of, *(jnp.asarray(of.arrays[name]) for name in ("t", "context")))


def test_a_model_that_is_told_more_than_a_text_is_refused():
    of = case("unet2dcondition_sdxl")
    with pytest.raises(ValueError, match="addition_embed_type is 'text_time'"):
        UNet2DCondition().convert(of.config, of.tensors)
