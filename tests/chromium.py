"""Chromium without a window, driven over a pipe by its own protocol: no driver and no package is needed.

    with Chromium() as browser, browser.open(url, width=360, height=740) as tab:
        tab.press("ArrowRight")
        assert tab.run("document.title") == "photos"
        assert tab.said == tab.asked == []

Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""Where it is, or None."""

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
]
_KEYS = {
    "Tab": 9, "Enter": 13, "Space": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip


class Chromium:
    """The program; it ends, and what it wrote goes away, with the `with` block."""

    def __enter__(self) -> Chromium:
        assert PROGRAM
        self._folder = tempfile.mkdtemp(prefix="jaxir-chromium-")
        (ours, theirs), (their_out, our_in) = self._pipe(), self._pipe()
        self._in, self._out, self._rest = our_in, ours, b""
        self._number, self._events = 0, []
        # the protocol has file descriptors 3 and 4; a shell puts them there, since forking with JAX inside is unsafe
        command = f'exec "$0" "$@" 3<&{their_out} 4>&{theirs}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, PROGRAM, *_FLAGS, f"--user-data-dir={self._folder}"],
            pass_fds=(their_out, theirs),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_out)
        os.close(theirs)
        return self

    @staticmethod
    def _pipe() -> tuple[int, int]:
        """Two ends whose numbers are not 3 or 4."""
        ends = os.pipe()
        high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
        for end in ends:
            os.close(end)
        return high

    def __exit__(self, *error: object) -> None:
        try:
            self.send("Browser.close")
            self._process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._folder, ignore_errors=True)

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._in, data) :]
        number, end = self._number, time.monotonic() + 30
        while True:
            answer = self._next(end - time.monotonic())
            assert answer is not None, f"no answer to {method} in 30 s"
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._events.append(answer)

    def _next(self, seconds: float) -> dict[str, Any] | None:
        while b"\0" not in self._rest:
            if not select.select([self._out], [], [], max(0, seconds))[0]:
                return None
            data = os.read(self._out, 1 << 20)
            assert data, "Chromium ended"
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def events(self, session: str, seconds: float = 0) -> list[dict[str, Any]]:
        """What happened in a tab since the last time."""
        while (event := self._next(seconds)) is not None:
            self._events.append(event)
            seconds = 0
        own = [event for event in self._events if event.get("sessionId") == session]
        self._events = [event for event in self._events if event.get("sessionId") != session]
        return own

    def open(self, url: str, **screen: Any) -> Tab:
        """A new tab with a page that has loaded; arguments as `Tab`."""
        return Tab(self, url, **screen)


class Tab:
    """A page as somebody uses it.

    Attributes:
        said: errors, warnings and all else in the console.
        asked: addresses that were asked for, but for the page itself, what is in it and what its policy stopped.
        dialogs: texts of dialogs that opened.
    """

    def __init__(
        self,
        browser: Chromium,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        touch: bool = False,
        dark: bool = False,
        calm: bool = False,
    ) -> None:
        self._browser, self._url = browser, url
        self._target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        self._said: list[str] = []
        self._asked: dict[str, str] = {}
        self._dialogs: list[str] = []
        self._loaded = False
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(width, height, touch=touch)
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if calm else "no-preference",
        }
        self.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)
        self.send("Page.navigate", url=url)
        self.until(lambda: self._loaded)

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *error: object) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the protocol something about this tab."""
        return self._browser.send(method, self._session, **parameters)

    def resize(self, width: int, height: int, *, touch: bool = False) -> None:
        """Another size of the screen in CSS pixels; with touch it is a phone."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if touch else 1, mobile=touch,
        )  # fmt: skip
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)

    def _listen(self, seconds: float = 0) -> None:
        for event in self._browser.events(self._session, seconds):
            method, values = event["method"], event["params"]
            if method == "Page.loadEventFired":
                self._loaded = True
            elif method == "Runtime.consoleAPICalled":
                words = [str(value.get("value", value)) for value in values["args"]]
                self._said.append(f"{values['type']}: {' '.join(words)}")
            elif method == "Runtime.exceptionThrown":
                details = values["exceptionDetails"]
                self._said.append(details.get("exception", {}).get("description", details["text"]))
            elif method == "Log.entryAdded":
                self._said.append(f"{values['entry']['level']}: {values['entry']['text']}")
            elif method == "Network.requestWillBeSent":
                address = values["request"]["url"]
                if address != self._url and not address.startswith(("data:", "blob:")):
                    self._asked[values["requestId"]] = address
            elif method == "Network.loadingFailed" and "blockedReason" in values:
                self._asked.pop(values["requestId"], None)  # it did not leave the page
            elif method == "Page.javascriptDialogOpening":
                self._dialogs.append(values["message"])
                self.send("Page.handleJavaScriptDialog", accept=False)

    @property
    def said(self) -> list[str]:
        self._listen()
        return self._said

    @property
    def asked(self) -> list[str]:
        self._listen()
        return list(self._asked.values())

    @property
    def dialogs(self) -> list[str]:
        self._listen()
        return self._dialogs

    def until(self, true: Any, seconds: float = 20) -> Any:
        """Wait for a JavaScript expression, or a function of Python, to be true; its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(true) if isinstance(true, str) else true()):
            assert time.monotonic() < end, f"not true in {seconds} s: {true}"
            self._listen(0.05)
        return value

    def run(self, code: str) -> Any:
        """The value of a JavaScript expression, as JSON; a promise is awaited."""
        answer = self.send(
            "Runtime.evaluate",
            expression=code,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def box(self, selector: str) -> dict[str, float]:
        """x, y, width and height of an element on the screen, to which the page is scrolled."""
        return self.run(
            f"""(() => {{
            const node = document.querySelector({json.dumps(selector)});
            node.scrollIntoView({{ block: "center", behavior: "instant" }});
            const {{ x, y, width, height }} = node.getBoundingClientRect();
            return {{ x, y, width, height }};
            }})()"""
        )

    def middle(self, selector: str) -> tuple[float, float]:
        """The middle of an element on the screen, to which the page is scrolled."""
        box = self.box(selector)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Pressed, Released, Moved or Wheel at a point of the screen."""
        button = {"button": "left", "buttons": 1, "clickCount": 1}
        parameters = {**({} if kind == "Wheel" else button), **more}
        self.send("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **parameters)

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        x, y = self.middle(selector)
        self.mouse("Pressed", x, y)
        self.mouse("Released", x, y)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Start, Move or End with fingers at points of the screen."""
        fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.send("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=fingers)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key: a letter, or a name of the protocol such as ArrowLeft."""
        text = {"Space": " ", "Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = _KEYS.get(key, ord(key[0].upper()))
        values = {
            "key": " " if key == "Space" else key,
            "code": key,
            "windowsVirtualKeyCode": code,
            "modifiers": 8 if shift else 0,
        }
        self.send(
            "Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **values
        )
        self.send("Input.dispatchKeyEvent", type="keyUp", **values)

    def screenshot(self, path: str | Path | None = None, *, whole: bool = False) -> bytes:
        """What is to be seen, as PNG; `whole` takes the page beyond the screen too."""
        answer = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        data = base64.b64decode(answer["data"])
        if path is not None:
            Path(path).write_bytes(data)
        return data
