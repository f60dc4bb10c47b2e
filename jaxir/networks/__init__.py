"""What has weights. Networks know no diffusion: they map an image and a number to an image."""

from jaxir.networks.conditioning import Concatenation, Conditioning, CrossAttention, FiLM
from jaxir.networks.dit import DiT
from jaxir.networks.nafnet import NAFNet
from jaxir.networks.network import LinenNetwork, Network
from jaxir.networks.unet import UNet

__all__ = [
    "Concatenation",
    "Conditioning",
    "CrossAttention",
    "DiT",
    "FiLM",
    "LinenNetwork",
    "NAFNet",
    "Network",
    "UNet",
]
