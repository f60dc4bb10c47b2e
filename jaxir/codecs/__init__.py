"""What a prior of latents needs to restore images: an autoencoder as a pair of maps."""

from jaxir.codecs.codec import Codec, Pixels, taken_apart
from jaxir.codecs.colour_fix import low_pass, matched_low_pass, matched_statistics
from jaxir.codecs.compact import CompactCodec
from jaxir.codecs.haar import HaarCodec
from jaxir.codecs.hidden_skip import HiddenSkip
from jaxir.codecs.linear import LinearCodec
from jaxir.codecs.network import NetworkCodec, unit_scale
from jaxir.codecs.tiled import TiledCodec
from jaxir.codecs.transport import Transport, gaussian_transport, transport
from jaxir.codecs.wrapped import Wrapped

__all__ = [
    "Codec",
    "CompactCodec",
    "HaarCodec",
    "HiddenSkip",
    "LinearCodec",
    "NetworkCodec",
    "Pixels",
    "TiledCodec",
    "Transport",
    "Wrapped",
    "gaussian_transport",
    "low_pass",
    "matched_low_pass",
    "matched_statistics",
    "taken_apart",
    "transport",
    "unit_scale",
]
