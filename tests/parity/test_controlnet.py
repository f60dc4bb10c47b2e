"""diffusers' `ControlNetModel` and the network that it controls against the originals' own outputs."""

import json

import jax.numpy as jnp
import pytest
from parity.drawn import drawn
from parity.parity import case, expect_parity

from jaxir.pretrained.families import ControlNet

pytestmark = pytest.mark.usefixtures("quick_compile")


def test_a_controlled_network_is_the_original():
    of = case("controlnet")
    base = json.loads(str(of.arrays["unet/names"]))
    tensors = of.tensors | {f"unet.{name}": drawn(name, tuple(shape)) for name, shape in base}
    config = of.config | {
        "unet": json.loads(str(of.arrays["unet/config"])),
        "conditioning_scale": float(str(of.arrays["scale"])),
    }
    denoiser, network = ControlNet().convert(config, tensors)

    def apply(x, t, context, image):
        return network.apply(denoiser.params, x, t, (context, image))

    t, context = (jnp.asarray(of.arrays[name]) for name in ("t", "context"))
    expect_parity(apply, of, t, context, of.images("cond"))


def test_a_control_network_without_its_base_is_refused():
    of = case("controlnet")
    with pytest.raises(ValueError, match="needs its base"):
        ControlNet().convert(of.config, of.tensors)
