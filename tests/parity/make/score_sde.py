"""Networks of yang-song/score_sde_pytorch: NCSN++, DDPM++ and DDPM.

Made with score_sde_pytorch at cb1f359f4aadf0ff9a5e122fe8fffc9451fd6e44, torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/score_sde.py CLONE

`config` holds those groups of the original's configuration that its networks read. `t` is the network's own argument:
999 times the time for VP, σ for VE. The CUDA kernels of `op` are not built; their native versions run instead.
Learned upsampling in `ncsnpp` (`progressive="residual"`, or `resblock_type="ddpm"` with `resamp_with_conv`) does not
run in the original, with a filter or without, so there is no case of it.
"""

import sys
import types
from typing import Any

import torch
from fixture import images, record

# configs/vp/cifar10_ddpmpp_continuous.py and configs/ve/cifar10_ncsnpp_continuous.py, narrower
DDPMPP = {
    "name": "ncsnpp",
    "sigma_min": 0.01,
    "sigma_max": 50,
    "num_scales": 1000,
    "scale_by_sigma": False,
    "normalization": "GroupNorm",
    "nonlinearity": "swish",
    "nf": 16,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "resamp_with_conv": True,
    "conditional": True,
    "fir": False,
    "fir_kernel": [1, 3, 3, 1],
    "skip_rescale": True,
    "resblock_type": "biggan",
    "progressive": "none",
    "progressive_input": "none",
    "progressive_combine": "sum",
    "embedding_type": "positional",
    "init_scale": 0.0,
    "fourier_scale": 16,
    "dropout": 0.1,
}
NCSNPP = {
    **DDPMPP,
    "num_scales": 10,
    "scale_by_sigma": True,
    "fir": True,
    "progressive_input": "residual",
    "embedding_type": "fourier",
}
NARROW = {"nf": 8, "ch_mult": [1, 2, 2], "attn_resolutions": [16]}

CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "ddpmpp": (DDPMPP, True),
    "ncsnpp": (NCSNPP, False),
    "ncsnpp_skip": (
        {**NCSNPP, **NARROW, "progressive": "output_skip", "progressive_input": "input_skip"},
        False,
    ),
    "ncsnpp_cat": (
        {
            **NCSNPP,
            **NARROW,
            "progressive": "output_skip",
            "progressive_input": "input_skip",
            "progressive_combine": "cat",
            "resblock_type": "ddpm",
            "resamp_with_conv": False,
            "skip_rescale": False,
        },
        False,
    ),
    "ddpm": ({**DDPMPP, "name": "ddpm", "nf": 64}, True),
}


def nested(values: dict[str, Any]) -> types.SimpleNamespace:
    """A dictionary of dictionaries, read by dots."""
    return types.SimpleNamespace(
        **{key: nested(v) if isinstance(v, dict) else v for key, v in values.items()}
    )


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    builder = types.ModuleType("torch.utils.cpp_extension")
    builder.load = lambda *arguments, **options: None
    sys.modules[builder.__name__] = builder
    from models import ddpm, ncsnpp

    torch.manual_seed(0)
    kinds = {"ddpm": ddpm.DDPM, "ncsnpp": ncsnpp.NCSNpp}
    for name, (model, centered) in CASES.items():
        config = {
            "model": model,
            "data": {"image_size": 16, "num_channels": 3, "centered": centered},
            "training": {"continuous": True},
        }
        network = kinds[model["name"]](nested(config))
        t = torch.tensor([1.7, 0.08] if model["scale_by_sigma"] else [17.3, 893.1])
        x = images(2, 3, 16, 16)
        record(
            f"score_sde_{name}",
            config,
            network,
            lambda x, network=network, t=t: network(x, t),
            x if centered else (x + 1) / 2,
            t=t,
        )
