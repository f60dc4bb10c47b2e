"""The page as a file: what is in it, what cannot be in it, and what the pictures became on the way."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from jaxir.report import Detail, Entry, Scaled, asset, balance, page, residual_map, uncertainty_map
from jaxir.report.colours import BALANCE, MAGMA
from jaxir.report.pictures import PIECE, aligned, data_url, places, quantise, reduced

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script><!--.png'
DOT = data_url(np.full((4, 4, 3), 200, np.uint8))


class Tags(HTMLParser):
    """The elements of a page with their attributes and the text in them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.open = [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))
        self.open = True

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        if self.open:
            self.found[-1][2].append(data)

    def all(self, tag):
        return [
            (attributes, "".join(words)) for name, attributes, words in self.found if name == tag
        ]


def picture(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))))


def test_the_policy_admits_this_style_and_this_program_and_nothing_from_a_network():
    tags = Tags(page([Entry("cat.png", after=DOT, width=4, height=4)], title="cats"))
    (policy,) = [a["content"] for a, _ in tags.all("meta") if "http-equiv" in a]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("img-src") == "data:"
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        texts = [text for attributes, text in tags.all(tag) if "type" not in attributes]
        hashes = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts]
        assert rules.pop(kind) == " ".join(f"'sha256-{each}'" for each in hashes)
    assert set(rules.values()) == {"'none'"}


def test_names_become_neither_elements_nor_the_end_of_a_script():
    entries = [Entry(HOSTILE, after=DOT, problem=HOSTILE, replay=HOSTILE), Entry("\udcff.png")]
    harmless = [Entry("a", after=DOT, problem="a", replay="a"), Entry("b")]
    found, expected = (Tags(page(e, title=e[0].title)) for e in (entries, harmless))
    assert [tag for tag, *_ in found.found] == [tag for tag, *_ in expected.found]
    (data, _) = (text for a, text in found.all("script") if a.get("type") == "application/json")
    assert json.loads(data)["title"] == HOSTILE
    assert found.all("title")[0][1] == HOSTILE


def test_every_address_in_the_page_is_a_place_in_it_or_the_data_themselves():
    entry = Entry(
        "a", DOT, DOT, 4, 4, [DOT], Scaled(DOT, 3.0), Scaled(DOT, 2.0), [DOT], thumbnail=DOT
    )
    tags = Tags(page([entry, entry], title="t"))
    for _, attributes, _ in tags.found:
        for name in {"src", "href", "data", "action", "poster"} & attributes.keys():
            assert attributes[name].startswith(("data:", "#")), attributes
    assert not re.search(r"url\(|@import|https?://", asset("viewer.css") + asset("page.css"))


def test_an_entry_is_what_the_viewer_takes():
    detail = Detail("the eye", None, DOT)
    entry = Entry("a", DOT, DOT, 4, 4, uncertainty=Scaled(DOT, 3.0), details=[detail])
    values = json.loads(entry.as_json())
    assert values["uncertainty"] == {"url": DOT, "largest": 3.0}
    assert values["residual"] is None
    assert values["details"] == [{"label": "the eye", "before": None, "after": DOT}]
    contract = asset("viewer.js").split("*/")[0]
    assert all(re.search(rf"\b{name}\b", contract) for name in values)


@pytest.mark.parametrize(("name", "colours"), [("magma", MAGMA), ("balance", BALANCE)])
def test_the_scales_of_the_page_have_the_colours_of_the_pictures(name, colours):
    in_css = re.search(rf"--{name}:([^;]*);", asset("viewer.css"))[1]
    assert re.findall(r"#(\w{6})", in_css) == colours.split()


def test_the_residual_has_the_colour_of_its_sign():
    colours = balance(np.array([[-2.0, 0.0, 2.0, 9.0]]), largest=2.0)[0]
    red, green, blue = np.moveaxis(quantise(colours[None])[0].astype(int), -1, 0)
    assert blue[0] > red[0]
    assert (red[1], green[1], blue[1]) == (0xF7, 0xF7, 0xF7)
    assert red[2] > blue[2]
    np.testing.assert_array_equal(colours[2], colours[3])


def test_one_bright_pixel_does_not_darken_a_map():
    """The end is the quantile: 2 % of a half-normal's pixels at most may lie beyond 2.5 of its deviations."""
    noise = np.random.default_rng(0).normal(size=(64, 64, 1)).repeat(3, -1)
    noise[0, 0] = 1e3
    # the 0.999 quantile of |N(0, 1)| is 3.29; its sampling error at n = 4096 is below 0.5
    for maps in (residual_map(noise), uncertainty_map(np.abs(noise))):
        assert maps[0].shape == (64, 64, 3)
        assert maps[1] / 127.5 == pytest.approx(3.29, abs=0.5)


def test_a_small_picture_keeps_its_pixels_and_a_large_one_its_colours():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(picture(data_url(small)), small)
    large = np.broadcast_to(np.uint8([200, 30, 90]), (600, 900, 3))
    url = data_url(reduced(large, 300))
    assert picture(url).shape == (200, 300, 3)
    assert np.abs(picture(url).astype(int) - [200, 30, 90]).max() <= 2  # JPEG's rounding


def test_pieces_are_where_it_is_interesting_and_do_not_overlap():
    interest = np.zeros((800, 1100), np.float32)
    interest[500:520, 900:910] = 1
    interest[30:40, 60:90] = 0.5
    found = list(places(interest, 5))
    assert len(found) == 2
    for (top, left), (y, x) in zip(found, [(500, 900), (30, 60)], strict=True):
        assert top <= y
        assert y + 10 <= top + PIECE
        assert left <= x
        assert x + 10 <= left + PIECE


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [((8, 12), (8, 12), (8, 12)), ((8, 12), (16, 24), (8, 12)), ((8, 8), (12, 12), (12, 12))],
)
def test_a_margin_is_not_a_change_of_scale(before, after, shown):
    photo = np.full((*before, 3), 9, np.uint8)
    below = aligned(photo, after)
    assert below.shape[:2] == shown
    assert (below == 9).all(axis=-1).sum() == before[0] * before[1]


def luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    levels = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_what_is_behind_them(dark):
    schemes = re.findall(r":root \{(.*?)\n *\}", asset("viewer.css"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", schemes[dark]))
    pairs = [
        "ink paper",
        "ink soft",
        "grey paper",
        "grey soft",
        "on-accent accent",
        "alarm alarm-paper",
        "accent paper",
    ]
    for pair in pairs:
        light, deep = sorted((luminance(colours[name]) for name in pair.split()), reverse=True)
        assert (light + 0.05) / (deep + 0.05) >= 4.5, pair  # WCAG 2.2, level AA
