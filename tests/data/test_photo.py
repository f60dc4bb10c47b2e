"""A photograph that is read and written again is the same photograph."""

import os

import numpy as np
import pytest
from photographs import png_bytes
from PIL import Image, ImageFile, features

from jaxir.data import ImageFileError, pages, photo_size, read_image, read_photo, write_photo
from jaxir.data.files import whole_file

RNG = np.random.default_rng(0)
LOSSLESS = [
    *((suffix, channels) for suffix in (".png", ".tif") for channels in (1, 2, 3, 4)),
    *((".webp", 3), (".webp", 4), (".bmp", 1), (".bmp", 3)),
]
"""Formats of 8 bits and the channels that they have."""


def noise(*shape, dtype=np.uint8):
    """Levels of all sizes, the least and the greatest among them."""
    levels = RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    levels.flat[:2] = 0, np.iinfo(dtype).max
    return levels


def save16(path, pixels):
    """16 bits by writers that are not ours."""
    if path.suffix == ".png":
        path.write_bytes(png_bytes(pixels))
    else:
        tifffile = pytest.importorskip("tifffile")
        colour = "rgb" if pixels.shape[2] > 2 else "minisblack"
        extra = {"extrasamples": ["unassalpha"]} if pixels.shape[2] % 2 == 0 else {}
        tifffile.imwrite(path, pixels.squeeze(), photometric=colour, metadata=None, **extra)


def opened(path, mode=None):
    """Pixels, mode and format as Pillow sees them."""
    with Image.open(path) as file:
        return np.asarray(file.convert(mode) if mode else file), file.mode, file.format


def levels_of(photo):
    """The levels that an image stands for, by the definition."""
    top = {8: 255, 16: 65535}[photo.depth]
    levels = np.round((photo.image.astype(np.float64) + 1) / 2 * top).astype(int)
    return levels if photo.alpha is None else np.dstack([levels, photo.alpha])


@pytest.mark.parametrize(("suffix", "channels"), LOSSLESS)
def test_8_bits_are_read_and_written_level_by_level(tmp_path, suffix, channels):
    pixels = noise(11, 13, channels)
    if channels % 2 == 0:
        pixels[:5, :, -1] = 0  # colours that nobody sees are kept as well
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pixels.squeeze()).save(
        path, **({"lossless": True, "exact": True} if suffix == ".webp" else {})
    )
    photo = read_photo(path)
    assert (photo.depth, photo.image.dtype) == (8, np.float32)
    assert not photo.image.flags.writeable
    np.testing.assert_array_equal(levels_of(photo), pixels)
    write_photo(tmp_path / f"b{suffix}", photo.image, photo)
    again = read_photo(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(levels_of(again), pixels)
    assert opened(tmp_path / f"b{suffix}")[0].tolist() == pixels.squeeze().tolist()
    assert photo_size(path) == (11, 13)
    assert pages(path) == 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_never_pass_through_8(tmp_path, suffix, channels):
    pytest.importorskip("imagecodecs")
    pixels = noise(11, 13, channels, dtype=np.uint16)
    save16(tmp_path / f"a{suffix}", pixels)
    photo = read_photo(tmp_path / f"a{suffix}")
    assert photo.depth == 16
    np.testing.assert_array_equal(levels_of(photo), pixels)
    for other in (".png", ".tif"):
        write_photo(tmp_path / f"b{other}", photo.image, photo, overwrite=True)
        again = read_photo(tmp_path / f"b{other}")
        assert again.depth == 16
        np.testing.assert_array_equal(levels_of(again), pixels)


def test_what_we_write_with_16_bits_others_read(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    tifffile = pytest.importorskip("tifffile")
    pixels = noise(200, 300, 4, dtype=np.uint16)  # several strips, several blocks of rows
    pixels[50:150, :, 0] = np.arange(300)  # rows that different filters suit
    save16(tmp_path / "a.png", pixels)
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "b.png", photo.image, photo)
    write_photo(tmp_path / "b.tif", photo.image, photo)
    np.testing.assert_array_equal(imagecodecs.png_decode((tmp_path / "b.png").read_bytes()), pixels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), pixels)


@pytest.mark.parametrize(
    "layout",
    [
        {"compression": "lzw", "predictor": True},
        {"tile": (16, 16)},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"planarconfig": "separate"},
    ],
    ids=["LZW", "tiles", "big-endian", "BigTIFF", "planar"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_in_any_layout(tmp_path, layout, dtype):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    pixels = noise(3, 3, 3, dtype=dtype)
    stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in layout else pixels
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", metadata=None, **layout)
    np.testing.assert_array_equal(levels_of(read_photo(tmp_path / "a.tif")), pixels)


def test_every_level_of_16_bits_survives_float32(tmp_path):
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    save16(tmp_path / "a.png", pixels)
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "b.png", photo.image, photo)
    np.testing.assert_array_equal(opened(tmp_path / "b.png")[0][..., None], pixels)


def test_halfway_between_two_levels_is_the_even_one(tmp_path):
    Image.new("L", (4, 1)).save(tmp_path / "a.png")
    halves = (np.array([[0.5, 1.5, 2.5, 253.5]]) / 127.5 - 1)[..., None]
    exact = (halves + 1) * 127.5 == np.array([0.5, 1.5, 2.5, 253.5])[:, None]
    write_photo(tmp_path / "b.png", halves, read_photo(tmp_path / "a.png"))
    written = opened(tmp_path / "b.png")[0][..., None]
    even = np.array([0, 2, 2, 254])[:, None]
    assert np.all((written[0] == even) | ~exact.reshape(4, 1)) or np.all(
        np.abs(written[0] - even) <= 1
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_between_0_and_1_stay_floats_bit_by_bit(tmp_path, dtype):
    tifffile = pytest.importorskip("tifffile")
    values = RNG.random((9, 7, 3)).astype(dtype)
    values[0, 0] = 0, 1, 1e-7
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", metadata=None)
    photo = read_photo(tmp_path / "a.tif")
    assert photo.depth == "float32"
    np.testing.assert_allclose(photo.image, 2 * values.astype(np.float64) - 1, atol=1e-7)
    write_photo(tmp_path / "b.tif", photo.image, photo)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), values.astype(np.float32))
    with pytest.warns(UserWarning, match=r"b\.png has 16 bits, as PNG holds 8 or 16"):
        write_photo(tmp_path / "b.png", photo.image, photo)
    assert read_photo(tmp_path / "b.png").depth == 16


def test_depths_are_changed_only_when_asked(tmp_path):
    pytest.importorskip("imagecodecs")
    pixels = noise(5, 5, 4)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "b.png", photo.image, photo, depth=16)
    deep = read_photo(tmp_path / "b.png")
    np.testing.assert_array_equal(levels_of(deep), 257 * pixels.astype(int))  # 65535 = 257 · 255
    write_photo(tmp_path / "c.png", deep.image, deep, depth=8)
    np.testing.assert_array_equal(opened(tmp_path / "c.png")[0], pixels)
    with pytest.raises(ImageFileError, match=r"d\.webp cannot have depth 16, as WEBP holds 8"):
        write_photo(tmp_path / "d.webp", deep.image, deep, depth=16)
    with pytest.warns(
        UserWarning, match=r"d\.webp has 8 bits, as WEBP holds 8; the photograph has 16"
    ):
        write_photo(tmp_path / "d.webp", deep.image, deep)


@pytest.mark.parametrize(("suffix", "error"), [(".jpg", 0.03), (".avif", 0.06), (".heic", 0.06)])
def test_lossy_formats_are_close_and_equal_input_gives_equal_bytes(tmp_path, suffix, error):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    y, x = np.mgrid[:48, :64] / 64
    smooth = np.round(np.dstack([x, y, x * y]) * 255).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    for name in ("b", "c"):
        write_photo(tmp_path / f"{name}{suffix}", photo.image, photo)
    assert (tmp_path / f"b{suffix}").read_bytes() == (tmp_path / f"c{suffix}").read_bytes()
    again = read_photo(tmp_path / f"b{suffix}")
    assert np.abs(again.image - photo.image).max() < error
    assert photo_size(tmp_path / f"b{suffix}") == (48, 64)
    write_photo(tmp_path / f"d{suffix}", again.image, again)


@pytest.mark.parametrize("quality", [50, 97, 100])
def test_a_jpeg_is_written_no_more_coarsely_than_it_was(tmp_path, quality):
    Image.fromarray(noise(16, 16, 3)).save(tmp_path / "a.jpg", quality=quality)
    photo = read_photo(tmp_path / "a.jpg")
    write_photo(tmp_path / "b.jpg", photo.image, photo)
    with Image.open(tmp_path / "a.jpg") as a, Image.open(tmp_path / "b.jpg") as b:
        for table in (0, 1):
            assert np.all(np.array(b.quantization[table]) <= np.array(a.quantization[table]))
        assert b.layer[0][1:3] == (1, 1)  # colours at full resolution
    assert photo.beside.quality == max(quality, 95)


def test_alpha_keeps_its_levels_unless_the_size_changes(tmp_path):
    alpha = noise(6, 8)
    Image.fromarray(np.dstack([noise(6, 8, 3), alpha])).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.opacity.shape == (6, 8, 1)
    np.testing.assert_array_equal(np.round((photo.opacity[..., 0] + 1) * 127.5), alpha)
    large = np.kron(photo.image, np.ones((3, 3, 1), np.float32))
    write_photo(tmp_path / "b.png", large, photo)
    expected = Image.fromarray(alpha.astype(np.float32)).resize((24, 18), Image.Resampling.BICUBIC)
    got = read_photo(tmp_path / "b.png").alpha
    assert np.abs(got - np.clip(np.asarray(expected), 0, 255)).max() <= 0.5001
    write_photo(tmp_path / "c.png", large, photo, alpha=-np.ones((18, 24, 1)))
    assert read_photo(tmp_path / "c.png").alpha.max() == 0
    opaque = np.full((6, 8), 255, np.uint8)
    Image.fromarray(np.dstack([noise(6, 8, 3), opaque])).save(tmp_path / "d.png")
    photo = read_photo(tmp_path / "d.png")
    write_photo(tmp_path / "e.png", photo.image, photo)
    assert opened(tmp_path / "e.png")[1] == "RGBA"


def test_alpha_that_is_multiplied_in_is_divided_out(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    colours, alpha = noise(5, 5, 3, dtype=np.uint16), noise(5, 5, 1, dtype=np.uint16) | 0x8000
    stored = np.round(colours * (alpha / 65535)).astype(np.uint16)
    pixels = np.concatenate([stored, alpha], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    with pytest.warns(UserWarning, match="multiplied by alpha"):
        photo = read_photo(tmp_path / "a.tif")
    assert np.abs(levels_of(photo)[..., :3] - colours.astype(int)).max() <= 1  # alpha ≥ 1/2


def test_one_transparent_colour_becomes_alpha(tmp_path):
    pytest.importorskip("imagecodecs")
    for dtype, tops in ((np.uint8, 255), (np.uint16, 65535)):
        pixels = noise(4, 4, 3, dtype=dtype)
        pixels[1, 2] = 7, 8, 9
        key = np.array([7, 8, 9], ">u2").tobytes()
        (tmp_path / "a.png").write_bytes(png_bytes(pixels, (b"tRNS", key)))
        photo = read_photo(tmp_path / "a.png")
        expected = np.full((4, 4), tops)
        expected[1, 2] = 0
        np.testing.assert_array_equal(photo.alpha, expected)
        np.testing.assert_array_equal(levels_of(photo)[..., :3], pixels)


@pytest.mark.parametrize("clear", [False, True])
def test_a_palette_becomes_colours(tmp_path, clear):
    pixels = noise(6, 6, 3) & 0xC0
    picture = Image.fromarray(pixels).quantize(64)
    options = {"transparency": bytes(range(0, 256, 4))} if clear else {}
    picture.save(tmp_path / "a.png", **options)
    expected = opened(tmp_path / "a.png", "RGBA" if clear else "RGB")[0]
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(levels_of(photo), expected)
    write_photo(tmp_path / "b.png", photo.image, photo)
    np.testing.assert_array_equal(opened(tmp_path / "b.png")[0], expected)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_1_bit_becomes_grey(tmp_path, suffix):
    bits = noise(5, 9) > 99
    Image.fromarray(bits).save(tmp_path / f"a{suffix}")
    photo = read_photo(tmp_path / f"a{suffix}")
    assert photo.depth == 8
    np.testing.assert_array_equal(photo.image[..., 0], np.where(bits, 1, -1))


def test_a_file_is_known_by_its_content_and_written_by_its_name(tmp_path):
    pixels = noise(5, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", format="PNG")
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.format == "PNG"
    np.testing.assert_array_equal(levels_of(photo), pixels)
    write_photo(tmp_path / "b.jpg", photo.image, photo)
    assert opened(tmp_path / "b.jpg")[2] == "JPEG"


def test_the_size_is_that_of_the_photograph_and_nothing_is_decoded(tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 8
    for suffix in (".jpg", ".png", ".tif", ".webp"):
        Image.fromarray(noise(5, 9, 3)).save(tmp_path / f"a{suffix}", exif=exif)
        with monkeypatch.context() as patch:
            patch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
            assert photo_size(tmp_path / f"a{suffix}") == (9, 5)
        assert read_photo(tmp_path / f"a{suffix}").image.shape[:2] == (9, 5)


def test_a_phone_keeps_previews_behind_a_photograph(tmp_path):
    main, preview = noise(16, 16, 3), noise(8, 8, 3)
    Image.fromarray(main).save(
        tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(preview)]
    )
    photo = read_photo(tmp_path / "a.jpg")
    assert opened(tmp_path / "a.jpg")[2] == "MPO"
    assert (photo.format, photo.image.shape, pages(tmp_path / "a.jpg")) == ("JPEG", (16, 16, 3), 1)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_pages_are_taken_one_by_one_as_asked(tmp_path, suffix):
    frames = [np.full((6, 6, 3), level, np.uint8) for level in (10, 90, 200)]
    first, *others = map(Image.fromarray, frames)
    first.save(
        tmp_path / f"a{suffix}",
        save_all=True,
        append_images=others,
        **({"lossless": True} if suffix == ".webp" else {}),
    )
    path = tmp_path / f"a{suffix}"
    assert pages(path) == 3
    for asked in (read_photo, photo_size):
        with pytest.raises(
            ImageFileError, match=r"has 3 pages or frames: ask for one, page=1 to page=3"
        ):
            asked(path)
        with pytest.raises(ImageFileError, match="has no page 4: it has 1 to 3"):
            asked(path, page=4)
    for page in (1, 2, 3):
        photo = read_photo(path, page=page)
        np.testing.assert_array_equal(levels_of(photo)[..., :3], frames[page - 1])
        assert photo_size(path, page=page) == (6, 6)


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    with whole_file(tmp_path / "a") as file:
        file.write(b"whole")
        assert not (tmp_path / "a").exists()
    assert calls == ["fsync", "replace"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_8_bits_in_srgb_are_what_read_image_reads(tmp_path):
    Image.fromarray(noise(9, 9, 3)).save(tmp_path / "a.png")
    a, b = read_image(tmp_path / "a.png"), read_photo(tmp_path / "a.png").image
    np.testing.assert_allclose(a, b, atol=2e-7)  # two roundings of float32
