"""Published autoencoders as codecs, whose images have one size; that is given when they are loaded."""

from __future__ import annotations

from pathlib import Path

from jaxir.codecs import NetworkCodec
from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.convert import part_of
from jaxir.pretrained.families.autoencoders import convert_autoencoder
from jaxir.pretrained.lookup import find
from jaxir.pretrained.torch_file import read_tensors

_PARTS = ("vae", "vqvae", "vqgan")


def load_codec(name_or_path: str | Path, shape: tuple[int, int, int]) -> NetworkCodec:
    """The codec of an autoencoder as diffusers stores it, for images of one shape.

    Args:
        name_or_path: a folder with `config.json` and weights, or that of a pipeline with an autoencoder; or
            `owner/name` on the hub, for which `jaxir models pull owner/name` was run.
        shape: of the images.

    Raises:
        WeightsError: if there is no such folder or name, a file in it is missing or damaged, or it is no autoencoder
            that is known here.
    """
    file, config = part_of(find(name_or_path), _PARTS)
    try:
        return convert_autoencoder(config, read_tensors(file)).codec(shape)
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{file} is not converted: {error}") from error
