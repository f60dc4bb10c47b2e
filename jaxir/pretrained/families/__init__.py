"""Published weights of other libraries: for each family its configurations, its table of names and its process."""

from jaxir.pretrained.families.adm import ADM
from jaxir.pretrained.families.controlnet import ControlNet
from jaxir.pretrained.families.drunet import DRUNet
from jaxir.pretrained.families.edm import KarrasEDM
from jaxir.pretrained.families.family import Config, Converted, Family, Tensors
from jaxir.pretrained.families.irsde import IRSDE
from jaxir.pretrained.families.score_sde import ScoreSDE
from jaxir.pretrained.families.unet2d import UNet2D
from jaxir.pretrained.families.unet2d_condition import UNet2DCondition

__all__ = [
    "ADM",
    "FAMILIES",
    "IRSDE",
    "Config",
    "ControlNet",
    "Converted",
    "DRUNet",
    "Family",
    "KarrasEDM",
    "ScoreSDE",
    "Tensors",
    "UNet2D",
    "UNet2DCondition",
]

FAMILIES: dict[str, Family] = {
    "adm": ADM(),
    "controlnet": ControlNet(),
    "drunet": DRUNet(),
    "edm": KarrasEDM(),
    "irsde": IRSDE(),
    "score_sde": ScoreSDE(),
    "unet2d": UNet2D(),
    "unet2d_condition": UNet2DCondition(),
}
