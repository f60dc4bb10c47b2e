"""What a prior of latents needs to restore images: an autoencoder as a pair of maps."""

from jaxir.codecs.codec import Codec, Pixels, taken_apart
from jaxir.codecs.haar import HaarCodec
from jaxir.codecs.hidden_skip import HiddenSkip
from jaxir.codecs.linear import LinearCodec

__all__ = ["Codec", "HaarCodec", "HiddenSkip", "LinearCodec", "Pixels", "taken_apart"]
