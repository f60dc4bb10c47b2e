"""Colours go through their profile to sRGB and back, and nothing is lost on the way."""

import struct
from io import BytesIO

import numpy as np
import pytest
from photographs import ADOBE, DISPLAY_P3, PARA, SRGB, curve, profile
from PIL import Image, ImageCms

from jaxir.data import read_photo, write_photo
from jaxir.data.photo.icc import _curve, colour_space

CAMERA = np.round(65535 * np.linspace(0, 1, 256) ** 1.7)
PROFILES = {
    "Display P3": profile(PARA, DISPLAY_P3),
    "Adobe RGB": profile(2.19921875, ADOBE),
    "a camera's table": profile(CAMERA, ADOBE),
    "linear": profile(1.0, SRGB),
    "a power from a level on": profile((2.2, 0.9, 0.1, 0.0), SRGB),
}
LITTLE_CMS_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
every = pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)


def colours(dtype, count=64):
    """Random colours, the darkest and the corners of the cube, where a gamut is left first."""
    top = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, top, (count, count, 3), endpoint=True)
    pixels[:8] = rng.integers(0, 16, (8, count, 3))
    pixels[8] = top * rng.integers(0, 2, (count, 3))
    return pixels.astype(dtype)


@every
def test_8_bits_come_back_level_by_level_inside_and_outside_srgb(tmp_path, icc):
    pixels = colours(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=icc)
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "b.png", photo.image, photo)
    with Image.open(tmp_path / "b.png") as again:
        np.testing.assert_array_equal(np.asarray(again), pixels)
        assert again.info["icc_profile"] == icc


@every
def test_the_way_back_is_computed_not_remembered(tmp_path, icc):
    pixels = colours(np.uint8)
    space = colour_space(icc, 3)
    fractions = pixels / 255
    working = space.to_srgb(fractions)
    through_float32 = (2 * working - 1).astype(np.float32).astype(np.float64)
    levels = np.round(255 * space.from_srgb((through_float32 + 1) / 2))
    np.testing.assert_array_equal(levels, pixels)
    assert np.abs(space.from_srgb(working) - fractions).max() < 1e-6  # in float64


@every
def test_16_bits_come_back_level_by_level(tmp_path, icc):
    tifffile = pytest.importorskip("tifffile")
    pixels = colours(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", iccprofile=icc)
    photo = read_photo(tmp_path / "a.tif")
    write_photo(tmp_path / "b.tif", photo.image, photo)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), pixels)
    assert read_photo(tmp_path / "b.tif").icc == icc
    moved = photo.image.copy()
    moved[::2] = np.clip(moved[::2] + 0.1, -1, 1)  # what changes is new, what does not is as it was
    write_photo(tmp_path / "c.tif", moved, photo)
    written = tifffile.imread(tmp_path / "c.tif")
    np.testing.assert_array_equal(written[1::2], pixels[1::2])
    assert np.mean(written[::2] == pixels[::2]) < 0.2


def test_nothing_is_clipped_on_the_way(tmp_path):
    green = np.zeros((1, 1, 3), np.uint8)
    green[..., 1] = 255
    Image.fromarray(green).save(tmp_path / "a.png", icc_profile=PROFILES["Display P3"])
    image = read_photo(tmp_path / "a.png").image[0, 0]
    # CSS Color 4's sample code: color(display-p3 0 1 0) in sRGB, whose curve continues as an odd function
    np.testing.assert_allclose((image + 1) / 2, [-0.5116, 1.0183, -0.3107], atol=2e-3)


@every
def test_little_cms_finds_the_same_colours_where_it_clips_none(icc):
    pixels = colours(np.uint8, 48)
    srgb = ImageCms.createProfile("sRGB")
    theirs = ImageCms.profileToProfile(
        Image.fromarray(pixels), ImageCms.ImageCmsProfile(BytesIO(icc)), srgb, renderingIntent=1
    )
    ours = np.clip(colour_space(icc, 3).to_srgb(pixels / 255), 0, 1)
    # its 8-bit optimisation has a 14-bit table in between, steepest at black
    difference = np.abs(np.asarray(theirs) - 255 * ours)
    bright = pixels.min(axis=-1) > 24
    assert difference[bright].max() < 1.01
    assert difference.mean() < 0.6


@every
def test_little_cms_in_float32_agrees_inside_srgb(icc):
    imagecodecs = pytest.importorskip("imagecodecs")
    fractions = (colours(np.uint16, 48) / 65535).astype(np.float32)
    theirs = imagecodecs.cms_transform(
        fractions,
        icc,
        LITTLE_CMS_SRGB,
        colorspace="rgb",
        outcolorspace="rgb",
        outdtype="float32",
        intent=1,
    )
    ours = colour_space(icc, 3).to_srgb(fractions)
    inside = np.all((ours > 0.01) & (ours < 1), axis=-1)
    assert inside.mean() > 0.2
    # primaries of the two sRGBs are rounded to 16 bits differently
    assert np.abs(theirs - ours)[inside].max() < 2e-3


def test_a_grey_profile_is_followed_for_grey(tmp_path):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    icc = profile(1.8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=icc)
    photo = read_photo(tmp_path / "a.png")
    light = (pixels / 255) ** (round(1.8 * 256) / 256)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose((photo.image[..., 0] + 1) / 2, expected, atol=1e-4)
    write_photo(tmp_path / "b.png", photo.image, photo)
    with Image.open(tmp_path / "b.png") as again:
        np.testing.assert_array_equal(np.asarray(again), pixels)


@pytest.mark.parametrize("icc", [profile(PARA, SRGB), LITTLE_CMS_SRGB], ids=["ours", "Little CMS"])
def test_a_profile_of_srgb_changes_nothing(tmp_path, icc):
    pixels = colours(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=icc)
    photo = read_photo(tmp_path / "a.png")
    assert photo.levels is None
    np.testing.assert_allclose(photo.image, 2 * (pixels / 255) - 1, atol=1e-7)


@pytest.mark.parametrize(
    ("icc", "reason"),
    [
        (b"no profile at all", "is damaged"),
        (PROFILES["Display P3"][:-60], "is damaged"),
        (profile(1.8), "is for GRAY, the image is RGB"),
        (profile(2.2, ((0.1, 0.1, 0.1),) * 3), "is damaged"),
        (profile(np.array([0, 9, 5, 65535]), ADOBE), "is damaged"),
        (profile((2.2, 0.0, 0.1), ADOBE), "is damaged"),
        (profile(2.2, space=b"RGB ", extra=[(b"A2B0", b"mft2" + bytes(60))]), "is made of tables"),
    ],
)
def test_a_profile_that_cannot_be_followed_is_kept(tmp_path, icc, reason):
    pixels = colours(np.uint8, 10)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=icc)
    with pytest.warns(
        UserWarning, match=f"has a colour profile that {reason}.*: taken as sRGB, and kept"
    ):
        photo = read_photo(tmp_path / "a.png")
    np.testing.assert_allclose(photo.image, 2 * (pixels / 255) - 1, atol=1e-7)
    write_photo(tmp_path / "b.png", photo.image, photo)
    with Image.open(tmp_path / "b.png") as again:
        assert again.info["icc_profile"] == icc
        np.testing.assert_array_equal(np.asarray(again), pixels)


def test_a_format_without_profiles_gets_srgb(tmp_path):
    pixels = np.full((4, 4, 3), (0, 200, 0), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=PROFILES["Adobe RGB"])
    photo = read_photo(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"b\.bmp has no room for ICC"):
        write_photo(tmp_path / "b.bmp", photo.image, photo)
    expected = np.round(np.clip((photo.image + 1) / 2, 0, 1) * 255)
    with Image.open(tmp_path / "b.bmp") as file:
        np.testing.assert_array_equal(np.asarray(file), expected)


def test_grey_that_became_colour_leaves_its_grey_profile(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png", icc_profile=profile(1.8))
    photo = read_photo(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="has no room for ICC"):
        write_photo(tmp_path / "b.png", np.zeros((4, 4, 3)), photo)
    assert read_photo(tmp_path / "b.png").icc is None


def inks(dtype):
    rng = np.random.default_rng(1)
    return rng.integers(0, np.iinfo(dtype).max, (16, 16, 4), dtype, endpoint=True)


def test_inks_become_colours_plainly_without_a_profile(tmp_path):
    stored = inks(np.uint8)
    Image.fromarray(stored, "CMYK").save(tmp_path / "a.tif")
    with pytest.warns(
        UserWarning, match=r"inks \(CMYK\): converted plainly.*the output is RGB in sRGB"
    ):
        photo = read_photo(tmp_path / "a.tif")
    light = 1 - stored / 255
    expected = 2 * light[..., :3] * light[..., 3:] - 1
    np.testing.assert_allclose(photo.image, expected, atol=1.01 / 255)
    assert photo.icc is None
    write_photo(tmp_path / "b.tif", photo.image, photo)
    with Image.open(tmp_path / "b.tif") as file:
        assert file.mode == "RGB"


def test_inks_of_16_bits_keep_them(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    stored = inks(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="separated")
    with pytest.warns(UserWarning, match="inks"):
        photo = read_photo(tmp_path / "a.tif")
    light = 1 - stored / 65535
    np.testing.assert_allclose(
        photo.image, 2 * light[..., :3] * light[..., 3:] - 1, atol=1.01 / 65535
    )
    assert photo.depth == 16


def test_jpeg_of_inks_is_read_by_adobes_convention(tmp_path):
    stored = np.full((16, 16, 4), (0, 255, 255, 0), np.uint8)  # magenta and yellow: red
    Image.fromarray(stored, "CMYK").save(tmp_path / "a.jpg", quality=100)
    with pytest.warns(UserWarning, match="inks"):
        photo = read_photo(tmp_path / "a.jpg")
    np.testing.assert_allclose(photo.image[8, 8], [1, -1, -1], atol=0.03)


def test_inks_that_a_jpeg_holds_as_lightness_and_colour(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    stored = np.full(
        (16, 16, 4), (255, 0, 0, 255), np.uint8
    )  # Adobe's inks are inverted: magenta and yellow
    ycck = imagecodecs.jpeg8_encode(stored, level=100, colorspace="cmyk", outcolorspace="ycck")
    (tmp_path / "a.jpg").write_bytes(ycck)
    with pytest.warns(UserWarning, match="inks"):
        photo = read_photo(tmp_path / "a.jpg")
    np.testing.assert_allclose(photo.image[8, 8], [1, -1, -1], atol=0.03)


def ink_profile():
    """A printer's profile by hand: a table of 2⁴ corners from inks to Lab, where ink only darkens."""
    corners = np.array(
        [[c, m, y, k] for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    )
    lightness = 100 * (1 - 0.3 * corners[:, :3].mean(axis=1)) * (1 - 0.9 * corners[:, 3])
    lab = np.stack([lightness / 100 * 0xFF00, np.full(16, 0x8000), np.full(16, 0x8000)], axis=1)
    table = struct.pack(">4sIBBBB", b"mft2", 0, 4, 3, 2, 0)
    table += struct.pack(">9i", *[65536 * (i in (0, 4, 8)) for i in range(9)])
    table += struct.pack(">HH", 2, 2) + struct.pack(">8H", *[0, 65535] * 4)
    table += np.round(lab).astype(">u2").tobytes() + struct.pack(">6H", *[0, 65535] * 3)
    icc = bytearray(profile(1.0, space=b"CMYK", extra=[(b"A2B0", table), (b"A2B1", table)]))
    icc[12:16], icc[20:24] = b"prtr", b"Lab "
    return bytes(icc), lightness


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_inks_go_through_their_profile_where_there_is_one(tmp_path, dtype):
    tifffile = pytest.importorskip("tifffile")
    if dtype == np.uint16:
        pytest.importorskip("imagecodecs")
    icc, lightness = ink_profile()
    stored = np.zeros((2, 2, 4), dtype)
    stored[0, 0, 3] = np.iinfo(dtype).max
    stored[1, 1, 0] = np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="separated", iccprofile=icc)
    with pytest.warns(UserWarning, match=r"inks \(CMYK\): converted through their profile"):
        photo = read_photo(tmp_path / "a.tif")
    fractions = (photo.image + 1) / 2
    light = (
        (lightness[8] + 16) / 116
    ) ** 3  # of Lab's lightness; black point compensation moves it a little
    expected = 1.055 * light ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(fractions[0, 1], 1, atol=0.01)
    np.testing.assert_allclose(fractions[1, 1], expected, atol=0.02)
    assert fractions[0, 0].max() < 0.12  # of lightness 10
    assert (photo.icc, photo.depth) == (None, 8 * np.dtype(dtype).itemsize)


def test_inks_with_a_damaged_profile_are_converted_plainly(tmp_path):
    Image.fromarray(inks(np.uint8), "CMYK").save(tmp_path / "a.tif", icc_profile=b"no profile")
    with pytest.warns(UserWarning, match="converted plainly, as their profile cannot be used"):
        read_photo(tmp_path / "a.tif")


def test_a_curve_of_each_form_has_its_inverse():
    x = np.linspace(0, 1, 1000)
    a, b, c = 0.9, 0.1, 0.05
    forms = {
        (2.2,): x**2.2,
        (2.2, a, b): (a * x + b) ** 2.2,
        (2.2, a, b, c): (a * x + b) ** 2.2 + c,
        PARA: np.where(x >= 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92),
        (2.4, 0.9, 0.1, 0.08, 0.02, 0.05, 0.05): np.where(
            x >= 0.02, (a * x + b) ** 2.4 + c, 0.08 * x + 0.05
        ),
    }
    for numbers, expected in forms.items():
        found = _curve(curve(numbers))
        np.testing.assert_allclose(
            found(x), expected, atol=2e-4
        )  # numbers of 16 bits after the point
        np.testing.assert_allclose(found.inverse(found(x)), x, atol=1e-9)
