"""`UNet2DConditionModel` and `ControlNetModel` of huggingface/diffusers.

Made with diffusers 0.42.1 (from the package registry), torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/conditioned.py

`config` is what `config.json` of a saved model holds. `controlnet` holds a second network, the controlled U-Net, under
`unet/config` and `unet/names`; `out` is that network's, `mid` and `first` are residuals that the control adds to it.
"""

import json
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from fixture import fill, images, normal, record

# stabilityai's configurations, narrower
CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "sd1": (
        {
            "sample_size": 8,
            "norm_num_groups": 16,
            "block_out_channels": (32, 64),
            "layers_per_block": 2,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": 16,
            "attention_head_dim": 4,
        },
        (9, 14),
    ),
    "sd2": (
        {
            "sample_size": 8,
            "norm_num_groups": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 1,
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": 24,
            "attention_head_dim": (2, 4, 8),
            "use_linear_projection": True,
        },
        (10, 13),
    ),
    "sdxl": (
        {
            "sample_size": 8,
            "norm_num_groups": 16,
            "block_out_channels": (32, 64),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": 16,
            "attention_head_dim": (2, 4),
            "transformer_layers_per_block": (1, 2),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 12 + 6 * 8,
        },
        (8, 12),
    ),
}


def written(network: Any) -> dict[str, Any]:
    """The configuration as its `config.json` has it."""
    return json.loads(network.to_json_string())


def unets() -> None:
    """One fixture for each case."""
    for name, (arguments, size) in CASES.items():
        network = UNet2DConditionModel(**arguments)
        t, context = torch.tensor([17, 893]), normal(2, 7, arguments["cross_attention_dim"], seed=3)
        added = {}
        if network.config.addition_embed_type:
            sizes = torch.tensor([[64, 96, 0, 8, 64, 96], [32, 32, 4, 0, 48, 32]])
            added = {"text_embeds": normal(2, 12, seed=5), "time_ids": sizes}
        record(
            f"unet2dcondition_{name}",
            written(network),
            network,
            lambda x, network=network, t=t, context=context, added=added: (
                network(x, t, context, added_cond_kwargs=added).sample
            ),
            images(2, 4, *size),
            t=t,
            context=context,
            **added,
        )


def controlnet() -> None:
    """A control of the first case's network, by an image of four times the latents' side."""
    arguments, _ = CASES["sd1"]
    unet = UNet2DConditionModel(**arguments)
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 16))
    parts = fill(unet)
    fill(control)
    t, context = torch.tensor([17, 893]), normal(2, 7, 16, seed=3)
    cond, scale = normal(2, 3, 32, 24, seed=6), 0.7

    def residuals(x: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        return control(
            x, t, context, controlnet_cond=cond, conditioning_scale=scale, return_dict=False
        )

    def controlled(x: torch.Tensor) -> torch.Tensor:
        down, mid = residuals(x)
        return unet(
            x,
            t,
            context,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        ).sample

    x = images(2, 4, 8, 6)
    with torch.no_grad():
        down, mid = residuals(x)
    record(
        "controlnet",
        written(control),
        control,
        controlled,
        x,
        t=t,
        context=context,
        cond=cond,
        scale=scale,
        first=down[0],
        mid=mid,
        **{f"unet/{key}": value for key, value in parts.items()},
        **{"unet/config": json.dumps(written(unet))},
    )


if __name__ == "__main__":
    unets()
    controlnet()
