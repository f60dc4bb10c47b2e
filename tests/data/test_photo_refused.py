"""What is wrong with a photograph is said in one line, before anything is made for it."""

import struct
import sys
import threading
import time
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from photographs import PARA, SRGB, png_bytes, png_chunk, profile, tiff_bytes
from PIL import Image, features

from jaxir.data import ImageFileError, pages, photo_size, read_photo, write_photo
from jaxir.data.files import is_part, whole_file
from jaxir.data.photo import expect_writable, photo_bytes, reading, rendering

RGB = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def refused(path, match):
    """The line of an error, the same whichever way the file is looked at."""
    with pytest.raises(ImageFileError, match=match) as error:
        read_photo(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def tiff(tmp_path, page, **options):
    (tmp_path / "a.tif").write_bytes(tiff_bytes(page, **options))
    return tmp_path / "a.tif"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"not a picture", "is not an image"),
        (b"II*\0\x08\0\0\0", "cannot be decoded"),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_no_photograph(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, reason)
    for look in (photo_size, pages):
        with pytest.raises(ImageFileError, match=reason):
            look(tmp_path / name)


def test_nothing_and_a_folder(tmp_path):
    refused(tmp_path / "a.png", "does not exist")
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".heic", ".bmp"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_cut_short(tmp_path, suffix, part):
    path = tmp_path / f"a{suffix}"
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").from_pillow(Image.fromarray(RGB)).save(path)
    elif suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    else:
        Image.fromarray(RGB).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    refused(path, "cannot be decoded|is not an image")


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_16_bits_cut_short(tmp_path, part):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    pixels = RGB.astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(png_bytes(pixels))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", pixels, photometric="rgb", compression="zlib")
    for path in list(tmp_path.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(part * len(whole))])
        refused(path, "cannot be decoded")


def webp_header(kind, width, height):
    if kind == "VP8X":
        body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == "VP8L":
        body = b"\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little") + bytes(20)
    else:
        body = bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(20)
    chunk = kind.encode().ljust(4) + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def bombs():
    """A few bytes that declare more pixels than are trusted."""
    one = np.zeros((1, 1, 3), np.uint8)
    yield "png", png_bytes(one, size=(70000, 60000)), (70000, 60000)
    yield "16.png", png_bytes(one.astype(np.uint16), size=(70000, 60000)), (70000, 60000)
    frame = (
        b"\xff\xc0\0\x11\x08"
        + struct.pack(">HH", 60000, 65000)
        + b"\x03\x01\x11\0\x02\x11\0\x03\x11\0"
    )
    exif = b"\xff\xe1\xff\xff" + bytes(65533)  # the size stands behind a long segment
    yield "jpg", b"\xff\xd8" + exif + b"\xff" + frame, (65000, 60000)
    for kind in ("VP8X", "VP8L", "VP8 "):
        yield kind.strip() + ".webp", webp_header(kind, 16383, 16383), (16383, 16383)
    ispe = b"\0\0\0\x14ispe" + bytes(4) + struct.pack(">II", 40000, 50000)
    yield "avif", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(40) + ispe, (40000, 50000)
    yield "heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(40) + ispe, (40000, 50000)
    yield "gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(20), (65535, 65535)
    head = struct.pack("<IiiHHI", 40, 60000, -60000, 1, 24, 0)
    yield "bmp", b"BM" + bytes(12) + head + bytes(30), (60000, 60000)
    huge = {256: (4, [100000]), 257: (4, [90000])}
    yield "tif", tiff_bytes(huge), (100000, 90000)
    yield "16.tif", tiff_bytes({**huge, 258: (3, [16])}), (100000, 90000)
    tile = {258: (3, [16]), 322: (4, [65536]), 323: (4, [65536]), 324: (4, [8]), 325: (4, [16])}
    yield "tile.tif", tiff_bytes(tile), (65536 * 65536, 1)


@pytest.mark.parametrize(
    ("name", "content", "size"), list(bombs()), ids=[name for name, *_ in bombs()]
)
def test_a_bomb_is_refused_at_once_by_its_header(tmp_path, name, content, size):
    path = tmp_path / f"a.{name}"
    path.write_bytes(content)
    read_photo.__module__  # noqa: B018 -- imported before the clock starts
    with pytest.raises(ImageFileError):
        read_photo(path)
    tracemalloc.start()
    start = time.perf_counter()
    refused(path, f"says that it has {size[0]} × {size[1]} pixels, more pixels than Pillow trusts")
    assert time.perf_counter() - start < 0.5
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("name", ["iCCP", "iTXt", "zTXt"])
def test_a_bomb_in_a_chunk_of_png(tmp_path, name):
    content = zlib.compress(bytes(80 << 20))
    head = {"iCCP": b"p\0\0", "iTXt": b"XML:com.adobe.xmp\0\x01\0\0\0", "zTXt": b"Comment\0\0"}[
        name
    ]
    (tmp_path / "a.png").write_bytes(png_bytes(RGB, (name.encode(), head + content)))
    tracemalloc.start()
    refused(tmp_path / "a.png", "cannot be decoded")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (
            {258: (3, [32])},
            "holds unsigned integers of 32 bits: convert it to 8 or 16 bits, or to floats",
        ),
        ({258: (3, [12])}, "holds unsigned integers of 12 bits"),
        ({258: (3, [16]), 339: (3, [2])}, "holds signed integers of 16 bits"),
        ({258: (3, [32]), 339: (3, [2])}, "holds signed integers of 32 bits"),
        ({258: (3, [64]), 339: (3, [6])}, "holds complex numbers of 64 bits"),
        ({258: (3, [32]), 339: (3, [5])}, "holds complex integers of 32 bits"),
        ({258: (3, [24]), 339: (3, [3])}, "holds floats of 24 bits"),
        ({258: (3, [8, 16, 8]), 277: (3, [3]), 262: (3, [2])}, "holds unsigned integers of 8 bits"),
        (
            {258: (3, [8] * 5), 277: (3, [5]), 262: (3, [2])},
            "has 5 channels: give grey, RGB or CMYK",
        ),
        ({258: (3, [8]), 277: (3, [65535])}, "has 65535 channels"),
        ({258: (3, [8] * 3), 277: (3, [3]), 262: (3, [8])}, r"colours of TIFF's kind 8 \(CIELAB\)"),
        ({262: (3, [32803])}, "colours of TIFF's kind 32803"),
        ({256: (4, [5])}, "it ends before its pixels do"),
        ({257: (4, [999]), 259: (3, [8])}, "it ends before its pixels do"),
        ({257: (4, [0])}, "a page has no pixels"),
    ],
)
def test_samples_of_tiff_that_are_no_photograph(tmp_path, page, reason):
    refused(tiff(tmp_path, page), reason)


def test_pages_of_tiff_that_go_round_in_a_circle(tmp_path):
    content = bytearray(tiff_bytes({}))
    (first,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, first)
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    (tmp_path / "a.tif").write_bytes(content)
    refused(tmp_path / "a.tif", "its pages go round in a circle")


@pytest.mark.parametrize("tag", [{34675: (7, [1] * 9)}, {}])
def test_lists_of_tiff_that_claim_more_than_there_is(tmp_path, tag):
    content = bytearray(tiff_bytes(tag))
    (first,) = struct.unpack_from("<I", content, 4)
    if tag:  # the profile's length
        struct.pack_into("<I", content, first + 2 + 12 * 9 + 4, 2**32 - 1)
    else:  # the number of tags
        struct.pack_into("<H", content, first, 65535)
    (tmp_path / "a.tif").write_bytes(content)
    refused(tmp_path / "a.tif", "it ends in the middle of a list")


def test_many_tags_that_each_claim_the_whole_file(tmp_path):
    content = bytearray(tiff_bytes({60000 + i: (7, [0]) for i in range(50)}))
    (first,) = struct.unpack_from("<I", content, 4)
    for entry in range(first + 2 + 12 * 9, first + 2 + 12 * 59, 12):
        struct.pack_into("<II", content, entry + 4, len(content) - 8, 8)
    (tmp_path / "a.tif").write_bytes(content)
    refused(tmp_path / "a.tif", "it ends in the middle of a list")


def test_a_smaller_copy_beside_a_page_is_no_page(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_bytes({}, {254: (4, [1]), 256: (4, [2])}))
    assert pages(tmp_path / "a.tif") == 1
    assert read_photo(tmp_path / "a.tif").image.shape == (4, 4, 1)


def test_a_channel_of_no_known_meaning_is_left_out(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for dtype in (np.uint8, np.uint16):
        pixels = np.dstack([RGB, RGB[..., :1]]).astype(dtype)
        tifffile.imwrite(
            tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"]
        )
        with pytest.warns(
            UserWarning, match="has a channel whose meaning is not said: it is left out"
        ):
            photo = read_photo(tmp_path / "a.tif")
        assert photo.alpha is None
        top = np.iinfo(dtype).max
        np.testing.assert_array_equal(np.round((photo.image.astype(float) + 1) / 2 * top), RGB)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.nan, "has 2 values that are not finite: fill them first"),
        (np.inf, "has 2 values that are not finite"),
        (1.5, r"holds floats from 0 to 1.5: scale or tone-map them to \[0, 1\]"),
        (-0.25, "holds floats from -0.25 to 0"),
    ],
)
def test_floats_of_no_known_range(tmp_path, value, reason):
    tifffile = pytest.importorskip("tifffile")
    values = np.zeros((4, 4, 3), np.float32)
    values[1, 1, :2] = value
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    refused(tmp_path / "a.tif", reason)


def test_avif_of_10_bits_is_refused_rather_than_cut(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    content = imagecodecs.avif_encode(np.full((8, 8, 3), 500, np.uint16), bitspersample=10)
    (tmp_path / "a.avif").write_bytes(content)
    refused(
        tmp_path / "a.avif",
        "holds 10 bits a channel in AVIF, which would be cut to 8: convert it to PNG",
    )


@pytest.mark.parametrize(
    ("package", "name", "content", "what"),
    [
        ("imagecodecs", "a.png", png_bytes(RGB.astype(np.uint16)), "16 bits a channel"),
        ("tifffile", "a.tif", tiff_bytes({258: (3, [16]), 256: (4, [2])}), "16 bits a channel"),
        ("pillow_heif", "a.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(40), "HEIC"),
    ],
)
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, package, name, content, what):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    (tmp_path / name).write_bytes(content)
    refused(
        tmp_path / name,
        f"holds {what}, which needs more packages: run pip install 'jaxir\\[photo\\]'",
    )


def test_the_package_of_a_compression_is_named_too(tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    pixels = RGB.astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="lzw")

    def missing(*_, **__):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    refused(tmp_path / "a.tif", r"run pip install 'jaxir\[photo\]'")


def test_other_programs_are_not_called(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    refused(tmp_path / "a.png", "is not an image")


def test_what_must_not_be_written_leaves_nothing(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    for name, image, match in (
        ("a.png", photo.image, "exists"),
        ("b.xyz", photo.image, "no known format"),
        ("c/b.png", photo.image, "is not a folder"),
        ("b.png", np.full((2, 2, 3), np.nan), "12 values that are not finite"),
        ("b.png", RGB, "dtype uint8"),
        ("b.png", np.zeros((2, 2)), "shape"),
    ):
        with pytest.raises(ImageFileError, match=match):
            write_photo(tmp_path / name, image, photo)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_failure_while_writing_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        ImageFileError, match=r"a\.png cannot be written \(No space left on device\)"
    ):
        write_photo(tmp_path / "a.png", photo.image, photo, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_transparency_that_a_format_lacks_is_left_out_with_a_word(tmp_path):
    Image.fromarray(np.dstack([RGB, RGB[..., 0]])).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"b\.jpg cannot be transparent, as JPEG is not"):
        write_photo(tmp_path / "b.jpg", photo.image, photo)


def test_a_png_with_a_damaged_length_is_refused(tmp_path):
    whole = png_bytes(RGB)
    (tmp_path / "a.png").write_bytes(
        whole[:33] + struct.pack(">I", 2**31 - 1) + b"tEXt" + whole[33:]
    )
    refused(tmp_path / "a.png", "cannot be decoded|is not an image")
    (tmp_path / "b.png").write_bytes(whole[:16] + png_chunk(b"tEXt", b"")[:10])
    refused(tmp_path / "b.png", "cannot be decoded|is not an image")


@pytest.fixture
def rgb(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    return read_photo(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "depth", "match"),
    [
        ("b.heic", None, r"without pillow-heif: run pip install 'jaxir\[photo\]'"),
        ("b.avif", None, "without a Pillow with AVIF: run pip install -U pillow"),
        ("b.webp", 8, "without a Pillow with WEBP: run pip install -U pillow"),
        ("b.jpg", 16, "cannot have depth 16, as JPEG holds 8"),
        ("b.png", "float32", "cannot have depth float32, as PNG holds 8 or 16"),
        ("b.gif", None, "ends in '.gif', which is no known format"),
    ],
)
def test_what_cannot_be_written_here_is_said_before_and_after_the_work(
    tmp_path, monkeypatch, rgb, name, depth, match
):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    Image.init()
    for form in ("AVIF", "WEBP"):
        monkeypatch.delitem(Image.SAVE, form, raising=False)
    for attempt in (
        lambda: expect_writable(tmp_path / name, depth),
        lambda: write_photo(tmp_path / name, rgb.image, rgb, depth=depth),
    ):
        with pytest.raises(ImageFileError, match=match) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert expect_writable("b.png", 16) == "PNG"


def test_rendered_bytes_are_those_of_the_file_and_notes_name_it(tmp_path, rgb):
    write_photo(tmp_path / "b.jpg", rgb.image, rgb)
    assert photo_bytes(rgb.image, rgb, "b.jpg") == (tmp_path / "b.jpg").read_bytes()
    notes = []
    photo_bytes(rgb.image, rgb, "out/b.jpg", alpha=rgb.image[..., :1], note=notes.append)
    assert notes == [
        "out/b.jpg cannot be transparent, as JPEG is not: its transparency is left out"
    ]
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "é" * 125 + "a.png", "a.png", "a\nb.png"])
def test_a_file_on_its_way_has_a_name_that_a_folder_can_hold(tmp_path, name):
    with whole_file(tmp_path / name) as file:
        (part,) = (path.name for path in tmp_path.iterdir())
        file.write(b"whole")
    assert part.startswith(".")
    assert is_part(part)
    assert not is_part(name)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"whole")]


@pytest.mark.parametrize("first", ["read", "write"])
def test_threads_that_read_and_write_leave_other_warnings_alone(tmp_path, monkeypatch, first):
    """The first thread is within its work when the second begins, and done before the second ends."""
    icc = profile(PARA, SRGB)[:-60]  # damaged, so that there is something not to be said again
    Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=icc)
    photo = read_photo(tmp_path / "a.png", note=lambda words: None)
    second_in, first_out = threading.Event(), threading.Event()

    def work(kind):
        if kind == "read":
            read_photo(tmp_path / "a.png", note=lambda words: None)
        else:
            write_photo(tmp_path / "b.png", photo.image, photo)

    def meeting(kind, function):
        def within(*arguments):
            if kind == first:
                assert second_in.wait(10)
            else:
                second_in.set()
                assert first_out.wait(10)
            return function(*arguments)

        return within

    for kind, owner, name in (
        ("read", reading.PillowFile, "samples"),
        ("write", rendering, "colour_space"),
    ):
        monkeypatch.setattr(owner, name, meeting(kind, getattr(owner, name)))
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(work, first)
        one.add_done_callback(lambda _: first_out.set())
        other = pool.submit(work, "write" if first == "read" else "read")
        one.result(20), other.result(20)
    with pytest.raises(UserWarning, match="still said"):
        warnings.warn("still said", stacklevel=1)


def test_what_pillow_warns_of_is_not_said_twice(tmp_path, monkeypatch, rgb):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", RGB[..., 0].size - 1)  # a warning, no error
    assert read_photo(tmp_path / "a.png").image.shape == RGB.shape
