"""What has weights. Networks know no diffusion: they map an image and a number to an image."""

from jaxir.networks.autoencoder import Autoencoder
from jaxir.networks.blocks import Filtered, Nearest, Norm, Resampling
from jaxir.networks.compact import Compact, CompactRestorer, Modulation
from jaxir.networks.conditional_unet import ConditionalUNet
from jaxir.networks.conditioning import (
    Concatenation,
    Conditioning,
    CrossAttention,
    Difference,
    FiLM,
    Labels,
    Tokens,
)
from jaxir.networks.controlled import Controlled
from jaxir.networks.controlled_diffusion import ControlledDiffusion
from jaxir.networks.diffusion_unet import DiffusionUNet, Passage
from jaxir.networks.dit import DiT
from jaxir.networks.drunet import DRUNet
from jaxir.networks.embedding import GaussianWaves, Sinusoids, Waves
from jaxir.networks.exposed import Exposed
from jaxir.networks.guide import Beside, Guide, Guided
from jaxir.networks.haar import Haar
from jaxir.networks.hint import Hint
from jaxir.networks.image_encoder import ImageEncoder
from jaxir.networks.implicit import Implicit, interpolate
from jaxir.networks.inception import Inception
from jaxir.networks.latent_network import Code, LatentNetwork
from jaxir.networks.layers import ChannelNorm
from jaxir.networks.modulated import Modulated
from jaxir.networks.multiscale import Multiscale
from jaxir.networks.nafnet import NAFNet
from jaxir.networks.network import LinenNetwork, Network
from jaxir.networks.padding import Filled, Mirrored, Padding, Repeated
from jaxir.networks.prompts import Prompts
from jaxir.networks.pruning import prune
from jaxir.networks.pyramid import InputResidual, InputSkip, Pyramid
from jaxir.networks.pyramid_autoencoder import KLAutoencoder, VQAutoencoder
from jaxir.networks.quantised import BFloat16, Int8, Quantised, Storage
from jaxir.networks.refinement import Refinement
from jaxir.networks.retinex import Retinex, decomposed, recomposed
from jaxir.networks.tiny_autoencoder import TinyAutoencoder
from jaxir.networks.trunks import VGG16, AlexNet, SqueezeNet, Trunk
from jaxir.networks.unet import Descent, UNet
from jaxir.networks.wrapping import Wrapping

__all__ = [
    "VGG16",
    "AlexNet",
    "Autoencoder",
    "BFloat16",
    "Beside",
    "ChannelNorm",
    "Code",
    "Compact",
    "CompactRestorer",
    "Concatenation",
    "ConditionalUNet",
    "Conditioning",
    "Controlled",
    "ControlledDiffusion",
    "CrossAttention",
    "DRUNet",
    "Descent",
    "DiT",
    "Difference",
    "DiffusionUNet",
    "Exposed",
    "FiLM",
    "Filled",
    "Filtered",
    "GaussianWaves",
    "Guide",
    "Guided",
    "Haar",
    "Hint",
    "ImageEncoder",
    "Implicit",
    "Inception",
    "InputResidual",
    "InputSkip",
    "Int8",
    "KLAutoencoder",
    "Labels",
    "LatentNetwork",
    "LinenNetwork",
    "Mirrored",
    "Modulated",
    "Modulation",
    "Multiscale",
    "NAFNet",
    "Nearest",
    "Network",
    "Norm",
    "Padding",
    "Passage",
    "Prompts",
    "Pyramid",
    "Quantised",
    "Refinement",
    "Repeated",
    "Resampling",
    "Retinex",
    "Sinusoids",
    "SqueezeNet",
    "Storage",
    "TinyAutoencoder",
    "Tokens",
    "Trunk",
    "UNet",
    "VQAutoencoder",
    "Waves",
    "Wrapping",
    "decomposed",
    "interpolate",
    "prune",
    "recomposed",
]
