"""The page as somebody uses it: by mouse, finger and keyboard, on a desk and on a phone, in Chromium."""

import io
import time

import numpy as np
import pytest
from chromium import PROGRAM, Chromium
from PIL import Image

from jaxir.report import Detail, Entry, Scaled, page
from jaxir.report.pictures import data_url

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium: apt-get install chromium")

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>.png'
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740, "touch": True}
RED, GREEN, BLUE, GOLD = (200, 30, 30), (20, 150, 40), (40, 60, 200), (220, 180, 20)


def plain(colour, height=200, width=300):
    return data_url(np.broadcast_to(np.uint8(colour), (height, width, 3)))


def entry(title="cat.png", **changes):
    """Everything in a colour of its own: red before, green after, blue samples, a golden map."""
    values = {
        "before": plain(RED),
        "after": plain(GREEN),
        "width": 300,
        "height": 200,
        "samples": [plain((40, 60 + 40 * i, 200)) for i in range(3)],
        "uncertainty": Scaled(plain(GOLD), 12.5),
        "residual": Scaled(plain((250, 250, 250)), 8.0),
        "trajectory": [plain((60 * i, 0, 90), 100, 150) for i in range(4)],
        "metrics": [("PSNR, dB", "24.55 → 29.65"), ("Residual, in levels of 255", "5.2")],
        "settings": [("Degradation", "gaussian(1.6)|noise(0.02)"), ("SHA-256", "0123abcd" * 8)],
        "replay": f"jaxir replay {title}.jaxir.json",
        "thumbnail": plain(GREEN),
        "details": [Detail("the eye", plain(RED, 64, 64), plain(GREEN, 64, 64))],
    }
    return Entry(title, **{**values, **changes})


@pytest.fixture(scope="module")
def browser():
    with Chromium() as found:
        yield found


@pytest.fixture(scope="module")
def visit(browser, tmp_path_factory):
    """`visit([entry], **screen)` opens their page when its first viewer is there."""
    folder = tmp_path_factory.mktemp("pages")

    def go(entries, **screen):
        path = folder / f"{time.monotonic_ns()}.html"
        path.write_text(page(entries, title=entries[0].title), "utf-8")
        tab = browser.open(path.as_uri(), **screen)
        tab.until("document.querySelector('.viewer') !== null")
        return tab

    return go


@pytest.fixture(scope="module")
def desks(visit):
    """One tab for all tests that leave it as it was: opened anew by `Fit` and the first tab."""
    with visit([entry()], **DESK, calm=True) as tab:
        yield tab


@pytest.fixture
def desk(desks):
    desks.run("document.querySelector('[role=tab]').click()")
    desks.run("document.querySelector('[aria-label=\"Whole photo\"]').click()")
    desks.run("document.activeElement.blur(); scrollTo(0, 0)")
    yield desks
    assert desks.said == desks.asked == desks.dialogs == []


def colour(tab, x, y):
    """What is to be seen at a point of the screen."""
    with Image.open(io.BytesIO(tab.screenshot())) as file:
        ratio = file.width / tab.run("innerWidth")
        return np.asarray(file.convert("RGB"))[int(y * ratio), int(x * ratio)].astype(int)


def near(found, expected):
    """Whether two colours are the same but for the rounding of blending and scaling."""
    return np.abs(found - np.asarray(expected)).max() <= 6


def choose(tab, name):
    tab.run(
        f"[...document.querySelectorAll('[role=tab]')].find((t) => t.textContent === '{name}').click()"
    )


def share(tab):
    return int(tab.run("document.querySelector('.divider').getAttribute('aria-valuenow')"))


def zoom(tab):
    """CSS pixels for a pixel of the photo, as they are drawn."""
    return tab.run("document.querySelector('.stage img').getBoundingClientRect().width / 300")


def test_the_line_follows_the_mouse_and_uncovers_the_other_picture(desk):
    x, y = desk.middle(".stage")
    assert near(colour(desk, x - 100, y), RED)
    assert near(colour(desk, x + 100, y), GREEN)
    desk.mouse("Pressed", x, y)
    desk.mouse("Moved", x + 200, y)
    assert near(colour(desk, x + 100, y), RED)
    desk.mouse("Moved", x + 5000, y)  # the pointer is captured: it may leave the stage
    assert share(desk) == 100
    desk.mouse("Moved", x - 200, y)
    desk.mouse("Released", x - 200, y)
    assert near(colour(desk, x - 100, y), GREEN)
    desk.mouse("Moved", x, y, buttons=0, button="none")
    assert near(colour(desk, x - 100, y), GREEN)


def test_a_screen_reader_hears_of_the_zoom_when_it_changes_and_not_of_the_line(desk):
    desk.run(
        """globalThis.told = 0;
        new MutationObserver(() => told++).observe(
            document.querySelector('.level'), { childList: true, characterData: true, subtree: true });"""
    )
    x, y = desk.middle(".stage")
    desk.mouse("Pressed", x, y)
    for step in range(5):
        desk.mouse("Moved", x + 20 * step, y)
    desk.mouse("Released", x + 100, y)
    assert desk.run("told") == 0
    desk.click('[aria-label="Zoom in"]')
    assert desk.run("told") == 1


@pytest.mark.parametrize(
    ("screen", "words"),
    [
        (DESK, "Drag the line. To zoom, click the photo and turn the wheel."),
        (PHONE, "Drag the line. To zoom, pinch."),
    ],
    ids=["desk", "phone"],
)
def test_who_has_no_wheel_is_not_told_to_turn_it(visit, screen, words):
    with visit([entry()], **screen) as tab:
        assert tab.run("document.querySelector('.said').textContent") == words


def test_the_line_follows_the_keys(desk):
    desk.run("document.querySelector('.divider').focus()")
    for key, expected in [("Home", 0), ("ArrowRight", 2), ("PageUp", 12), ("End", 100)]:
        desk.press(key)
        assert share(desk) == expected, key
    desk.press("ArrowLeft")
    assert share(desk) == 98
    assert "98 percent" in desk.run(
        "document.querySelector('.divider').getAttribute('aria-valuetext')"
    )


def test_buttons_and_keys_zoom_and_both_pictures_stay_together(desk):
    whole = zoom(desk)
    desk.click('[aria-label="Zoom in"]')
    assert zoom(desk) == pytest.approx(1.5 * whole)
    desk.click('[aria-label="Zoom out"]')
    desk.click('[aria-label="True pixels"]')
    assert zoom(desk) == pytest.approx(1)
    desk.run("document.querySelector('.divider').focus()")
    desk.press("0")
    assert zoom(desk) == pytest.approx(whole)
    for _ in range(3):
        desk.press("+")
    desk.press("ArrowRight", shift=True)
    before, after = desk.run(
        "[...document.querySelectorAll('.stage img')].map((i) => JSON.stringify(i.getBoundingClientRect()))"
    )
    assert before == after
    assert desk.run("document.querySelector('.level').textContent") == f"{100 * zoom(desk):.0f} %"


def test_the_wheel_zooms_about_the_mouse_once_the_photo_was_clicked_and_scrolls_before(desk):
    x, y = desk.middle(".stage")
    whole, top = zoom(desk), desk.run("scrollY")
    desk.mouse("Wheel", x, y, deltaX=0, deltaY=60)
    desk.until(f"scrollY > {top}")
    assert zoom(desk) == pytest.approx(whole)
    desk.click(".stage")
    x, y = desk.middle(".stage")
    box = "document.querySelector('.stage img').getBoundingClientRect()"
    place = f"[{box}.x, {box}.width]"
    left, width = desk.run(place)
    desk.mouse("Wheel", x - 150, y, deltaX=0, deltaY=-300)
    desk.until(f"{box}.width > {width}")
    new_left, new_width = desk.run(place)
    # what was under the mouse is still there, to a pixel
    assert (x - 150 - new_left) / new_width == pytest.approx((x - 150 - left) / width, abs=2e-3)


def test_a_photo_that_is_zoomed_in_is_moved_by_dragging_and_not_out_of_sight(desk):
    choose(desk, "Residual")
    x, y = desk.middle(".stage")
    for _ in range(4):
        desk.run("document.querySelector('[aria-label=\"Zoom in\"]').click()")
    left = "document.querySelector('.stage img').getBoundingClientRect().x"
    start = desk.run(left)
    desk.mouse("Pressed", x, y)
    desk.mouse("Moved", x + 60, y)
    assert desk.run(left) == pytest.approx(start + 60)
    desk.mouse("Moved", x + 3000, y)
    desk.mouse("Released", x + 3000, y)
    assert desk.run(left) == pytest.approx(desk.box(".stage")["x"])


def test_pages_turn_by_button_arrow_and_thumbnail_and_space_plays(desk):
    choose(desk, "Samples")
    shown = "[...document.querySelectorAll('.stage img')].findIndex((i) => !i.classList.contains('away'))"
    assert near(colour(desk, *desk.middle(".stage")), (40, 60, 200))
    desk.click('[aria-label="Next"]')
    assert near(colour(desk, *desk.middle(".stage")), (40, 100, 200))
    desk.run("document.querySelector('.stage').focus()")
    desk.press("ArrowLeft")
    desk.press("ArrowLeft")  # and round to the last
    assert desk.run(shown) == 2
    desk.click('.thumb[aria-label="Sample 2 of 3"]')
    assert desk.run(shown) == 1
    assert desk.run("document.querySelector('[aria-current=true]').ariaLabel") == "Sample 2 of 3"
    desk.run("document.querySelector('.stage').focus()")
    assert desk.run("document.querySelector('.play').textContent") == "Play"  # motion is not wanted
    desk.press("Space")
    assert desk.run("document.querySelector('.play').textContent") == "Pause"
    desk.until(f"{shown} === 2")
    desk.press("Space")
    assert desk.run("document.querySelector('.play').textContent") == "Play"


def test_samples_play_by_themselves_where_motion_is_welcome_and_stop_when_left(visit):
    with visit([entry()], **DESK) as tab:
        choose(tab, "Samples")
        assert tab.run("document.querySelector('.play').textContent") == "Pause"
        choose(tab, "Steps")
        assert tab.run("document.querySelector('.play').textContent") == "Play"
        tab.click(".play")
        tab.until("document.querySelector('.play').textContent === 'Play'")  # it ends
        assert tab.run("document.querySelector('.tag').textContent") == "Estimate 4 of 4"
        assert tab.said == []


def test_the_map_lies_over_the_photo_as_much_as_is_wanted(desk):
    choose(desk, "Uncertainty")
    x, y = desk.middle(".stage")
    dial = "document.querySelector('input[type=range]')"
    grey = 0.2126 * GREEN[0] + 0.7152 * GREEN[1] + 0.0722 * GREEN[2]  # luminance of sRGB numbers
    for value in (0, 50, 100):
        desk.run(f"{dial}.value = {value}; {dial}.dispatchEvent(new Event('input'))")
        expected = (1 - value / 100) * grey + value / 100 * np.array(GOLD)
        assert near(colour(desk, x, y), expected), value
    assert desk.run("document.querySelector('.ticks').innerText").split() == ["0", "6.3", "13"]
    desk.run(f"{dial}.focus()")
    desk.press("Home")
    assert near(colour(desk, x, y), [grey] * 3)


def test_arrows_walk_the_tabs_and_each_names_the_panel(desk):
    desk.run("document.querySelector('[aria-selected=true]').focus()")
    names = []
    for _ in range(6):
        names.append(desk.run("document.activeElement.textContent"))
        assert desk.run(
            "document.querySelector('.panel').getAttribute('aria-labelledby') === document.activeElement.id"
        )
        desk.press("ArrowRight")
    assert names == ["Compare", "Samples", "Uncertainty", "Residual", "Steps", "Compare"]


def test_all_that_can_be_done_is_reached_by_tab_and_is_seen_to_be_reached(desk):
    desk.run("document.querySelector('[role=tab]').focus()")
    reached = []
    for _ in range(7):
        desk.press("Tab")
        reached.append(
            desk.run(
                """(() => {
                const node = document.activeElement;
                const ring = node.matches(".divider") ? node.querySelector(".grip") : node;
                const style = getComputedStyle(ring);
                const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                return [node.ariaLabel ?? node.textContent, seen];
                })()"""
            )
        )
    names, seen = zip(*reached, strict=True)
    assert names[:6] == (
        "Dividing line", "Zoom out", "Zoom in", "True pixels", "Whole photo", "Copy the command",
    )  # fmt: skip
    assert all(seen[:6])


def test_the_command_is_copied_or_marked(desk):
    desk.click(".replay button")
    desk.until("document.querySelector('.answer').textContent !== ''")
    marked = desk.run("getSelection().toString()")
    copied = desk.run("document.querySelector('.answer').textContent") == "Copied"
    assert copied or marked == "jaxir replay cat.png.jaxir.json"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_is_wider_than_the_screen_and_fingers_have_room(visit, screen, dark):
    with visit([entry("n" * 90 + ".png"), entry("b")], **screen, dark=dark, calm=True) as tab:
        for name in ("Compare", "Samples", "Uncertainty", "Residual", "Steps"):
            choose(tab, name)
            assert tab.run("document.documentElement.scrollWidth <= innerWidth"), name
            sizes = tab.run(
                """[...document.querySelectorAll("button, input, .grip")].map((node) => {
                const { width, height } = node.getBoundingClientRect();
                return [node.outerHTML.slice(0, 60), width, height];
                })"""
            )
            assert [s for s in sizes if 0 < min(s[1:]) < 44] == [], name  # 0 is not there
        assert tab.run("[...document.images].filter((i) => !i.hasAttribute('alt')).length") == 0
        assert tab.said == tab.asked == []


def test_a_finger_moves_the_line_scrolls_the_page_and_two_zoom(visit):
    with visit([entry()], **PHONE) as tab:
        box = tab.box(".stage")
        x, y = box["x"] + 60, box["y"] + 60
        tab.touch("Start", (x, y))
        for step in range(1, 8):
            tab.touch("Move", (x + 20 * step, y))
        tab.touch("End")
        expected = 100 * (60 + 140) / box["width"]
        assert share(tab) == pytest.approx(expected, abs=1)
        top = tab.run("scrollY")
        for kind, step in [("Start", 0), *(("Move", i) for i in range(1, 8))]:
            tab.touch(kind, (x, y - 15 * step))
        tab.touch("End")
        tab.until(f"scrollY > {top}")
        assert share(tab) == pytest.approx(expected, abs=1)
        whole, (x, y) = zoom(tab), tab.middle(".stage")
        for kind, step in [("Start", 0), *(("Move", i) for i in range(1, 8))]:
            tab.touch(kind, (x - 20 - 5 * step, y), (x + 20 + 5 * step, y))
        tab.touch("End")
        assert zoom(tab) == pytest.approx(whole * (40 + 70) / 40, rel=0.05)
        assert tab.said == []


def test_names_are_words_whatever_they_are(visit):
    words = {"title": HOSTILE, "replay": HOSTILE, "problem": HOSTILE, "note": HOSTILE}
    hostile = entry(
        **words,
        metrics=[(HOSTILE, HOSTILE)],
        settings=[(HOSTILE, HOSTILE)],
        details=[Detail(HOSTILE, plain(RED), plain(GREEN))],
    )
    with visit([hostile, Entry(HOSTILE, problem=HOSTILE)], **DESK) as tab:
        tab.until("document.querySelectorAll('.viewer').length === 2")
        for name in ("Samples", "Uncertainty", "Residual", "Steps", "Compare"):
            choose(tab, name)
        assert tab.run("document.title") == HOSTILE
        assert tab.run("document.querySelector('h2').textContent") == HOSTILE
        assert tab.run("document.querySelector('dd').textContent") == HOSTILE
        assert tab.run("document.querySelectorAll('[onerror]').length") == 0
        assert tab.said == tab.asked == tab.dialogs == []


def test_the_policy_stops_what_would_get_in(visit):
    with visit([entry()], **DESK) as tab:
        tab.run(
            """(() => {
            document.body.insertAdjacentHTML("beforeend", "<img src='https://jaxir.invalid/x.png' onerror='alert(1)'>");
            const script = document.createElement("script");
            script.textContent = "alert(2)";
            document.body.append(script);
            })()"""
        )
        tab.until(lambda: len(tab.said) >= 2)
        assert all("Content Security Policy" in words for words in tab.said)
        assert tab.asked == tab.dialogs == []


def test_of_fifty_photos_those_near_the_screen_are_built(visit):
    entries = [entry(f"{i}.png") for i in range(50)]
    with visit(entries, **DESK) as tab:
        assert tab.run("document.querySelectorAll('nav a img').length") == 50
        built = "document.querySelectorAll('.viewer').length"
        assert tab.run(built) <= 3
        tab.run("document.querySelector('a[href=\"#photo-50\"]').click()")
        tab.until("document.querySelector('#photo-50 .viewer') !== null")
        assert tab.run(built) <= 9
        assert tab.said == tab.asked == []


def test_on_paper_there_are_both_pictures_of_every_photo_and_no_buttons(visit):
    with visit([entry("a"), entry("b"), entry("c"), entry("d")], **DESK) as tab:
        tab.run("dispatchEvent(new Event('beforeprint'))")
        tab.send("Emulation.setEmulatedMedia", media="print")
        seen = tab.run(
            """[...document.querySelectorAll(".viewer")].map((viewer) => {
            const boxes = [...viewer.querySelectorAll(".stage img")].map((i) => i.getBoundingClientRect());
            return [boxes.length, boxes.every((b) => b.width > 300), Math.abs(boxes[0].y - boxes[1].y) < 2];
            })"""
        )
        assert seen == [[2, True, True]] * 4
        assert tab.run("[...document.querySelectorAll('button')].every((b) => !b.offsetParent)")


def test_what_is_not_there_has_no_tab(visit):
    bare = entry(samples=(), uncertainty=None, residual=None, trajectory=(), details=())
    with visit([bare, entry(before=None, samples=())], **DESK) as tab:
        tab.until("document.querySelectorAll('.viewer').length === 2")
        assert tab.run("document.querySelector('#photo-1 [role=tab]')") is None
        assert tab.run("document.querySelector('#photo-2 [role=tab]').textContent") == "Restored"
        assert tab.run("document.querySelector('#photo-2 .divider').offsetParent") is None
        assert tab.said == []
