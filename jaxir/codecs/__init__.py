"""What a prior of latents needs to restore images: an autoencoder as a pair of maps."""

from jaxir.codecs.codec import Codec, Pixels, taken_apart
from jaxir.codecs.linear import LinearCodec

__all__ = ["Codec", "LinearCodec", "Pixels", "taken_apart"]
