"""Who may ask: every request passes here first, and every answer leaves with the same headers.

A server on this machine can be reached by any page that the browser shows. Three questions keep those pages out, and
each closes a door that the others leave open: the token (they do not know it), the host's name (a page whose own name
has been pointed at this machine), and the page that asks (one that makes the browser send the cookie along).

A browser sends the cookie to every port of a host, whoever listens there. So it is not the token, it is only derived
from it, and lets in what reads; what changes anything has the token itself in a header, which the page keeps.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from http import cookies
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer carries; there is no header that lets another origin read anything."""

READING = ("GET", "HEAD")
"""Methods that change nothing."""


class Access:
    """Lets a request through if it knows the token, names this host and comes from the application's own page.

    Args:
        app: what is behind the door.
        token: the secret in the address that `jaxir serve` prints.
        host: the name or address in that address.
    """

    def __init__(self, app: ASGIApp, token: str, host: str) -> None:
        self._app, self._token, self._host = app, token, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answered.setdefault(name, value)
                if first:
                    answered["Set-Cookie"] = self._cookie()
            await send(message)

        first = False
        if not self._names_this_host(headers):
            refusal = (421, "this server does not go by that name: open the address it printed")
        elif not (self._knows(scope["method"], headers) or (first := self._arrives(scope))):
            refusal = (403, "the token is missing: open the address that jaxir serve printed")
        elif not (first or _from_this_page(scope["method"], headers)):
            refusal = (403, "another page asked for this: only the application's own page may")
        else:
            await self._app(scope, receive, answer)
            return
        status, error = refusal
        await JSONResponse({"error": error}, status)(scope, receive, answer)

    def _names_this_host(self, headers: Headers) -> bool:
        """Whether the only Host header names this machine; a port is not asked for, a tunnel may have another."""
        try:
            (given,) = headers.getlist("host")
            name = urlsplit(f"//{given}").hostname or ""
        except ValueError:
            return False
        if name in ("localhost", self._host.lower()):
            return True
        return _is_loopback(name) or (_is_address(name) and not is_local(self._host))

    def _knows(self, method: str, headers: Headers) -> bool:
        """Whether the header has the token or, to read, the cookie what is derived from it."""
        if _same(headers.get("authorization", ""), f"Bearer {self._token}"):
            return True
        return method in READING and any(
            _same(cookie.value, cookie_value(self._token))
            for line in headers.getlist("cookie")
            for name, cookie in _cookies(line).items()
            if name == cookie_name(self._token)
        )

    def _arrives(self, scope: Scope) -> bool:
        """Whether somebody opens the address that was printed."""
        given = QueryParams(scope["query_string"]).get("token", "")
        return scope["path"] == "/" and scope["method"] in READING and _same(given, self._token)

    def _cookie(self) -> str:
        return f"{cookie_name(self._token)}={cookie_value(self._token)}; Path=/; HttpOnly; SameSite=Strict"


def cookie_name(token: str) -> str:
    """The cookie's name: browsers keep one jar for all ports of a host, so two servers must not share a name."""
    return f"jaxir-{_derived(token, 'name')[:8]}"


def cookie_value(token: str) -> str:
    """What the cookie holds: it follows from the token, and the token does not follow from it."""
    return _derived(token, "value")


def _derived(token: str, word: str) -> str:
    return hmac.digest(token.encode(), word.encode(), "sha256").hex()


def is_local(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to `host`."""
    return host.lower() == "localhost" or _is_loopback(host)


def _from_this_page(method: str, headers: Headers) -> bool:
    """Whether the browser says that the request comes from the application's page.

    A program that says nothing of it sends the token in the header, which no other page can do.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none" if method in READING else ""):
        return False
    return origin is None or origin == f"http://{headers['host']}"


def _cookies(line: str) -> cookies.SimpleCookie:
    jar = cookies.SimpleCookie()
    try:
        jar.load(line)
    except cookies.CookieError:
        return cookies.SimpleCookie()
    return jar


def _same(given: str, secret: str) -> bool:
    """Compare in a time that says nothing about where they differ."""
    return secrets.compare_digest(given.encode(errors="replace"), secret.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback
