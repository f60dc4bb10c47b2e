import os
import stat

import numpy as np
import pytest
from PIL import Image

from jaxir.data import ImageFileError, image_files, read_image, write_image

COLOURS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def as_float(pixels):
    return pixels.astype(np.float32) / 127.5 - 1


def png_16bit_rgb(path):
    """A PNG of 16 bits in colour by hand: Pillow cannot write one."""
    import struct
    import zlib

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    rows = b"".join(b"\0" + bytes(range(2 * 3 * 6)) for _ in range(4))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 4, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_without_loss_is_read_back_bit_for_bit(tmp_path, suffix, channels):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(channels, axis=2)
    image = as_float(pixels)
    write_image(tmp_path / f"a{suffix}", image)
    back = read_image(tmp_path / f"a{suffix}")
    if suffix == ".webp" and channels == 1:  # WebP knows colour only
        back = back[..., :1]
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, image)


def test_a_jpeg_is_close(tmp_path):
    ramp = np.linspace(-1, 1, 32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3)
    write_image(tmp_path / "a.jpg", ramp)
    assert np.abs(read_image(tmp_path / "a.jpg") - ramp).max() < 0.03


def test_values_outside_the_range_are_clipped_and_others_rounded(tmp_path):
    write_image(tmp_path / "a.png", np.array([[[-7.0], [7.0], [1e-3], [-1 + 1.4 / 127.5]]]))
    assert np.asarray(Image.open(tmp_path / "a.png")).tolist() == [[0, 255, 128, 1]]


def test_16_bit_grey_keeps_its_16_bits(tmp_path):
    levels = np.array([[0, 1, 32768, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (1, 4, 1)
    np.testing.assert_allclose(image[0, :, 0], levels[0] / 32767.5 - 1, atol=1e-7)


def test_16_bit_colour_is_refused_rather_than_cut_to_8(tmp_path):
    png_16bit_rgb(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match="16 bits a channel"):
        read_image(tmp_path / "a.png")


def test_16_bit_colour_ppm_is_refused(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 2 1 65535\n" + bytes(12))
    with pytest.raises(ImageFileError, match="16 bits a channel"):
        read_image(tmp_path / "a.ppm")


def test_floats_are_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match="32 bits"):
        read_image(tmp_path / "a.tif")


def test_a_palette_is_looked_up(tmp_path):
    Image.fromarray(COLOURS).quantize(256).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), as_float(COLOURS))


def test_transparency_is_dropped_with_a_warning_and_the_colours_stay(tmp_path):
    alpha = np.full((4, 6, 1), 255, np.uint8)
    alpha[0, 0] = 0
    Image.fromarray(np.concatenate([COLOURS, alpha], 2)).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="transparency is dropped"):
        image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image, as_float(COLOURS))


def test_an_opaque_alpha_channel_says_nothing(tmp_path):
    alpha = np.full((4, 6, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([COLOURS, alpha], 2)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), as_float(COLOURS))


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, clockwise
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    expected = np.rot90(as_float(COLOURS), -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("pixels", [COLOURS, COLOURS[..., 0]], ids=["colour", "grey"])
def test_exif_orientation_is_applied_to_tiff_as_to_png(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in (".tif", ".png"):
        Image.fromarray(pixels).save(tmp_path / f"a{suffix}", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), read_image(tmp_path / "a.png"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ImageFileError, match=r"a\.png does not exist: give an image file"):
        read_image(tmp_path / "a.png")


def test_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(ImageFileError, match="is a folder"):
        read_image(tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageFileError, match="is empty"):
        read_image(tmp_path / "a.png")


def test_a_file_that_is_no_image(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(ImageFileError, match="not an image"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_truncated_file(tmp_path, suffix):
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 64, 3))
    write_image(tmp_path / f"a{suffix}", noise)
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageFileError) as error:
        read_image(tmp_path / f"a{suffix}")
    assert "\n" not in str(error.value)


def test_a_decompression_bomb(tmp_path, monkeypatch):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(ImageFileError, match="more pixels than Pillow trusts"):
        read_image(tmp_path / "a.png")


def test_an_existing_file_is_kept_unless_asked_for(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, as_float(COLOURS))
    before = path.read_bytes()
    with pytest.raises(ImageFileError, match="exists"):
        write_image(path, -as_float(COLOURS))
    assert path.read_bytes() == before
    write_image(path, -as_float(COLOURS), overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((2, 2, 3), np.nan), "12 values that are not finite"),
        (np.zeros((2, 2)), r"shape \(2, 2\)"),
        (np.zeros((2, 2, 4)), r"shape \(2, 2, 4\)"),
        (COLOURS, "dtype uint8"),
    ],
)
def test_a_bad_image_is_refused_and_leaves_nothing(tmp_path, image, message):
    with pytest.raises(ImageFileError, match=message):
        write_image(tmp_path / "a.png", image)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"), [("a.txt", "no known format"), ("b/a.png", "not a folder")]
)
def test_a_bad_place_is_refused(tmp_path, name, message):
    with pytest.raises(ImageFileError, match=message):
        write_image(tmp_path / name, as_float(COLOURS))


def test_a_failure_while_writing_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, as_float(COLOURS))
    before = path.read_bytes()

    def full_disk(self, file, *args, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(ImageFileError, match="No space left on device"):
        write_image(path, -as_float(COLOURS), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_others_may_read_a_file_as_the_umask_says(tmp_path):
    old = os.umask(0o022)
    try:
        write_image(tmp_path / "a.png", as_float(COLOURS))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o644


def test_the_images_of_a_folder_are_sorted_and_nothing_else_is_listed(tmp_path):
    (tmp_path / "sub/.deep").mkdir(parents=True)
    (tmp_path / ".thumbs").mkdir()
    hidden = (".hidden.png", ".thumbs/t.png", "sub/.deep/t.png")
    for name in ("b.png", "a.JPG", "sub/c.tif", "notes.txt", *hidden):
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)]
    assert names == ["a.JPG", "b.png", "sub/c.tif"]


def test_a_folder_of_images_may_itself_be_hidden(tmp_path):
    (tmp_path / ".photos").mkdir()
    (tmp_path / ".photos/a.png").touch()
    assert image_files(tmp_path / ".photos") == [tmp_path / ".photos/a.png"]


@pytest.mark.parametrize(("name", "message"), [("", "holds no image"), ("x", "does not exist")])
def test_a_folder_without_images(tmp_path, name, message):
    with pytest.raises(ImageFileError, match=message):
        image_files(tmp_path / name)
