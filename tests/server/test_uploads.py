"""What is handed in: each hostile file and name has its short answer, and the server goes on."""

import io
import struct
import zlib

import pytest
from PIL import Image
from server.stand_in import picture

from jaxir.server.names import LONGEST, clean_name, renamed


def handed_in(client, body, name="photo.png"):
    return client.post("/photos", params={"name": name}, content=body)


def test_a_photo_is_described_and_has_a_thumbnail(client):
    answer = handed_in(client, picture(24, 16))
    assert answer.status_code == 201
    told = answer.json()
    assert (told["width"], told["height"], told["name"]) == (24, 16, "photo.png")
    thumbnail = client.get(f"/photos/{told['id']}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert thumbnail.content.startswith(b"\xff\xd8")


HOSTILE = {
    "../../etc/passwd": "passwd",
    "..\\..\\windows\\system.ini": "system.ini",
    "/etc/shadow": "shadow",
    "a\x00b.png": "ab.png",
    "line\r\nSet-Cookie: x.png": "lineSet-Cookie: x.png",
    "\u202egnp.exe": "gnp.exe",
    "\u200fa\u2066b.png": "ab.png",
    '"><img src=x onerror=alert(1)>.png': '"><img src=x onerror=alert(1)>.png',
    "'; drop table photos; --.png": "'; drop table photos; --.png",
    "..": "photo",
    "": "photo",
    "\ud800.png": "png",
    "...hidden.png": "hidden.png",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_without_what_misleads_and_never_used_as_a_path(
    client, tmp_path, name
):
    assert clean_name(name) == HOSTILE[name]
    answer = handed_in(client, picture(), name.encode(errors="replace").decode())
    assert answer.status_code == 201
    (kept,) = tmp_path.iterdir()
    assert kept.name == answer.json()["id"]


def test_a_very_long_name_loses_its_middle(client):
    name = handed_in(client, picture(), "a" * 10_000 + ".jpeg").json()["name"]
    assert len(name) == LONGEST
    assert name.endswith("….jpeg")


def test_a_restored_file_never_has_the_name_of_the_one_that_was_given():
    assert renamed("photo.jpg", "restored", ".png") == "photo.restored.png"
    assert renamed("photo", "restored", ".png") == "photo.restored.png"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side):
    """A PNG of a few bytes that says it has side² pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


REFUSED = {
    "zero bytes": (b"", 400, "empty"),
    "text": (b"hello", 415, "the file"),
    "a page": (b"<html><script>alert(1)</script></html>", 415, "the file"),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "the file"),
    "a program": (b"\x7fELF" + bytes(100), 415, "the file"),
    "only the beginning": (picture()[:20], 415, "the file"),
    "truncated": (picture(64, 64)[:-40], 422, "cannot be decoded"),
    "truncated jpeg": (picture(64, 64, "JPEG")[:-300], 422, "cannot be decoded"),
    "more pixels than allowed": (picture(101, 100), 413, "megapixels"),
    "a bomb": (bomb(20_000), 413, "megapixels"),
    "a bomb beyond what Pillow opens": (bomb(2_000_000), 413, "megapixels"),
    "more bytes than allowed": (bytes(20_001), 413, "MB"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_photo_is_refused_in_a_line_and_leaves_nothing(client, tmp_path, kind):
    body, status, words = REFUSED[kind]
    answer = handed_in(client, body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert words in error
    assert "\n" not in error
    assert str(tmp_path) not in error
    assert len(error) < 300
    assert list(tmp_path.iterdir()) == []
    assert handed_in(client, picture()).status_code == 201  # and it goes on


def test_a_photo_of_just_the_pixels_allowed_is_taken(client):
    assert handed_in(client, picture(100, 100, "JPEG")).status_code == 201


def test_a_body_of_unknown_length_is_cut_at_the_limit(client, tmp_path):
    sent = []

    def pieces():
        for _ in range(1000):
            sent.append(1000)
            yield bytes(1000)

    assert handed_in(client, pieces()).status_code == 413
    assert list(tmp_path.iterdir()) == []


def test_the_photo_that_was_not_used_for_longest_goes_when_there_are_too_many(client, tmp_path):
    ids = [handed_in(client, picture(8, 8 + i)).json()["id"] for i in range(3)]
    client.get(f"/photos/{ids[0]}/thumbnail")
    ids += [handed_in(client, picture(8, 20 + i)).json()["id"] for i in range(2)]
    assert {path.name for path in tmp_path.iterdir()} == {ids[0], *ids[3:]}
    assert client.get(f"/photos/{ids[1]}/thumbnail").status_code == 404


def test_a_file_says_how_many_pages_it_has(client):
    pages = [Image.new("L", (8, 8), level) for level in (0, 128, 255)]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    assert handed_in(client, file.getvalue()).json()["pages"] == 3
    assert handed_in(client, picture()).json()["pages"] == 1


def test_the_formats_are_told_that_can_be_read_here(client, monkeypatch):
    monkeypatch.setattr("jaxir.server.formats.find_spec", lambda name: None)
    monkeypatch.setattr("PIL.features.check", lambda name: name != "avif")
    assert client.get("/limits").json()["formats"] == ["JPEG", "PNG", "TIFF", "WebP"]
    monkeypatch.setattr("jaxir.server.formats.find_spec", lambda name: object())
    monkeypatch.setattr("PIL.features.check", lambda name: True)
    assert client.get("/limits").json()["formats"][-2:] == ["HEIC", "AVIF"]


@pytest.mark.parametrize("id", ["%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "x" * 5000, "*"])
def test_an_id_is_looked_up_and_never_a_path(client, id):
    for path in (
        f"/photos/{id}/thumbnail",
        f"/jobs/{id}",
        f"/jobs/{id}/files/photo",
        f"/jobs/{id}/preview",
    ):
        assert client.get(path).status_code == 404
