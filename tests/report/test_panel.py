import numpy as np
import pytest

from jaxir.report import Picture, Row, Uncertainty, colourise, panel
from jaxir.report.lettering import font, spell, wrap
from jaxir.report.panel import SMALLEST, Patch, Words, arrange

RNG = np.random.default_rng(0)
LARGE = RNG.integers(0, 256, (96, 96, 3)).astype(np.uint8)
SMALL = RNG.integers(0, 256, (24, 24, 1)).astype(np.uint8)
STD = RNG.uniform(0, 0.4, (96, 96, 3))
COLUMNS = ["input", "a title that is much longer than its column", "uncertainty"]
LONG = "a caption that needs more than one line of 192 pixels\n27.1 dB"


def as_float(pixels):
    return pixels.astype(np.float32) / 127.5 - 1


@pytest.fixture
def rows():
    first = [Picture(as_float(SMALL), "x4, 21.5 dB"), Picture(as_float(LARGE), LONG)]
    second = [Picture(as_float(LARGE)), None, Uncertainty(STD, LONG)]
    return [Row("cat: ×4", [*first, Uncertainty(STD)]), Row("a second row", second)]


def crosses(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_pictures_are_on_the_sheet_pixel_by_pixel(rows):
    sheet = np.round((panel(rows, columns=COLUMNS, title="Title") + 1) * 127.5).astype(np.uint8)
    _, patches, _ = arrange(rows, COLUMNS, "Title")
    pictures = [patch for patch in patches if patch.pixels.shape[0] == SMALLEST]
    assert len(pictures) == 5
    sources = [SMALL.repeat(3, 2), LARGE, None, LARGE, None]
    for patch, source in zip(pictures, sources, strict=True):
        left, top, right, bottom = patch.box
        shown = sheet[top:bottom, left:right]
        np.testing.assert_array_equal(shown, patch.pixels)
        if source is not None:
            factor = SMALLEST // len(source)
            np.testing.assert_array_equal(shown, source.repeat(factor, 0).repeat(factor, 1))


def test_nothing_covers_anything_and_all_is_inside(rows):
    (width, height), patches, words = arrange(rows, COLUMNS, "A title " * 20)
    things: list[Patch | Words] = [*patches, *words]
    for i, one in enumerate(things):
        left, top, right, bottom = one.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert not [other for other in things[i + 1 :] if crosses(one.box, other.box)]


def test_the_scale_tells_the_largest_deviation_in_levels_of_255():
    std = np.zeros((8, 8, 3))
    std[3, 4] = 20 / 127.5
    tiles = [Uncertainty(std), Uncertainty(std, largest=40 / 127.5)]
    _, _, words = arrange([Row("", tiles)], ["own", "given"])
    assert [line.text for line in words if "of" in line.text] == ["20 of 255", "40 of 255"]
    own, given = (tile.image[3, 4] for tile in tiles)
    np.testing.assert_allclose(own, colourise(np.ones((1, 1)))[0, 0])
    np.testing.assert_allclose(given, colourise(np.full((1, 1), 0.5), largest=1.0)[0, 0])


def test_channels_are_joined_as_the_root_of_their_mean_variance():
    std = np.array([[[3.0, 4.0, 0.0]]])
    assert Uncertainty(std).end == pytest.approx(np.sqrt(25 / 3))


def test_colours_become_lighter_all_the_way():
    from skimage.color import rgb2lab

    lightness = rgb2lab((colourise(np.linspace(0, 1, 64)[None]) + 1) / 2)[0, :, 0]
    steps = np.diff(lightness)
    assert steps.min() > 0.4 * steps.mean()
    assert steps.max() < 1.6 * steps.mean()


def test_no_line_is_wider_than_its_place():
    lines = wrap("one two three " + "x" * 80, 13, 100)
    assert all(font(13).getlength(line) <= 100 for line in lines)
    assert "".join(lines).replace(" ", "") == "onetwothree" + "x" * 80


def test_letters_that_the_font_lacks_are_spelt():
    assert spell("ΠGDM, σ = 0.05, ×4, é, 雪") == "PiGDM, sigma = 0.05, x4, e, ?"


def test_large_pictures_are_not_reduced():
    _, patches, _ = arrange([Row("", [Picture(np.zeros((200, 300, 3)))])], ["x"])
    assert patches[0].pixels.shape == (200, 300, 3)


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        ([None, None, None], "at least one picture"),
        ([Picture(np.zeros((4, 4, 3)))], "1 pictures but there are 3 columns"),
        ([Picture(np.full((4, 4, 3), np.nan)), None, None], "48 values that are not finite"),
        ([Picture(np.zeros((4, 4, 2))), None, None], r"shape \(4, 4, 2\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tiles, message):
    with pytest.raises(ValueError, match=message):
        panel([Row("a row", tiles)], columns=COLUMNS)
