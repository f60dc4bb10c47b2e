"""Autoencoders of huggingface/diffusers: `AutoencoderKL`, `VQModel`, `AutoencoderTiny`.

Made with diffusers 0.42.1 (from the package registry), torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/autoencoders.py

`x`, `out`, `grad` are of the encoder: the moments of KL, the latents of the others. `decoder/x`, `decoder/out`,
`decoder/grad` are of the decoder, which in VQ replaces each latent by the nearest code (`quantised`, `codes`) and lets
the gradient through.
"""

import json
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, VQModel
from fixture import fill, images, measure, normal, record

ENCODER = {
    "sample_size": 16,
    "block_out_channels": (16, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 8,
}

CASES: dict[str, tuple[type, dict[str, Any], tuple[int, int]]] = {
    "kl": (AutoencoderKL, ENCODER, (18, 14)),
    "kl_bare": (
        AutoencoderKL,
        {
            **ENCODER,
            "block_out_channels": (16, 16, 32),
            "down_block_types": ("DownEncoderBlock2D",) * 3,
            "up_block_types": ("UpDecoderBlock2D",) * 3,
            "layers_per_block": 2,
            "latent_channels": 8,
            "use_quant_conv": False,
            "use_post_quant_conv": False,
            "mid_block_add_attention": False,
            "shift_factor": 0.1,
            "scaling_factor": 0.3,
        },
        (16, 20),
    ),
    "vq": (
        VQModel,
        {**ENCODER, "num_vq_embeddings": 32, "vq_embed_dim": 3, "layers_per_block": 1},
        (18, 14),
    ),
    "vq_attention": (
        VQModel,
        {
            **ENCODER,
            "down_block_types": ("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
            "up_block_types": ("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
            "latent_channels": 4,
            "num_vq_embeddings": 16,
            "vq_embed_dim": 2,
        },
        (12, 16),
    ),
    "tiny": (
        AutoencoderTiny,
        {
            "encoder_block_out_channels": (16, 16, 16),
            "decoder_block_out_channels": (16, 16, 16),
            "num_encoder_blocks": (1, 2, 1),
            "num_decoder_blocks": (2, 1, 1),
            "upsampling_scaling_factor": 2,
        },
        (16, 20),
    ),
}


if __name__ == "__main__":
    for name, (kind, arguments, size) in CASES.items():
        model = kind(**arguments)
        fill(model)

        def encode(x: torch.Tensor, model: Any = model) -> torch.Tensor:
            code = model.encode(x)
            return code.latent_dist.parameters if "latent_dist" in code else code.latents

        x = images(2, 3, *size)
        out = encode(x)
        quantisation = {}
        if kind is VQModel:
            latents = normal(2, model.config.vq_embed_dim, *out.shape[2:], seed=4)
            quantised, _, (_, _, codes) = model.quantize(latents)
            quantisation = {"quantised": quantised.detach(), "codes": codes}
        else:
            latents = normal(2, model.config.latent_channels, *out.shape[2:], seed=4)
        decoded = measure(lambda z, model=model: model.decode(z).sample, latents)
        record(
            f"autoencoder_{name}",
            json.loads(model.to_json_string()),
            model,
            encode,
            x,
            **{f"decoder/{key}": value for key, value in decoded.items()},
            **quantisation,
        )
