"""What has weights. Networks know no diffusion: they map an image and a number to an image."""

from jaxir.networks.unet import UNet

__all__ = ["UNet"]
