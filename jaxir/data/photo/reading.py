"""Photographs' files behind one face: how many pages, how large, what is kept beside the pixels, the pixels as stored.

Two kinds do for all formats. TIFF is a list of pages of any depth; the others are what Pillow opens (HEIC too,
where pillow-heif is installed), with 8 bits a channel but for PNG. Nothing is converted here: samples keep their
depth, alpha its integers, EXIF, ICC and XMP their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from jaxtyping import Shaped

from jaxir.data.files import ImageFileError, decoding, expect_trusted
from jaxir.data.photo import png, tiff
from jaxir.data.photo.jpeg import quality, segments
from jaxir.data.photo.orientation import TAG

if TYPE_CHECKING:
    from PIL import Image as Pillow

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "WEBP")
"""What Pillow may try: it would hand other files to programs of other makers."""

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

INSTALL = "pip install 'jaxir[photo]'"


class Beside(NamedTuple):
    """What a file keeps beside the pixels, each byte as it stands there; None where there is nothing."""

    exif: bytes | None = None
    """from its byte order mark on"""
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    quality: int = 95
    """at which a JPEG file loses no more than this one did"""
    rest: tuple[tuple[bytes, bytes], ...] = ()
    """what only this format knows: chunks of PNG, segments of JPEG, tags of TIFF"""


class Samples(NamedTuple):
    """Pixels as stored: uint8, uint16 or floats."""

    colours: Shaped[np.ndarray, "h w c"]
    """1 channel is grey, 3 are RGB, 4 are inks (CMYK; 0 is none)"""
    alpha: Shaped[np.ndarray, "h w"] | None = None
    multiplied: bool = False
    """whether the colours are multiplied by alpha"""
    unknown: bool = False
    """whether there was a further channel of no known meaning"""


class PhotoFile(Protocol):
    """An open file of one page or more."""

    format: str
    pages: int

    def size(self, page: int) -> tuple[int, int]:
        """Height and width as stored."""

    def beside(self, page: int) -> Beside:
        """What is kept beside the pixels."""

    def samples(self, page: int) -> Samples:
        """The pixels as stored."""


@contextmanager
def open_photo(path: Path) -> Iterator[PhotoFile]:
    """The file, known by its content whatever its name; what is wrong with it is an `ImageFileError`."""
    from PIL import Image

    with decoding(path):
        with path.open("rb") as stream:
            head = stream.read(64)
        brands = {head[i : i + 4] for i in range(8, 64, 4)} if head[4:8] == b"ftyp" else set()
        if head[:4] in tiff.MAGIC:
            yield TiffFile(path)
        elif brands & HEIF_BRANDS and not brands & {b"avif", b"avis"}:
            with _heif(path) as file:
                yield PillowFile(path, file)
        else:
            with Image.open(path, formats=FORMATS) as file:
                yield PillowFile(path, file)


class TiffFile:
    """A TIFF file: its pages are judged by their tags."""

    format = "TIFF"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pages = tiff.read_pages(path)
        if not self._pages:
            raise ImageFileError(f"{path} has no page: get the file again")
        self.pages = len(self._pages)

    def size(self, page: int) -> tuple[int, int]:
        """Height and width as stored."""
        chosen = self._pages[page]
        expect_trusted((chosen.height, chosen.width), self._path)
        return chosen.height, chosen.width

    def beside(self, page: int) -> Beside:
        """What the page's tags say; EXIF data are put together from those that belong into them."""
        chosen = self._pages[page]
        every = chosen.block(tiff.KEPT)
        return Beside(
            exif=chosen.block(tiff.ABOUT),
            icc=chosen.content(tiff.ICC),
            xmp=chosen.content(tiff.XMP),
            rest=() if every is None else ((b"tags", every),),
        )

    def samples(self, page: int) -> Samples:
        """The page's pixels: by Pillow up to 8 bits, by tifffile beyond."""
        chosen = self._pages[page]
        expect_trusted((1, chosen.room), self._path)
        self._expect_known(chosen)
        if chosen.cut:
            raise ValueError("it ends before its pixels do")
        if max(chosen.bits) <= 8:
            from PIL import Image

            # Pillow would map a file that it opened by its name into memory as if it were upright, then turn it
            with self._path.open("rb") as stream, Image.open(stream, formats=("TIFF",)) as file:
                file.seek(chosen.number)
                file.getexif()[TAG] = 1
                return _of_pillow(file.copy(), self._path)._replace(unknown=0 in chosen.extra)
        try:
            stored = tiff.read_samples(self._path, chosen)
        except (ImportError, ValueError) as error:
            if isinstance(error, ImportError) or "imagecodecs" in str(error):  # a compression's
                raise _missing(self._path, f"{chosen.bits[0]} bits a channel") from error
            raise
        stored = stored.astype(np.uint16 if chosen.kind == 1 else np.float32)
        count = stored.shape[2] - len(chosen.extra)
        colours = stored[..., :count]
        if chosen.colours == 0:  # white is 0
            colours = (65535 if chosen.kind == 1 else np.float32(1)) - colours
        known = chosen.extra[:1] in ((1,), (2,))
        return Samples(
            colours,
            stored[..., count] if known else None,
            multiplied=chosen.extra == (1,),
            unknown=0 in chosen.extra,
        )

    def _expect_known(self, page: tiff.Page) -> None:
        kinds = {2: "signed integers", 3: "floats", 5: "complex integers", 6: "complex numbers"}
        bits, kind = page.bits[0], kinds.get(page.kind, "unsigned integers")
        if len(page.bits) > 4:
            raise ImageFileError(
                f"{self._path} has {len(page.bits)} channels: give grey, RGB or CMYK, with alpha or not"
            )
        allowed = {"unsigned integers": (1, 2, 4, 8, 16), "floats": (16, 32, 64)}.get(kind, ())
        if bits not in allowed or len(set(page.bits)) > 1:
            raise ImageFileError(
                f"{self._path} holds {kind} of {bits} bits: convert it to 8 or 16 bits, or to floats in [0, 1]"
            )
        if page.colours not in (0, 1, 2, 3, 5, 6) or (bits > 8 and page.colours in (3, 6)):
            raise ImageFileError(
                f"{self._path} holds colours of TIFF's kind {page.colours}"
                f"{' (CIELAB)' if page.colours == 8 else ''}: convert it to grey or RGB"
            )


class PillowFile:
    """A file that Pillow has opened."""

    def __init__(self, path: Path, file: Pillow.Image) -> None:
        self._path, self._file = path, file
        # the further pictures in a phone's JPEG file are previews, depths and maps of gain, no pages
        self.format = "JPEG" if file.format == "MPO" else str(file.format)
        self.pages = 1 if self.format == "JPEG" else getattr(file, "n_frames", 1)
        self._chunks: tuple[tuple[bytes, bytes], ...] = ()
        if self.format == "PNG":
            with path.open("rb") as stream:
                self._chunks = tuple(png.chunks(stream))

    def size(self, page: int) -> tuple[int, int]:
        """Height and width as stored."""
        width, height = self._file.size
        return height, width

    def beside(self, page: int) -> Beside:
        """What the file keeps; PNG's and JPEG's own things as they stand."""
        info = self._file.info
        exif, xmp = info.get("exif"), info.get("xmp")
        rest: tuple[tuple[bytes, bytes], ...] = ()
        if self.format == "PNG":
            texts = [png.xmp_of(content) for name, content in self._chunks if name == b"iTXt"]
            xmp = next((text for text in texts if text is not None), None)
            exif = dict(self._chunks).get(b"eXIf")
            rest = png.kept(self._chunks)
        return Beside(
            exif=exif.removeprefix(b"Exif\0\0") if exif else None,
            icc=info.get("icc_profile") or None,
            xmp=xmp or None,
            dpi=info.get("dpi"),
            quality=quality(self._file) if self.format == "JPEG" else 95,
            rest=segments(self._file) if self.format == "JPEG" else rest,
        )

    def samples(self, page: int) -> Samples:
        """The pixels; of 16 bits in PNG by imagecodecs, unless they are plain grey."""
        if page:
            self._file.seek(page)
        if (bits := self._bits()) > 8:
            if self.format != "PNG":
                raise ImageFileError(
                    f"{self._path} holds {bits} bits a channel in {self.format}, which would be cut to 8: "
                    "convert it to PNG or TIFF of 16 bits"
                )
            if self._file.mode != "I;16" or "transparency" in self._file.info:
                return self._png16()
        return _of_pillow(self._file, self._path)

    def _bits(self) -> int:
        if self.format == "PNG":
            return dict(self._chunks)[b"IHDR"][8]
        if self.format == "HEIF":
            return self._file.info.get("bit_depth", 8)
        if self.format == "AVIF":
            with self._path.open("rb") as stream:
                _, found, settings = stream.read(1 << 16).partition(b"av1C")
            if found and settings[2] & 0x40:  # high_bitdepth, then twelve_bit
                return 12 if settings[2] & 0x20 else 10
        return 8

    def _png16(self) -> Samples:
        try:
            from imagecodecs import png_decode
        except ImportError as error:
            raise _missing(self._path, "16 bits a channel") from error
        if self.pages > 1:
            raise ImageFileError(f"{self._path} is animated with 16 bits a channel: give its pages")
        stored = png_decode(self._path.read_bytes())
        stored = stored.reshape(*stored.shape[:2], -1)
        count = stored.shape[2]
        return (
            Samples(stored)
            if count % 2
            else Samples(stored[..., : count - 1], np.ascontiguousarray(stored[..., -1]))
        )


def _of_pillow(file: Pillow.Image, path: Path) -> Samples:
    """What Pillow decodes, of 8 bits or 16 in grey."""
    file.load()
    if file.mode in ("P", "PA") or "transparency" in file.info:
        grey = file.mode in ("1", "L")
        clear = file.has_transparency_data
        file = file.convert(("LA" if clear else "L") if grey else "RGBA" if clear else "RGB")
    elif file.mode in ("1", "YCbCr"):
        file = file.convert("L" if file.mode == "1" else "RGB")
    if file.mode.startswith("I;16"):
        return Samples(np.asarray(file).astype(np.uint16)[..., None])
    stored = np.asarray(file)
    if file.mode in ("L", "RGB", "CMYK"):
        return Samples(stored.reshape(*stored.shape[:2], -1))
    if file.mode == "RGBX":
        return Samples(stored[..., :3], unknown=True)
    if file.mode in ("LA", "La", "RGBA", "RGBa"):
        alpha = np.ascontiguousarray(stored[..., -1])
        return Samples(stored[..., :-1], alpha, multiplied=file.mode.endswith("a"))
    raise ImageFileError(
        f"{path} has pixels of Pillow's mode {file.mode}: convert it to grey, RGB or CMYK"
    )


def _heif(path: Path) -> Pillow.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise _missing(path, "HEIC") from error
    return HeifImageFile(path)


def _missing(path: Path, what: str) -> ImageFileError:
    return ImageFileError(f"{path} holds {what}, which needs more packages: run {INSTALL}")
