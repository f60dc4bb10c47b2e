"""Images in and out."""

from jaxir.data.arrays import Arrays
from jaxir.data.files import ImageFileError
from jaxir.data.image_file import image_files, image_size, read_image, write_image
from jaxir.data.image_folder import ImageFolder, UnreadableImageWarning
from jaxir.data.pair_folder import PairFolder
from jaxir.data.photo import Photo, pages, photo_size, read_photo, write_photo
from jaxir.data.pipeline import crop_batch, middle, prefetch
from jaxir.data.sources import Pairs, Source, Subset, check_crop, holdout
from jaxir.data.synthetic import Synthetic
from jaxir.data.tfds import Tfds

__all__ = [
    "Arrays",
    "ImageFileError",
    "ImageFolder",
    "PairFolder",
    "Pairs",
    "Photo",
    "Source",
    "Subset",
    "Synthetic",
    "Tfds",
    "UnreadableImageWarning",
    "check_crop",
    "crop_batch",
    "holdout",
    "image_files",
    "image_size",
    "middle",
    "pages",
    "photo_size",
    "prefetch",
    "read_image",
    "read_photo",
    "write_image",
    "write_photo",
]
