"""Images in and out."""

from jaxir.data.image_file import ImageFileError, image_files, read_image, write_image
from jaxir.data.pipeline import crop_batch, prefetch
from jaxir.data.sources import ImageFolder, Source
from jaxir.data.synthetic import Synthetic

__all__ = [
    "ImageFileError",
    "ImageFolder",
    "Source",
    "Synthetic",
    "crop_batch",
    "image_files",
    "prefetch",
    "read_image",
    "write_image",
]
