"""What has weights. Networks know no diffusion: they map an image and a number to an image."""

from jaxir.networks.autoencoder import Autoencoder
from jaxir.networks.conditioning import Concatenation, Conditioning, CrossAttention, FiLM
from jaxir.networks.dit import DiT
from jaxir.networks.exposed import Exposed
from jaxir.networks.haar import Haar
from jaxir.networks.nafnet import NAFNet
from jaxir.networks.network import LinenNetwork, Network
from jaxir.networks.refinement import Refinement
from jaxir.networks.unet import UNet

__all__ = [
    "Autoencoder",
    "Concatenation",
    "Conditioning",
    "CrossAttention",
    "DiT",
    "Exposed",
    "FiLM",
    "Haar",
    "LinenNetwork",
    "NAFNet",
    "Network",
    "Refinement",
    "UNet",
]
