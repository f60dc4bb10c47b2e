"""Who may ask: nobody without the token, under another name of this host, or from another page."""

import ipaddress
import socket

import pytest
from server.stand_in import ORIGIN, TOKEN
from starlette.testclient import TestClient

from jaxir.server import address, create_app, listen, visible_name
from jaxir.server.access import HEADERS, cookie_name, cookie_value, is_local

SETTINGS = {"settings": {}, "photo": "none"}
READS = ["/", "/assets/page.js", "/limits", "/events", "/photos/x/thumbnail", "/jobs/x", "/nothing"]
CHANGES = ["/photos", "/masks", "/check", "/jobs", "/jobs/x/cancel"]


@pytest.mark.parametrize("path", READS)
def test_reading_needs_the_token(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "token" in answer.json()["error"]


@pytest.mark.parametrize("path", CHANGES)
def test_changing_needs_the_token(stranger, path):
    answer = stranger.post(path, json={}, headers={"Origin": ORIGIN})
    assert answer.status_code == 403
    assert "token" in answer.json()["error"]


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ä", "\x00", "x" * 5000]
)
def test_a_wrong_token_opens_nothing(stranger, token):
    assert stranger.get("/", params={"token": token}).status_code == 403
    stranger.cookies.set(cookie_name(TOKEN), token.encode("ascii", "ignore").decode().strip("\x00"))
    assert stranger.get("/limits").status_code == 403
    bearer = f"Bearer {token}".encode("latin-1")
    assert stranger.get("/limits", headers={"Authorization": bearer}).status_code == 403


def test_the_token_in_the_address_becomes_a_cookie_that_no_program_and_no_other_site_gets(stranger):
    answer = stranger.get("/", params={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert stranger.get("/limits").status_code == 200


@pytest.mark.parametrize("path", CHANGES)
def test_the_cookie_which_other_ports_get_neither_holds_the_token_nor_changes_anything(
    stranger, path
):
    cookie = stranger.get("/", params={"token": TOKEN}).headers["set-cookie"]
    assert TOKEN not in cookie
    assert cookie_value(TOKEN) in cookie
    own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    assert stranger.post(path, json=SETTINGS, headers=own).status_code == 403
    assert stranger.get("/", headers=own).status_code == 200
    for value in (cookie_value(TOKEN), cookie_name(TOKEN)):
        bearer = {"Authorization": f"Bearer {value}"}
        assert stranger.post(path, json=SETTINGS, headers=own | bearer).status_code == 403
    stranger.cookies.clear()
    stranger.cookies.set(cookie_name(TOKEN), TOKEN)
    assert stranger.get("/limits").status_code == 403


def test_the_token_in_the_address_opens_the_page_only(stranger):
    assert stranger.get("/limits", params={"token": TOKEN}).status_code == 403
    assert stranger.post("/", params={"token": TOKEN}).status_code == 403


def test_a_program_may_send_the_token_in_the_header(stranger):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert stranger.get("/limits", headers=headers).status_code == 200
    assert "no such photo" in stranger.post("/check", json=SETTINGS, headers=headers).text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "10.0.0.7", "", "["],
)
def test_another_name_of_this_host_is_refused(client, host):
    answer = client.get("/limits", headers={"Host": host})
    assert answer.status_code == 421
    assert "name" in answer.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_the_names_of_this_machine_are_accepted_at_any_port(client, host):
    assert (
        client.get("/limits", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200
    )


FOREIGN = [
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"},
    {"Origin": "https://127.0.0.1:8000", "Sec-Fetch-Site": "same-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_page_may_not_change_anything(client, headers):
    answer = client.post("/check", json={}, headers=headers)
    assert answer.status_code == 403
    assert "page" in answer.json()["error"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8000", ""])
@pytest.mark.parametrize("site", [None, "same-origin"])
def test_another_origin_is_refused_whatever_else_is_said(client, origin, site):
    del client.headers["Sec-Fetch-Site"]
    headers = {"Origin": origin} | ({} if site is None else {"Sec-Fetch-Site": site})
    assert client.post("/check", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_may_not_embed_or_read_anything(client, site):
    del client.headers["Origin"]
    assert client.get("/limits", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_a_change_that_does_not_say_where_it_comes_from_is_refused(client):
    del client.headers["Origin"], client.headers["Sec-Fetch-Site"], client.headers["Authorization"]
    assert client.post("/check", json={}).status_code == 403
    assert client.get("/limits").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_the_address_that_is_printed_is_one_that_is_let_in(host, tmp_path, restoration):
    from server.stand_in import check

    try:
        bound = listen(host, 0)
    except OSError:
        pytest.skip("this machine has no such address")
    with bound:
        name = visible_name(bound, host)
        printed, _, _ = address(bound, name, TOKEN).partition("/?token=")
        app = create_app(restoration, check, folder=tmp_path, token=TOKEN, host=name)
        with TestClient(app, base_url=printed) as browser:
            assert browser.get("/", params={"token": TOKEN}).status_code == 200
            assert browser.get("/limits", headers={"Host": "evil.example"}).status_code == 421
            everywhere = ipaddress.ip_address(host).is_unspecified
            by_number = browser.get("/limits", headers={"Host": "192.0.2.7"}).status_code
            assert by_number == (200 if everywhere else 421)
        if everywhere:
            assert name == socket.gethostname()


def test_every_answer_carries_the_headers_of_safety_and_none_that_shares(client):
    for answer in (
        client.get("/"),
        client.get("/nothing"),
        client.post("/jobs", content=b"{"),
        client.get("/limits", headers={"Host": "evil.example"}),
        client.options("/jobs"),
    ):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets",
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2fapp.py",
        "/assets/page.html",
    ],
)
def test_only_the_files_of_the_page_can_be_read(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("my.host", False),
    ],
)
def test_a_host_is_local_if_only_this_machine_reaches_it(host, local):
    assert is_local(host) is local


def test_a_mistake_of_the_server_is_said_on_its_side_and_tells_a_page_nothing(
    client, monkeypatch, capsys
):
    def broken(*_: object) -> None:
        raise KeyError("/home/somebody")

    monkeypatch.setattr("jaxir.server.uploads.Uploads.photo", broken)
    answer = client.get("/photos/x/thumbnail")
    assert answer.status_code == 500
    assert "somebody" not in answer.text
    assert "somebody" in capsys.readouterr().err
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert client.get("/limits").status_code == 200
