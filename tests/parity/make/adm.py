"""U-Nets and tables of openai/guided-diffusion (ADM).

Made with guided-diffusion at 22e0df8183507e13a7813f8d38d51b072ca1e67c, torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/adm.py CLONE

`config` holds the arguments of `script_util.create_model`, and `conv_resample`, which is one of `UNetModel` alone.
"""

import functools
import inspect
import sys
from typing import Any

import torch
from fixture import images, normal, record, write

PLAIN = {
    "image_size": 16,
    "num_channels": 64,
    "num_res_blocks": 1,
    "channel_mult": "1,2",
    "attention_resolutions": "8",
    "conv_resample": True,
}

CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "plain": ({"num_heads": 2, "num_heads_upsample": 4}, (16, 16)),
    "updown": (
        {
            "channel_mult": "1,2,2",
            "attention_resolutions": "8,4",
            "num_head_channels": 32,
            "use_scale_shift_norm": True,
            "resblock_updown": True,
            "learn_sigma": True,
        },
        (12, 20),
    ),
    "classes": (
        {"num_heads": 2, "use_new_attention_order": True, "class_cond": True, "num_res_blocks": 2},
        (16, 10),
    ),
    "pool": ({"conv_resample": False, "use_scale_shift_norm": True, "channel_mult": "1,1"}, (8, 8)),
}


def networks() -> None:
    """One fixture for each case."""
    from guided_diffusion import script_util
    from guided_diffusion.unet import UNetModel

    signature = inspect.signature(script_util.create_model)
    defaults = {
        name: argument.default
        for name, argument in signature.parameters.items()
        if argument.default is not inspect.Parameter.empty
    }
    for name, (switches, size) in CASES.items():
        config = {**defaults, **PLAIN, **switches}
        arguments = dict(config)
        script_util.UNetModel = functools.partial(
            UNetModel, conv_resample=arguments.pop("conv_resample")
        )
        network = script_util.create_model(**arguments)
        inputs = {"t": torch.tensor([17, 893])}
        if config["class_cond"]:
            inputs["label"] = torch.tensor([3, 821])
        record(
            f"adm_{name}",
            config,
            network,
            lambda x, network=network, inputs=inputs: network(
                x, inputs["t"], y=inputs.get("label")
            ),
            images(2, 3, *size),
            **inputs,
        )


def tables() -> None:
    """Noise tables, respaced or not, and the transition with a learned variance."""
    from guided_diffusion import gaussian_diffusion, respace, script_util

    arrays: dict[str, Any] = {}
    for schedule in ("linear", "cosine"):
        arrays[f"{schedule}/betas"] = gaussian_diffusion.get_named_beta_schedule(schedule, 1000)
        spaced = script_util.create_gaussian_diffusion(
            steps=1000, learn_sigma=True, noise_schedule=schedule, timestep_respacing="50"
        )
        t = torch.tensor([0, 1, 20, 49])
        x, raw = normal(4, 3, 2, 2), normal(4, 6, 2, 2, seed=1)
        arrays |= {
            f"{schedule}/spaced/timesteps": spaced.timestep_map,
            f"{schedule}/spaced/betas": spaced.betas,
            f"{schedule}/spaced/log_variance": spaced.posterior_log_variance_clipped,
        }
        for clip in (False, True):
            step = spaced.p_mean_variance(lambda x, t, raw=raw: raw, x, t, clip_denoised=clip)
            prefix = f"{schedule}/{'clipped' if clip else 'free'}"
            arrays |= {
                f"{prefix}/{key}": step[key] for key in ("mean", "log_variance", "pred_xstart")
            }
        arrays |= {"t": t, "x": x, "raw": raw}
    arrays["ddim50"] = sorted(respace.space_timesteps(1000, "ddim50"))
    arrays["sections"] = sorted(respace.space_timesteps(1000, "10,15,20"))
    write("adm_tables", {"steps": 1000, "timestep_respacing": "50"}, **arrays)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    torch.manual_seed(0)
    networks()
    tables()
