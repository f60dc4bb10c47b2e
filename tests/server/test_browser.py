"""The page in a browser, as a person uses it: with a mouse, with keys, on a phone, with a hostile photo."""

import base64
import contextlib
import io
import json
from collections.abc import Iterator

import chromium
import pytest
from PIL import Image
from server.stand_in import TOKEN, check, picture, running

from jaxir.server import create_app, listen

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="needs Chromium")

HOSTILE = '"><img src=x onerror=alert(1)>\u202e&amp;<b>.png'


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Chromium]:
    with chromium.Chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, port):
    """`opened(width=360)` is the page in a tab that is closed after the test."""
    with contextlib.ExitStack() as stack:
        url = f"http://127.0.0.1:{port}/?token={TOKEN}"
        yield lambda **screen: stack.enter_context(browser.open(url, **screen))


def drop(tab, name, body=None):
    """Let a file fall on the page."""
    data = base64.b64encode(picture() if body is None else body).decode()
    tab.run(
        f"""(() => {{
        const bytes = Uint8Array.from(atob("{data}"), (c) => c.charCodeAt(0));
        const carried = new DataTransfer();
        carried.items.add(new File([bytes], {json.dumps(name)}));
        const more = {{ dataTransfer: carried, bubbles: true, cancelable: true }};
        for (const kind of ["dragenter", "dragover", "drop"])
          document.getElementById("drop").dispatchEvent(new DragEvent(kind, more));
        }})()"""
    )


def seen(tab, id):
    return tab.run(f"document.getElementById('{id}').checkVisibility()")


def text(tab, id):
    return tab.run(f"document.getElementById('{id}').textContent")


def ready(tab):
    """The photo has arrived and the words have been checked."""
    tab.until("document.getElementById('prepare').checkVisibility()")
    tab.until("document.getElementById('thumbnail').naturalWidth > 0")
    tab.until("!document.getElementById('begin').disabled")


def fits(tab):
    """Whether nothing is wider than the screen."""
    return tab.run("document.documentElement.scrollWidth <= innerWidth")


def test_a_photo_is_dropped_watched_looked_at_and_saved_and_its_name_does_no_harm(
    opened, port, restoration
):
    restoration.gate.clear()
    restoration.free = 2
    tab = opened()
    assert tab.run("location.search") == ""  # the token is gone from the address
    drop(tab, HOSTILE)
    ready(tab)
    assert text(tab, "photo-name") == '"><img src=x onerror=alert(1)>&amp;<b>.png'
    assert "24 × 16, PNG" in text(tab, "photo-facts")
    tab.click("#begin")
    tab.until("document.getElementById('bar').value === 2")
    assert text(tab, "pace").startswith("Step 2 of 4")
    tab.until("document.getElementById('preview').naturalWidth > 0")
    restoration.gate.set()
    tab.until("Boolean(document.querySelector('#result .viewer img'))")
    assert not seen(tab, "running")
    links = tab.run("[...document.querySelectorAll('#files a')].map((a) => a.textContent)")
    assert links == ["Save the photo", "Settings"]
    saved = tab.run(
        "fetch(document.querySelector('#files a').href).then((r) => r.headers.get('content-disposition'))"
    )
    assert saved.startswith("attachment;")
    assert "<img" not in saved
    assert text(tab, "jobs").startswith('"><img src=x')
    assert tab.run("document.querySelector('img[onerror], b') === null")
    assert tab.said == tab.dialogs == []
    assert all(address.startswith(f"http://127.0.0.1:{port}/") for address in tab.asked)


def test_the_words_follow_the_choice_and_the_choice_the_words(opened):
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    words = "document.getElementById('text').value"
    assert tab.run(words) == "auto"
    for expected in ("noise(0.1)", "motion(15,30)|crop(8)|noise(0.02)"):
        tab.press("ArrowRight")  # the choice has the focus
        assert tab.run(words) == expected
    tab.run("document.querySelector('#numbers input').select()")
    tab.press("9")
    assert tab.run(words) == "motion(9,30)|crop(5)|noise(0.02)"
    tab.run("document.getElementById('text').select()")
    for letter in "bad":
        tab.press(letter)
    tab.until("document.getElementById('begin').disabled")
    assert text(tab, "text-error") == "unknown degradation 'bad'"
    assert (
        tab.run("document.querySelector('#choices :checked').parentNode.textContent") == "In words"
    )
    assert tab.said == []


def test_what_is_broken_is_painted_before_it_can_begin(opened, tmp_path):
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    tab.click("#choices label:nth-child(8)")
    tab.until("document.getElementById('begin').disabled")
    assert seen(tab, "paint")
    x, y = tab.middle("#paint")
    tab.mouse("Pressed", x, y)
    tab.mouse("Moved", x + 20, y)
    tab.mouse("Released", x + 20, y)
    ready(tab)
    tab.click("#begin")
    tab.until("Boolean(document.querySelector('#result .viewer'))")
    (mask,) = tmp_path.glob("job-*/mask")
    import numpy as np
    from PIL import Image

    with Image.open(mask) as file:
        assert file.size == (24, 16)
        grey = np.asarray(file.convert("L"))
    assert grey[8, 12] < 128 < grey[0, 0]
    assert tab.said == []


def test_it_is_cancelled_and_tried_again_and_a_new_page_knows_of_both(opened, restoration):
    restoration.gate.clear()
    tab = opened(width=360, height=740, touch=True)
    assert fits(tab)
    drop(tab, "a" * 300 + ".png")
    ready(tab)
    assert fits(tab)
    tab.click("#begin")
    assert restoration.begun.wait(10)
    tab.until("document.getElementById('running').checkVisibility()")
    assert fits(tab)
    tab.click("#cancel")
    tab.until("document.getElementById('cancel').disabled")
    restoration.gate.set()
    tab.until("document.getElementById('ended').checkVisibility()")
    assert text(tab, "ended") == "Cancelled."
    tab.click("#again")
    ready(tab)
    tab.click("#begin")
    tab.until("Boolean(document.querySelector('#result .viewer'))")
    assert fits(tab)
    assert tab.said == []
    other = opened()
    other.until("document.querySelectorAll('#jobs li').length === 2")
    other.click("#jobs li:first-child button")
    other.until("Boolean(document.querySelector('#result .viewer'))")
    assert other.said == []


def test_what_is_no_photo_is_refused_in_words(opened):
    tab = opened()
    drop(tab, "a.png", b"hello")
    tab.until("document.getElementById('problem').checkVisibility()")
    assert text(tab, "problem").startswith("The file is not an image")
    drop(tab, "a.png", bytes(30_000))
    tab.until("document.getElementById('problem').textContent.includes('larger')")
    assert seen(tab, "choose")
    assert [line for line in tab.said if "415" not in line] == []  # the browser's own line


def value(tab, selector):
    return tab.run(f"document.querySelector('{selector}').value")


def write(tab, selector, words):
    """Put words into a field, as if they were typed."""
    tab.run(
        f"""(() => {{
        const field = document.querySelector({json.dumps(selector)});
        field.value = {json.dumps(words)};
        field.dispatchEvent(new Event("input", {{ bubbles: true }}));
        }})()"""
    )


def restored(tab):
    tab.click("#begin")
    tab.until("Boolean(document.querySelector('#result .viewer'))")


def test_other_settings_begin_with_those_of_the_job_even_on_a_new_page(opened):
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    tab.click("#choices label:nth-child(3)")
    write(tab, "#numbers input", "9")
    for name, given in {"steps": "7", "seed": "5", "method": "mmps(steps=2)"}.items():
        write(tab, f"[name={name}]", given)
    ready(tab)
    restored(tab)
    other = opened()
    other.until("document.querySelectorAll('#jobs li').length === 1")
    for number in (1, 2):  # the second time it is the photo of a job that had no upload
        other.click("#jobs li:first-child button")
        other.until("Boolean(document.querySelector('#result .viewer'))")
        other.click("#again")
        ready(other)
        assert value(other, "#text") == "motion(9,30)|crop(5)|noise(0.02)"
        checked = "document.querySelector('#choices :checked').parentNode.textContent"
        assert other.run(checked) == "Shaken"
        numbers = other.run("[...document.querySelectorAll('#numbers input')].map((i) => i.value)")
        assert numbers[:3] == ["9", "30", "0.02"]
        assert value(other, "[name=steps]") == "7"
        assert value(other, "[name=seed]") == "5"
        assert value(other, "[name=method]") == "mmps(steps=2)"
        restored(other)
        other.until(f"document.querySelectorAll('#jobs li').length === {number + 1}")
    assert other.said == []


def test_words_that_no_choice_says_are_told_as_they_are(opened):
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    write(tab, "#text", "haze(0.4)|noise(0.02)")
    ready(tab)
    restored(tab)
    tab.click("#again")
    ready(tab)
    assert value(tab, "#text") == "haze(0.4)|noise(0.02)"


def test_a_wrong_number_that_is_folded_away_is_shown_when_it_is_to_begin(opened):
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    tab.run("document.querySelector('[name=steps]').value = '0'")
    assert not tab.run("document.querySelector('details').open")
    tab.click("#begin")
    assert tab.run("document.querySelector('details').open")
    assert tab.run("document.activeElement.name") == "steps"
    assert tab.run("document.querySelectorAll('#jobs li').length") == 0


def test_a_page_that_is_not_seen_gives_its_connection_back(opened):
    tab = opened()
    tab.until("typeof EventSource === 'function'")
    tab.run(
        """(() => {
        globalThis.hung = 0;
        const close = EventSource.prototype.close;
        EventSource.prototype.close = function () { hung += 1; close.call(this); };
        globalThis.turn = (hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        };
        turn(true);
        })()"""
    )
    assert tab.run("hung") == 1

    def streams():
        return sum(address.endswith("/events") for address in tab.asked)

    before = streams()
    tab.run("turn(false)")
    tab.until(lambda: streams() == before + 1)
    assert tab.said == []


@pytest.mark.slow
def test_a_page_says_that_the_server_is_gone_or_new_and_comes_back(
    browser, bound, tmp_path, restoration, limits
):
    port = bound.getsockname()[1]

    def app(name, token):
        (folder := tmp_path / name).mkdir()
        return create_app(restoration, check, folder=folder, token=token, limits=limits)

    with contextlib.ExitStack() as stack:
        with running(app("first", TOKEN), bound):
            tab = stack.enter_context(browser.open(f"http://127.0.0.1:{port}/?token={TOKEN}"))
            drop(tab, "a.png", b"hello")
            tab.until("document.getElementById('problem').checkVisibility()")
        bound.close()
        line = "document.getElementById('connection')"
        tab.until(f"{line}.textContent.includes('does not answer')")
        with listen("127.0.0.1", port) as again, running(app("second", "another"), again):
            tab.until(f"{line}.textContent.includes('open the address that it printed now')")
            new = stack.enter_context(browser.open(f"http://127.0.0.1:{port}/?token=another"))
            tab.until(f"{line}.hidden")
            assert seen(tab, "problem")  # which is of something else
            for page in (tab, new):
                drop(page, "a.png")
                ready(page)


def test_a_second_finger_does_not_draw(opened):
    tab = opened(width=390, height=800, touch=True)
    drop(tab, "a.png")
    ready(tab)
    tab.click("#choices label:nth-child(8)")
    tab.until("document.getElementById('paint').checkVisibility()")
    drawn = tab.run(
        """(() => {
        const canvas = document.getElementById("paint");
        canvas.setPointerCapture = () => {}; // which knows real fingers only
        const { x, y } = canvas.getBoundingClientRect();
        const point = (kind, pointerId, dx, dy) => {
          const at = { pointerId, clientX: x + dx, clientY: y + dy, button: 0, cancelable: true };
          canvas.dispatchEvent(new PointerEvent(`pointer${kind}`, at));
          return canvas.toDataURL();
        };
        point("down", 5, 20, 20);
        return [
          point("move", 5, 60, 20),
          point("down", 6, 20, 90),
          point("move", 6, 60, 90),
          point("up", 6, 60, 90),
          point("move", 5, 90, 20),
          point("up", 5, 90, 20),
          point("move", 5, 90, 90),
        ];
        })()"""
    )
    assert drawn[0] == drawn[1] == drawn[2] == drawn[3]
    assert drawn[3] != drawn[4]
    assert drawn[4] == drawn[5] == drawn[6]
    assert tab.said == []


def test_a_mask_is_chosen_as_a_file_by_who_cannot_paint(opened, tmp_path):
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    tab.click("#choices label:nth-child(8)")
    tab.until("document.getElementById('begin').disabled")
    tab.run("document.getElementById('mask-browse').focus()")
    assert tab.run("document.activeElement.id") == "mask-browse"
    data = base64.b64encode(picture(24, 16)).decode()
    tab.run(
        f"""(() => {{
        const bytes = Uint8Array.from(atob("{data}"), (c) => c.charCodeAt(0));
        const carried = new DataTransfer();
        carried.items.add(new File([bytes], "broken.png"));
        const input = document.getElementById("mask-file");
        input.files = carried.files;
        input.dispatchEvent(new Event("change"));
        }})()"""
    )
    ready(tab)
    assert text(tab, "mask-name") == "broken.png"
    restored(tab)
    (mask,) = tmp_path.glob("job-*/mask")
    assert mask.read_bytes() == picture(24, 16)
    other = opened()
    other.until("document.querySelectorAll('#jobs li').length === 1")
    other.click("#jobs li:first-child button")
    other.until("Boolean(document.querySelector('#result .viewer'))")
    other.click("#again")
    ready(other)
    assert text(other, "mask-name") == "The mask from before is used."
    restored(other)
    assert tab.said == other.said == []


def test_a_phone_is_not_asked_to_drop_and_every_page_has_its_headings_and_formats(opened):
    phone = opened(width=360, height=740, touch=True)
    assert text(phone, "choose-title") == "Choose a photo"
    assert not seen(phone, "or-paste")
    desk = opened()
    assert text(desk, "choose-title") == "Drop a photo here"
    desk.until("document.getElementById('limits').textContent.startsWith('JPEG, PNG')")
    pages = [Image.new("L", (24, 16), level) for level in (0, 255)]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    drop(desk, "scan.tif", file.getvalue())
    ready(desk)
    assert text(desk, "photo-facts").startswith("Page 1 of 2, 24 × 16, TIFF")
    assert seen(desk, "prepare-title")
    desk.send("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    outline = (
        "getComputedStyle(document.querySelector('.choices label:has(:checked)')).outlineStyle"
    )
    assert desk.run(outline) == "solid"


def test_what_was_found_in_the_photo_is_said_while_it_runs(opened, restoration):
    restoration.gate.clear()
    tab = opened()
    drop(tab, "a.png")
    ready(tab)
    tab.click("#begin")
    tab.until("document.getElementById('found').checkVisibility()")
    tab.until("document.getElementById('found').textContent.startsWith('auto: noise(0.1)')")
    restoration.gate.set()
