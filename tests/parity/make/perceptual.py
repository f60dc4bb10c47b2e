"""LPIPS of richzhang/PerceptualSimilarity and Inception of mseitzer/pytorch-fid, both on torchvision's networks.

Made with PerceptualSimilarity at 082bb24f84c091ea94de2867d34c4544f68e0963, pytorch-fid at
b9c18118d082cbd263c1b8963fc4221dc1cbb659, torchvision 0.29.2, torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/perceptual.py PERCEPTUAL_SIMILARITY PYTORCH_FID/src

All weights are drawn, buffers too; heads are made positive, variances lie about 1, and convolutions make up for what
ReLUs take away, so that the last layer still sees the image.
"""

import sys
import types
from collections.abc import Mapping

import numpy as np
import torch
from drawn import drawn
from fixture import measure, normal, write
from torch import Tensor, nn

# Compiled operators of torchvision ask for a torch of their own; its networks need none.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("_meta_registrations")

SIZES = {"alex": (39, 33), "squeeze": (30, 27), "vgg": (23, 18)}


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """What a tensor is filled with."""
    value = drawn(name, shape)
    if name.startswith("lin"):
        return np.abs(value)
    if name.endswith("running_var"):
        return 1 + value
    return np.float32(2**0.5) * value if len(shape) == 4 else value


def fill(module: nn.Module, ignored: tuple[str, ...]) -> dict[str, list[int]]:
    """Gives each tensor its value; their shapes by name."""
    state: Mapping[str, Tensor] = module.state_dict()
    named = {name: value for name, value in state.items() if not name.startswith(ignored)}
    for name, value in named.items():
        value.copy_(torch.as_tensor(weight(name, tuple(value.shape))))
    module.eval()
    module.requires_grad_(False)
    return {name: list(value.shape) for name, value in named.items()}


def in_8_bits(image: Tensor) -> Tensor:
    """In [-1, 1], in steps of a file."""
    return torch.round(127.5 * image.clip(-1, 1) + 127.5) / 127.5 - 1


def picture(*shape: int, seed: int = 0) -> Tensor:
    """Noise as in a file."""
    return in_8_bits(0.4 * normal(*shape, seed=seed))


def similarity(net: str) -> None:
    """What each layer adds for two pairs, of which the second is nearly equal."""
    import lpips

    network = lpips.LPIPS(pretrained=False, pnet_rand=True, net=net, verbose=False)
    shapes = fill(network, ("lins.", "scaling_layer."))
    truth = picture(2, 3, *SIZES[net], seed=3)
    noise = torch.tensor([0.5, 0.05])[:, None, None, None] * normal(*truth.shape)
    restored = in_8_bits(truth + noise)

    def layers(x: Tensor) -> Tensor:
        _, parts = network(x, truth, retPerLayer=True)
        return torch.stack([part.flatten() for part in parts], dim=1)

    write(f"lpips_{net}", {"names": shapes}, truth=truth, **measure(layers, restored))


def features() -> None:
    """Inception on small images that are not resized, and the resizer on one that is."""
    from pytorch_fid import inception

    network = inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    network.load_state_dict = lambda *_: None  # nothing is downloaded
    inception.load_state_dict_from_url = lambda *_, **__: {}
    inception._inception_v3 = lambda **_: network
    blocks = inception.InceptionV3(resize_input=False, normalize_input=False)
    shapes = fill(network, ("fc.",))
    image = picture(1, 3, 107, 75)
    write("inception", {"names": shapes}, **measure(lambda x: blocks(x)[0].flatten(1), image))
    small = picture(1, 3, 9, 330)
    resized = nn.functional.interpolate(
        small, size=(299, 299), mode="bilinear", align_corners=False
    )
    write("inception_resizer", {}, x=small, out=resized[..., ::23, ::29])


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    torch.manual_seed(0)
    for net in SIZES:
        similarity(net)
    features()
