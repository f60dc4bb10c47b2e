"""The page in a browser, as a person uses it: with a mouse, with keys, on a phone, with a hostile photo."""

import base64
import contextlib
import json
from collections.abc import Iterator

import chromium
import pytest
from server.stand_in import TOKEN, picture

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
