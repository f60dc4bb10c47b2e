"""What stands beside the pixels is given back byte by byte; only the orientation is put upright."""

import struct
from io import BytesIO

import numpy as np
import pytest
from photographs import (
    DISPLAY_P3,
    PARA,
    exif_block,
    exif_with_thumbnail,
    png_bytes,
    png_chunk,
    profile,
    tiff_bytes,
    xmp_packet,
)
from PIL import Image, features

from jaxir.data import photo_size, read_photo, write_photo
from jaxir.data.photo.exif import resized
from jaxir.data.photo.jpeg import LONGER_XMP
from jaxir.data.photo.orientation import orientation, turn, upright, upright_xmp
from jaxir.data.photo.tiff_tags import read_tags, write_tags

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 4), np.uint8)
ICC = profile(PARA, DISPLAY_P3)

# by EXIF 2.32, table "Orientation": what the first row and the first column of the file show
SEEN = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: np.rot90,
}


def save(path, value, xmp=None):
    """A photograph with everything that Pillow writes for the format."""
    options = {
        "exif": b"Exif\0\0" + exif_block(value),
        "icc_profile": ICC,
        "xmp": xmp or xmp_packet(value),
    }
    pixels = PIXELS[..., :3]
    if path.suffix == ".webp":
        options |= {"lossless": True, "exact": True}
    if path.suffix == ".png":
        del options["xmp"]
        Image.fromarray(pixels).save(path, **options)
        text = b"XML:com.adobe.xmp" + bytes(5) + (xmp or xmp_packet(value))
        whole = path.read_bytes()
        path.write_bytes(whole[:33] + png_chunk(b"iTXt", text) + whole[33:])
    elif path.suffix == ".heic":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(path, **options)
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("value", SEEN)
def test_pixels_and_alpha_are_turned_once(tmp_path, value):
    exif = b"Exif\0\0" + exif_block(value)
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    photo = read_photo(tmp_path / "a.png")
    expected = SEEN[value](PIXELS)
    np.testing.assert_array_equal(turn(PIXELS, value), expected)
    np.testing.assert_array_equal(np.round((photo.image + 1) * 127.5), expected[..., :3])
    np.testing.assert_array_equal(photo.alpha, expected[..., 3])
    assert photo_size(tmp_path / "a.png") == expected.shape[:2]
    write_photo(tmp_path / "b.png", photo.image, photo)
    again = read_photo(tmp_path / "b.png")
    np.testing.assert_array_equal(again.image, photo.image)
    np.testing.assert_array_equal(again.alpha, photo.alpha)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", [1, 6])
def test_only_the_orientation_changes_in_exif_data(order, value):
    block = exif_block(value, order)
    assert orientation(block, None) == value
    new = upright(block)
    assert orientation(new, None) == 1
    assert len(new) == len(block)
    assert [i for i in range(len(block)) if new[i] != block[i]] == (
        [] if value == 1 else [30 + (order == ">")]
    )


@pytest.mark.parametrize(
    "text", [b'tiff:Orientation="6"', b"<tiff:Orientation>6</tiff:Orientation>"]
)
def test_only_the_orientation_changes_in_xmp_data(text):
    packet = b'<x other:Orientation="6" ' + text + b' width="6"/>'
    assert orientation(None, packet) == 6
    assert upright_xmp(packet) == packet.replace(text, text.replace(b"6", b"1"))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".heic"])
def test_exif_profile_and_xmp_come_back_byte_by_byte(tmp_path, suffix):
    photo = read_photo(save(tmp_path / f"a{suffix}", 1))
    assert (photo.exif, photo.icc, photo.xmp) == (exif_block(1), ICC, xmp_packet(1))
    for other in {".jpg", ".png", ".webp", ".avif", suffix}:
        if other == ".avif" and not features.check("avif"):
            continue  # this Pillow has none
        write_photo(tmp_path / f"b{other}", photo.image, photo)
        again = read_photo(tmp_path / f"b{other}")
        assert (again.exif, again.icc, again.xmp) == (photo.exif, ICC, photo.xmp)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_turned_photograph_says_that_it_is_upright(tmp_path, suffix):
    photo = read_photo(save(tmp_path / f"a{suffix}", 8))
    assert photo.image.shape == (9, 6, 3)
    assert photo.exif == upright(exif_block(8))
    assert photo.xmp == xmp_packet(1)
    write_photo(tmp_path / f"b{suffix}", photo.image, photo)
    again = read_photo(tmp_path / f"b{suffix}")
    assert again.image.shape == (9, 6, 3)
    assert (again.exif, again.xmp) == (photo.exif, photo.xmp)


def test_an_orientation_in_xmp_alone_counts(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.webp", xmp=xmp_packet(6), lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    assert photo.image.shape == (9, 6, 3)
    assert photo.xmp == xmp_packet(1)


def test_exif_data_move_into_the_tags_of_tiff_and_out_again(tmp_path):
    photo = read_photo(save(tmp_path / "a.jpg", 6))
    write_photo(tmp_path / "b.tif", photo.image, photo)
    with Image.open(tmp_path / "b.tif") as file:
        exif = file.getexif()
        assert exif[0x010F] == "Cam"
        assert exif[0x0112] == 1
        assert exif.get_ifd(0x8769)[0x927C] == b"a maker's note that points to 0x4a"
        assert (file.info["icc_profile"], file.tag_v2[700]) == (ICC, xmp_packet(1))
    again = read_photo(tmp_path / "b.tif")
    assert (again.icc, again.xmp) == (ICC, xmp_packet(1))
    write_photo(tmp_path / "c.tif", again.image, again)
    assert (tmp_path / "c.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    write_photo(tmp_path / "d.jpg", again.image, again)
    with Image.open(tmp_path / "d.jpg") as file:
        assert file.getexif().get_ifd(0x8769)[0x927C] == b"a maker's note that points to 0x4a"


@pytest.mark.parametrize("order", "<>")
def test_captions_and_places_in_tiff_stay(tmp_path, order):
    page = {
        258: (3, [8]),
        274: (3, [3]),
        282: (4, [300]),
        33723: (7, list(b"IPTC caption")),
        34377: (7, list(b"8BIM...")),
        33550: (4, [1, 2, 3]),
        37724: (7, list(b"layers of Photoshop")),
    }
    (tmp_path / "a.tif").write_bytes(tiff_bytes(page, order=order))
    photo = read_photo(tmp_path / "a.tif")
    stored = np.arange(16).reshape(4, 4)[::-1, ::-1]
    np.testing.assert_array_equal(np.round((photo.image[..., 0] + 1) * 127.5), stored)
    write_photo(tmp_path / "b.tif", photo.image, photo)
    with (tmp_path / "b.tif").open("rb") as file:
        found, (tags,) = read_tags(file)
    assert found == order
    for tag in (33723, 34377, 33550, 282):
        kind, numbers = page[tag]
        form = {4: "I", 7: "B"}[kind]
        assert tags[tag].data == struct.pack(f"{order}{len(numbers)}{form}", *numbers)
    assert tags[274].integers(order) == [1]
    assert 37724 not in tags  # layers would show the old picture
    np.testing.assert_array_equal(read_photo(tmp_path / "b.tif").image, photo.image)


def test_a_list_of_tags_is_read_as_it_was_written(tmp_path):
    order, (tags, *_) = read_tags(BytesIO(exif_block(5, "<")))
    written = struct.pack("<2sHI", b"II", 42, 8) + write_tags(tags, order, 8)
    assert read_tags(BytesIO(written)) == ("<", [tags])


def test_chunks_of_png_stay_where_they_remain_true(tmp_path):
    kept = [
        (b"pHYs", struct.pack(">IIB", 11811, 11811, 1)),
        (b"gAMA", struct.pack(">I", 45455)),
        (b"tEXt", b"Author\0somebody"),
        (b"iTXt", b"Title\0\0\0\0\0\xc3\xa9"),
    ]
    old = [(b"tIME", bytes(7)), (b"bKGD", bytes(2)), (b"prVt", b"mine")]
    (tmp_path / "a.png").write_bytes(
        png_bytes(PIXELS[..., :1], *kept, *old, behind=[(b"tEXt", b"Late\0text")])
    )
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "b.png", photo.image, photo)
    written = (tmp_path / "b.png").read_bytes()
    for chunk in [*kept, (b"tEXt", b"Late\0text")]:
        assert png_chunk(*chunk) in written
    for name, _ in old:
        assert name not in written


def test_exif_behind_the_pixels_of_png_is_found(tmp_path):
    (tmp_path / "a.png").write_bytes(png_bytes(PIXELS, behind=[(b"eXIf", exif_block(6))]))
    photo = read_photo(tmp_path / "a.png")
    assert photo.exif == upright(exif_block(6))
    assert photo.image.shape == (9, 6, 3)


def test_captions_comments_and_resolution_of_jpeg_stay(tmp_path):
    caption = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02x\0\x03abc"
    longer = LONGER_XMP + b"0" * 40 + b"<more/>"
    extra = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data
        for marker, data in ((0xED, caption), (0xFE, b"a comment"), (0xE1, longer))
    )
    Image.fromarray(PIXELS[..., :3]).save(tmp_path / "a.jpg", dpi=(300, 300), extra=extra)
    photo = read_photo(tmp_path / "a.jpg")
    write_photo(tmp_path / "b.jpg", photo.image, photo)
    with Image.open(tmp_path / "b.jpg") as file:
        found = dict(file.applist)
        assert file.info["dpi"] == (300, 300)
        assert file.info["comment"] == b"a comment"
    assert found["APP13"] == caption
    assert longer in (tmp_path / "b.jpg").read_bytes()


def test_damaged_exif_data_are_kept_and_say_nothing(tmp_path):
    damaged = exif_block(6)[:20]
    Image.fromarray(PIXELS).save(tmp_path / "a.webp", exif=damaged, lossless=True)
    with pytest.warns(
        UserWarning, match="has damaged EXIF data .*: kept, but how it was held is not known"
    ):
        photo = read_photo(tmp_path / "a.webp")
    assert photo.image.shape == (6, 9, 3)
    assert photo.exif == damaged
    for suffix in (".webp", ".png"):
        write_photo(tmp_path / f"b{suffix}", photo.image, photo)
        assert damaged in (tmp_path / f"b{suffix}").read_bytes()
    for suffix in (".tif", ".avif"):
        if suffix == ".tif" or features.check("avif"):
            with pytest.warns(UserWarning, match="has no room for EXIF"):
                write_photo(tmp_path / f"b{suffix}", photo.image, photo)


def test_a_damaged_list_of_exif_data_in_tiff_is_left_out(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_bytes({0x8769: (4, [2**31]), 271: (3, [7])}))
    with pytest.warns(UserWarning, match=r"a\.tif has damaged EXIF data: left out"):
        photo = read_photo(tmp_path / "a.tif")
    _, (tags,) = read_tags(BytesIO(photo.exif))
    assert list(tags) == [271]


def test_notes_too_long_for_jpeg_are_left_out_with_a_word(tmp_path):
    xmp = xmp_packet(1) + bytes(70000)
    Image.fromarray(PIXELS[..., :3]).save(tmp_path / "a.webp", xmp=xmp, lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    with pytest.warns(UserWarning, match=r"b\.jpg has no room for XMP: left out"):
        write_photo(tmp_path / "b.jpg", photo.image, photo)
    write_photo(tmp_path / "b.png", photo.image, photo)
    assert read_photo(tmp_path / "b.png").xmp == xmp


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
def test_only_the_size_and_the_way_to_the_thumbnail_change_in_exif_data(order, kind):
    block = exif_with_thumbnail(order, (9, 6), kind)
    new = resized(block, 9, 6)
    _, (first,) = read_tags(BytesIO(new))  # one list: none behind it
    about = first[0x8769].data
    assert [about[tag].integers(order) for tag in (0xA002, 0xA003)] == [[6], [9]]
    pointer, number = (3, {3: 1, 4: 3}[kind]) if order == ">" else (0, 0)  # the low byte of each
    changed = [i for i in range(len(block)) if new[i] != block[i]]
    assert changed == [34 + pointer, 48 + number, 60 + number]


@pytest.mark.parametrize("order", "<>")
def test_a_size_beyond_16_bits_finds_room(order):
    _, (first,) = read_tags(BytesIO(resized(exif_with_thumbnail(order, (9, 6), 3), 70000, 6)))
    about = first[0x8769].data
    assert [about[tag].integers(order) for tag in (0xA002, 0xA003)] == [[6], [70000]]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".heic"])
def test_a_restored_photograph_says_its_own_size_and_has_no_old_thumbnail(tmp_path, suffix):
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    exif = b"Exif\0\0" + exif_with_thumbnail("<", (9, 6))
    Image.fromarray(PIXELS[..., :3]).save(tmp_path / "a.jpg", exif=exif)
    photo = read_photo(tmp_path / "a.jpg")
    large = photo.image.repeat(2, 0).repeat(2, 1)  # 18 × 12, as it is turned
    for source, image in (("a.jpg", large), (f"b{suffix}", large[:10])):
        like = read_photo(tmp_path / source)
        write_photo(tmp_path / f"b{suffix}", image, like, overwrite=True)
        order, (first, *behind) = read_tags(BytesIO(read_photo(tmp_path / f"b{suffix}").exif))
        about = first[0x8769].data
        found = [about[tag].integers(order)[0] for tag in (0xA003, 0xA002)]
        assert (found, behind) == (list(image.shape[:2]), [])
