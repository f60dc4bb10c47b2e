"""Networks and preconditionings of NVlabs/edm.

Made with edm at 008a4e5316c8e3bfe61a62f874bddba254295afb, torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/edm.py CLONE

`config` holds the class of the network as `model_type`, as the original's checkpoints do, and its arguments. `out` and
`grad` are of the bare network at noise labels `t`; `EDMPrecond`, `VPPrecond` and `VEPrecond` are the denoisers
D(x; sigma) that those classes make of it. Augmentation labels are for training alone and are not given.
"""

import sys
from typing import Any

import torch
from fixture import fill, images, record

SONG = {"model_type": "SongUNet", "model_channels": 16, "num_blocks": 1, "channel_mult": [1, 2]}
NCSN = {
    "embedding_type": "fourier",
    "channel_mult_noise": 2,
    "resample_filter": [1, 3, 3, 1],
}

CASES: dict[str, dict[str, Any]] = {
    "ddpmpp": {**SONG, "attn_resolutions": [8], "num_blocks": 2, "label_dim": 10},
    "ncsnpp": {**SONG, **NCSN, "encoder_type": "residual", "attn_resolutions": [16]},
    "skip": {
        **SONG,
        **NCSN,
        "encoder_type": "skip",
        "decoder_type": "skip",
        "channel_mult": [1, 2, 2],
        "attn_resolutions": [4],
        "augment_dim": 9,
    },
    "adm": {
        "model_type": "DhariwalUNet",
        "model_channels": 32,
        "num_blocks": 1,
        "channel_mult": [1, 2, 4],
        "attn_resolutions": [8, 4],
        "label_dim": 10,
        "augment_dim": 9,
    },
}


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from training import networks

    torch.manual_seed(0)
    for name, arguments in CASES.items():
        config = {"img_resolution": 16, "in_channels": 3, "out_channels": 3, **arguments}
        network = getattr(networks, config["model_type"])(
            **{key: value for key, value in config.items() if key != "model_type"}
        )
        fill(network)
        classes = config.get("label_dim", 0)
        label = torch.eye(classes)[[3, 8]] if classes else None
        t, sigma = torch.tensor([0.35, -0.7]), torch.tensor([1.7, 0.08])
        x = images(2, 3, 16, 16)
        inputs = {"t": t, "sigma": sigma}
        if classes:
            inputs["label"] = label
        for kind in ("EDMPrecond", "VPPrecond", "VEPrecond"):
            denoiser = getattr(networks, kind)(16, 3, label_dim=classes, **SONG)
            denoiser.model = network
            with torch.no_grad():
                inputs[kind] = denoiser(x, sigma, class_labels=label)
        record(
            f"edm_{name}",
            config,
            network,
            lambda x, network=network, t=t, label=label: network(x, t, label),
            x,
            **inputs,
        )
