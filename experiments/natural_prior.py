"""The shipped prior: a noise-conditional denoiser of natural colour photographs.

Command: jaxir train experiments/natural_prior.py --workdir runs/natural-prior
Data: 384 photographs of BSDS500 and the 91 of Yang et al., from the folder that JAXIR_DATA names; the twelve
    photographs that are the clean images of a rain test set are left out by their hash.
Measured figures: jaxir/pretrained/weights/natural-prior/README.md, made by benchmarks/denoising.py.
"""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optax
from PIL import Image, ImageEnhance

from jaxir.data import ImageFolder, Source
from jaxir.networks import UNet
from jaxir.processes import VP, log_normal_law
from jaxir.training import Experiment, warmup_stable_decay

DATA = Path(os.environ.get("JAXIR_DATA", Path(__file__).parents[2] / "shared" / "data"))

LEFT_OUT = frozenset(
    {
        "076c53879666e97155d5ecb7538aaaf196c944f798ac91cb92e563b97dda1b5a",
        "11c553e62de3511c9ab066cc80fb9ffce4bb67bac1b935f6e5eb7ae9509f865b",
        "1c7fe8b57627008635032a0c0890d797fca3d5aa20826a0690766ac235c5c871",
        "40595bda6fb918d106541af67cc8e0426a04c6e5863c407ef2a73374c12e76a9",
        "5b46e76177965acc8b5d604f7e5845051c68220929a0ce5793bf3abcbc16baf2",
        "7bba718bed4919723a576cad0623c0a10e92b8c707d35196180257a3e867cfcd",
        "851ec0d133e3b8a16767bc0106f14bfcdfecc51faf8a2a109741a952218f8848",
        "962addabe93b2b86ac75ecd75613b81b777b2c4ea69c1dff58a9bbc1a851509e",
        "ae107eef61c8090c695062025ed354986a15c13a2f9798a0252fb365831b1a1f",
        "afef725853d55d53d7aa6a767ecc64b6ed681ecc87a57e69aeed09a115406ed7",
        "c883772cbce3ecbd583bc1c44bef7f29d45ac45834f514b31e440f60407ae768",
        "fc1fef369b737153abc1939d5caadd2bcb1c43c993b0585d76baddf904097d54",
    }
)
"""SHA-256 of the photographs that are not trained on."""


class Views:
    """Each photograph as it is and at half its size, and both of them again in livelier colours.

    The photographs are JPEG files of muted colour. Half the size is free of the marks of compression, and the colours
    of other cameras are livelier.

    Args:
        photographs: uint8 images.
        crop: a photograph whose half is smaller than this stays as it is.
        colours: factors on the distance of a colour from its grey; 1 leaves it as it is.
    """

    def __init__(self, photographs: Source, *, crop: int, colours: Sequence[float]) -> None:
        self.views: list[np.ndarray] = []
        for photograph in (Image.fromarray(photographs[i]) for i in range(len(photographs))):
            width, height = photograph.size
            half = photograph.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
            for view in (photograph, half if min(half.size) >= crop else photograph):
                self.views += [np.asarray(ImageEnhance.Color(view).enhance(c)) for c in colours]

    def __len__(self) -> int:
        """Number of views."""
        return len(self.views)

    def __getitem__(self, index: int) -> np.ndarray:
        """One view, uint8."""
        return self.views[index]


def photographs() -> ImageFolder:
    """The training photographs."""
    folders = [DATA / "natural" / "bsds500" / "train", DATA / "natural" / "t91"]
    return ImageFolder(folders, leave_out=LEFT_OUT)


def source() -> Views:
    """The training images."""
    return Views(photographs(), crop=64, colours=(1.0, 1.5, 2.2))


def validation() -> ImageFolder:
    """Photographs for the pictures during training, none of them trained on."""
    return ImageFolder([DATA / "natural" / "bsds500" / "val"])


def optimizer(steps: int) -> optax.GradientTransformation:
    """Adam with a plateau, which allows a resumed run to be longer than the first."""
    rate = warmup_stable_decay(7e-4, steps)
    return optax.chain(optax.clip_by_global_norm(0.5), optax.adam(rate))


def experiment() -> Experiment:
    """A U-Net of 4.3 million weights with EDM's preconditioning on the VP process."""
    return Experiment(
        name="natural-prior",
        source=source,
        network=UNet(widths=(48, 96, 192), blocks=(2, 2, 2)),
        process=VP(),
        optimizer=optimizer,
        times=functools.partial(log_normal_law, mean=-1.4, std=1.4),
        steps=7_500,
        batch=16,
        crop=64,
        ema=0.999,
        validation=validation,
    )
