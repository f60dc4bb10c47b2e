"""`UNet2DModel` of huggingface/diffusers.

Made with diffusers 0.42.1 (from the package registry), torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/unet2d.py

`config` is what `config.json` of a saved model holds.
"""

import json
from typing import Any

import torch
from diffusers import UNet2DModel
from fixture import images, record

CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    # google/ddpm-cifar10-32, narrower
    "ddpm": (
        {
            "sample_size": 16,
            "block_out_channels": (64, 64),
            "layers_per_block": 2,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": None,
            "downsample_padding": 0,
            "flip_sin_to_cos": False,
            "freq_shift": 1,
            "norm_eps": 1e-6,
        },
        (18, 14),
    ),
    # CompVis/ldm-celebahq-256, narrower and with classes
    "ldm": (
        {
            "sample_size": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": 16,
            "downsample_padding": 1,
            "flip_sin_to_cos": True,
            "freq_shift": 0,
            "norm_eps": 1e-5,
            "norm_num_groups": 16,
            "num_class_embeds": 10,
        },
        (12, 20),
    ),
    "shift": (
        {
            "sample_size": 16,
            "block_out_channels": (32, 48, 64),
            "layers_per_block": 1,
            "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
            "resnet_time_scale_shift": "scale_shift",
            "downsample_type": "resnet",
            "upsample_type": "resnet",
            "attention_head_dim": 8,
            "norm_num_groups": 16,
            "mid_block_scale_factor": 1.5,
            "center_input_sample": True,
        },
        (16, 12),
    ),
    "plain_middle": (
        {
            "sample_size": 8,
            "in_channels": 1,
            "out_channels": 1,
            "block_out_channels": (16, 16),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "UpBlock2D"),
            "downsample_type": "avg",
            "norm_num_groups": 4,
            "act_fn": "gelu",
            "add_attention": False,
        },
        (8, 10),
    ),
}


if __name__ == "__main__":
    for name, (arguments, size) in CASES.items():
        network = UNet2DModel(**arguments)
        inputs = {"t": torch.tensor([17, 893])}
        if network.config.num_class_embeds:
            inputs["label"] = torch.tensor([3, 8])
        x = images(2, network.config.in_channels, *size)
        record(
            f"unet2d_{name}",
            json.loads(network.to_json_string()),
            network,
            lambda x, network=network, inputs=inputs: (
                network(x, inputs["t"], class_labels=inputs.get("label")).sample
            ),
            (x + 1) / 2 if network.config.center_input_sample else x,
            **inputs,
        )
