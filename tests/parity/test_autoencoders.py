"""Converted autoencoders of diffusers against what the originals made, both ways and with derivatives."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.parity import case, expect_parity
from safetensors.numpy import save_file

from jaxir.pretrained import WeightsError, load_codec
from jaxir.pretrained.families.autoencoders import convert_autoencoder

pytestmark = pytest.mark.usefixtures("quick_compile")
slow = pytest.mark.slow

SLOW = ("kl_bare", "vq", "vq_attention")
NAMES = ["kl", "tiny", *(pytest.param(name, marks=slow) for name in SLOW)]


def moments(network, params, x):
    """What the originals' encoders return."""
    mean, std = network.encode(params, x)
    return mean if jnp.ndim(std) == 0 else jnp.concatenate([mean, 2 * jnp.log(std)], axis=-1)


@pytest.mark.parametrize("name", NAMES)
def test_a_converted_autoencoder_is_the_original(name):
    of = case(f"autoencoder_{name}")
    network, params, _, _ = convert_autoencoder(of.config, of.tensors)
    expect_parity(lambda x: moments(network, params, x), of)
    decoder = {k[8:]: v for k, v in of.arrays.items() if k.startswith("decoder/")}
    of = dataclasses.replace(of, arrays=of.arrays | decoder)
    expect_parity(lambda z: network.decode(params, z), of)
    if "codes" in of.arrays:
        replaced, indices = jax.jit(network.quantise)(params, of.images("x"))
        np.testing.assert_array_equal(indices.ravel(), of.arrays["codes"])
        np.testing.assert_allclose(replaced, of.images("quantised"), atol=1e-6)


def test_a_folder_of_diffusers_is_a_codec_with_its_scale_and_shift(tmp_path):
    """Here of a pipeline, and with the tensors of attention by the names that they once had."""
    of, folder = case("autoencoder_kl"), tmp_path / "vae"
    config = of.config | {"scaling_factor": 0.3, "shift_factor": 0.1}
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = of.tensors
    for new, old in former.items():
        tensors = {k.replace(f".{new}.", f".{old}."): v for k, v in tensors.items()}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")
    (tmp_path / "model_index.json").write_text("{}")
    codec = load_codec(tmp_path, (18, 14, 3))
    assert (codec.scale, codec.shift, codec.latent_shape) == (0.3, 0.1, (9, 7, 4))
    chex.assert_trees_all_equal(codec.params, convert_autoencoder(of.config, of.tensors).params)
    (folder / "config.json").write_text(json.dumps(config | {"_class_name": "UNet2DModel"}))
    with pytest.raises(WeightsError, match="is not converted: _class_name is 'UNet2DModel'"):
        load_codec(folder, (18, 14, 3))


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("kl", {"_class_name": "AutoencoderDC"}, "_class_name is 'AutoencoderDC', expected one of"),
        ("kl", {"act_fn": "mish"}, "act_fn is 'mish', which jaxir's network does not have"),
        ("kl", {"latents_mean": [0.1] * 4}, "latents_mean is"),
        ("kl", {"new": 1}, "new of AutoencoderKL is not known"),
        ("kl", {"up_block_types": ["AttnUpDecoderBlock2D"] * 2}, "the same levels on both ways"),
        ("kl", {"use_quant_conv": False}, "quant_conv.bias, quant_conv.weight: not read"),
        ("kl", {"layers_per_block": 2}, "resnets.2.conv1.bias.*: missing"),
        ("vq", {"norm_type": "spatial"}, "norm_type is 'spatial', which"),
        ("tiny", {"encoder_block_out_channels": [8, 16, 16]}, "have one width"),
    ],
)
def test_what_the_networks_do_not_have_is_named(name, change, line):
    of = case(f"autoencoder_{name}")
    with pytest.raises(ValueError, match=line):
        convert_autoencoder(of.config | change, of.tensors)
