"""The denoiser DRUNet of cszn/DPIR.

Made with DPIR at 15bca3fcc1f3cc51a1f99ccf027691e278c19354, torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/drunet.py CLONE

`x` are the image in [0, 1] and, as the last channel, the noise level, everywhere the same. Sides are multiples
of 8, as the original asks.
"""

import sys
from typing import Any

import torch
from fixture import images, record

CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "color": ({"in_nc": 4, "out_nc": 3, "nc": [8, 16, 24, 32], "nb": 2}, (16, 24)),
    "gray": ({"in_nc": 2, "out_nc": 1, "nc": [8, 8, 16, 16], "nb": 3}, (24, 16)),
}


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from models.network_unet import UNetRes

    for name, (arguments, size) in CASES.items():
        config = {
            **arguments,
            "act_mode": "R",
            "downsample_mode": "strideconv",
            "upsample_mode": "convtranspose",
        }
        network = UNetRes(**config)
        x = images(2, arguments["in_nc"], *size)
        x[:, -1] = torch.tensor([0.15, 0.05])[:, None, None]
        record(f"drunet_{name}", config, network, network, x)
