"""One file over http: resumed where it stopped, and believed by its hash alone."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from importlib.metadata import version
from pathlib import Path
from typing import Any

_BLOCK, _ATTEMPTS, _TIMEOUT = 2**20, 5, 30.0

Progress = Callable[[int, int, str], None]
"""Is told bytes that are here, of how many, and of which file."""


class HubError(RuntimeError):
    """A hub that cannot be reached, refuses, or sends something else than it promised."""


def opened(url: str, *, token: str | None = None, start: int = 0) -> HTTPResponse:
    """The answer to a request, of the bytes from `start` on.

    Raises:
        HubError: if there is none, or it is an error; its cause is the original's.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"jaxir/{version('jaxir')}"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        return urllib.request.build_opener(_SentOn).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        reason = " ".join(str(error.reason).split())
        raise HubError(f"{url} answers {error.code} ({reason})") from error
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise HubError(f"{url} cannot be reached ({reason}): check the network") from error


class _SentOn(urllib.request.HTTPRedirectHandler):
    """The token goes on with us within the host that it is for, and not to another's storage."""

    def redirect_request(self, request: Any, *rest: Any) -> urllib.request.Request | None:
        following = super().redirect_request(request, *rest)
        token = request.unredirected_hdrs.get("Authorization")
        if following is not None and token and _host(following.full_url) == _host(request.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


def _host(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def download(
    url: str,
    path: Path,
    *,
    size: int,
    digest: str,
    token: str | None,
    progress: Progress,
    name: str,
) -> None:
    """Write a file whose size and hash are known; what came of it before an interruption is gone on with.

    Args:
        url: where it is.
        path: where it goes; until it is whole and right, to this name with ".incomplete" behind it.
        size: in bytes.
        digest: as `file_digest` gives it.
        token: for the host of the url.
        progress: told now and then.
        name: of the file, for people.

    Raises:
        HubError: if it stopped on the way, which keeps what came, or the hash differs, which deletes it.
    """
    part = path.with_name(f"{path.name}.incomplete")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    reason = "the connection ended"
    for _ in range(_ATTEMPTS):
        start = part.stat().st_size
        if start >= size:
            break
        with opened(url, token=token, start=start) as answer:
            try:
                resumed = answer.status == 206  # else it is the whole file again
                _append(answer, part, start if resumed else 0, size, progress, name)
            except (OSError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
        if part.stat().st_size <= start:
            break
    came = part.stat().st_size
    if came < size:
        raise HubError(
            f"{name} stopped after {came} of {size} bytes ({reason}): they are kept, so run the same again to go on"
        )
    if came > size or file_digest(part, len(digest)) != digest:
        part.unlink()
        raise HubError(
            f"{name} is not what the hub promised, {size} bytes of hash {digest[:12]}…, and was deleted: try again, "
            "and trust no mirror that sends it twice"
        )
    part.replace(path)


def _append(
    answer: HTTPResponse, part: Path, start: int, size: int, progress: Progress, name: str
) -> None:
    with part.open("ab" if start else "wb") as file:
        done = start
        while done <= size and (block := answer.read(_BLOCK)):
            file.write(block)
            done += len(block)
            progress(done, size, name)


def file_digest(path: Path, digits: int = 64) -> str:
    """SHA-256 of a file, or with 40 digits its hash as a blob of git."""
    with path.open("rb") as file:
        if digits == 64:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        while block := file.read(_BLOCK):
            digest.update(block)
        return digest.hexdigest()
