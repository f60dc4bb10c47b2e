"""Networks and noise tables of Algolzw/image-restoration-sde (IR-SDE, Refusion).

Made with image-restoration-sde at 2598d73cde3a1e2cf78c4ba4923414e1f4b90393, torch 2.13.0, numpy 2.4.6, einops 0.8.2,
scipy 1.17.1:

    PYTHONPATH=tests/parity python tests/parity/make/irsde.py CLONE

`x` is the noisy image and `cond` the measurement. Sizes are odd where a network pads.
"""

import sys
import types
from pathlib import Path
from typing import Any

import torch
from fixture import images, normal, record, weight, write
from torch import nn

NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "nafnet": (
        "ConditionalNAFNet",
        {"width": 8, "enc_blk_nums": [1, 1], "middle_blk_num": 1, "dec_blk_nums": [1, 1]},
        (16, 24),
    ),
    "nafnet_odd": (
        "ConditionalNAFNet",
        {"width": 8, "enc_blk_nums": [1, 2, 1], "middle_blk_num": 1, "dec_blk_nums": [1, 1, 1]},
        (17, 23),
    ),
    "unet": ("ConditionalUNet", {"in_nc": 3, "out_nc": 3, "nf": 8, "depth": 2}, (16, 12)),
    "unet_odd": ("ConditionalUNet", {"in_nc": 3, "out_nc": 3, "nf": 8, "depth": 3}, (17, 22)),
}


def visible(network: nn.Module) -> dict[str, torch.Tensor]:
    """Biases without which the drawn attentions would be too small to see.

    Channel attention is given a mean of 1; the bias before the norm of linear attention is made as small as the
    attention is.
    """
    state = network.state_dict()
    return {
        **{name: 1 + weight(name, state[name]) for name in state if name.endswith(".sca.1.bias")},
        **{
            name: 1e-3 * weight(name, state[name])
            for name in state
            if name.endswith(".to_out.0.bias")
        },
    }


def networks(clone: Path) -> None:
    """One fixture for each network."""
    sys.path.insert(0, str(clone / "codes/config/deraining/models"))
    import modules

    for name, (kind, arguments, size) in NETWORKS.items():
        network = getattr(modules, kind)(**arguments)
        t, cond = torch.tensor([3, 87]), normal(2, 3, *size, seed=3)
        record(
            f"irsde_{name}",
            {"which_model": kind, **arguments},
            network,
            lambda x, network=network, cond=cond, t=t: network(x, cond, t),
            images(2, 3, *size),
            visible(network),
            cond=cond,
            t=t,
        )


def tables(clone: Path) -> None:
    """θ, its running sum, the step and σ̄ of each schedule."""
    sys.path.insert(0, str(clone / "codes/utils"))
    sys.modules["torchvision"] = types.ModuleType("torchvision")  # imported there to save images
    sys.modules["torchvision.utils"] = types.ModuleType("torchvision.utils")
    import sde_utils

    config = {"max_sigma": 50, "T": 100, "eps": 0.005}
    arrays: dict[str, Any] = {}
    for schedule in ("cosine", "linear", "constant"):
        sde = sde_utils.IRSDE(**config, schedule=schedule)
        arrays |= {
            f"{schedule}/thetas": sde.thetas,
            f"{schedule}/thetas_cumsum": sde.thetas_cumsum,
            f"{schedule}/dt": sde.dt,
            f"{schedule}/sigmas": sde.sigmas,
            f"{schedule}/sigma_bars": sde.sigma_bars,
        }
    write("irsde_tables", config, **arrays)


if __name__ == "__main__":
    networks(Path(sys.argv[1]))
    tables(Path(sys.argv[1]))
