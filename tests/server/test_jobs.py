"""From a photo and settings to something to look at: one at a time, in order, until somebody stops it."""

import time

import pytest
from server.stand_in import picture


@pytest.fixture
def begin(client):
    """Hand in a photo and ask for its restoration; the answer."""

    def ask(**settings):
        photo = client.post("/photos?name=a.png", content=picture()).json()["id"]
        return client.post(
            "/jobs", json={"photo": photo, "settings": {"degradation": "auto"} | settings}
        )

    return ask


@pytest.fixture
def ended(client):
    """The state of a job when it has ended."""

    def wait(id):
        for _ in range(500):
            state = client.get(f"/jobs/{id}").json()
            if state["status"] not in ("queued", "running"):
                return state
            time.sleep(0.01)
        raise AssertionError(state)

    return wait


def test_a_job_ends_with_something_to_look_at_and_files_to_save(client, begin, ended):
    answer = begin()
    assert answer.status_code == 201
    state = ended(answer.json()["id"])
    assert (state["status"], state["done"], state["total"]) == ("done", 4, 4)
    assert state["preview"] == 4
    assert client.get(f"/jobs/{state['id']}/preview").content.startswith(b"\xff\xd8")
    assert client.get(f"/jobs/{state['id']}/thumbnail").content.startswith(b"\xff\xd8")
    entry = client.get(f"/jobs/{state['id']}/entry").json()
    assert (entry["title"], entry["width"], entry["height"]) == ("a.png", 24, 16)
    assert state["files"] == {"photo": "restored a.png", "sidecar": "how.json"}
    saved = client.get(f"/jobs/{state['id']}/files/photo")
    assert saved.content.startswith(b"\x89PNG")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment;")


def test_a_file_is_saved_and_never_opened_whatever_its_name(client, ended):
    name = '"><script>é\r\n.png'
    photo = client.post("/photos", params={"name": name}, content=picture()).json()["id"]
    id = client.post("/jobs", json={"photo": photo, "settings": {}}).json()["id"]
    ended(id)
    header = client.get(f"/jobs/{id}/files/photo").headers["content-disposition"]
    assert header == "attachment; filename*=utf-8''restored%20%22%3E%3Cscript%3E%C3%A9.png"


def test_a_failure_is_one_line_and_the_next_job_is_done(begin, ended):
    failed = ended(begin(method="broken").json()["id"])
    assert (failed["status"], failed["error"]) == ("failed", "the method of photo is broken")
    assert ended(begin().json()["id"])["status"] == "done"


def test_a_job_that_runs_and_one_that_waits_are_cancelled(client, restoration, begin, ended):
    restoration.gate.clear()
    runs = begin().json()["id"]
    assert restoration.begun.wait(10)
    waits = begin().json()["id"]
    assert client.get(f"/jobs/{waits}").json()["status"] == "queued"
    assert client.post(f"/jobs/{waits}/cancel").json()["status"] == "cancelled"
    client.post(f"/jobs/{runs}/cancel")
    restoration.gate.set()
    state = ended(runs)
    assert (state["status"], state["done"]) == ("cancelled", 1)
    assert client.get(f"/jobs/{runs}/entry").status_code == 404
    again = client.post(f"/jobs/{runs}/cancel").json()  # of what has ended changes nothing
    assert again["status"] == "cancelled"


def test_no_more_wait_than_may(restoration, begin, ended):
    restoration.gate.clear()
    first = begin()
    assert restoration.begun.wait(10)
    waiting = [begin(), begin()]
    assert [answer.status_code for answer in waiting] == [201, 201]
    refused = begin()
    assert refused.status_code == 429
    assert "wait" in refused.json()["error"]
    restoration.gate.set()
    for answer in (first, *waiting):
        assert ended(answer.json()["id"])["status"] == "done"
    assert begin().status_code == 201


def test_the_oldest_that_ended_goes_with_its_files(client, tmp_path, begin, ended):
    ids = []
    for _ in range(5):
        ids.append(begin().json()["id"])
        ended(ids[-1])
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {f"job-{id}" for id in ids[-3:]}
    assert client.get(f"/jobs/{ids[0]}").status_code == 404


def test_a_job_keeps_its_photo_when_the_upload_is_forgotten(client, restoration, begin, ended):
    restoration.gate.clear()
    id = begin().json()["id"]
    for _ in range(4):
        client.post("/photos?name=b.png", content=picture())
    restoration.gate.set()
    assert ended(id)["status"] == "done"


def test_a_mistake_of_ours_is_said_on_our_side_and_the_next_job_is_done(begin, ended, capsys):
    failed = ended(begin(method="mistaken").json()["id"])
    assert failed["error"] == "a mistake of jaxir: see where it runs"
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "/home/somebody" in told
    at_once = begin(method="mistaken at once")
    assert at_once.status_code == 500
    assert "somebody" not in at_once.text
    assert ended(begin().json()["id"])["status"] == "done"


def test_what_was_found_in_the_photo_is_told(begin, ended):
    assert ended(begin().json()["id"])["said"].startswith("auto: noise(0.1)")


def test_masks_do_not_push_a_photo_out_and_are_gone_when_their_job_has_them(
    client, tmp_path, ended
):
    photo = client.post("/photos?name=a.png", content=picture()).json()["id"]
    for _ in range(4):
        mask = client.post("/masks?name=m.png", content=picture()).json()["id"]
        asked = {"photo": photo, "mask": mask, "settings": {}}
        state = ended(client.post("/jobs", json=asked).json()["id"])
        assert state["mask"]
        assert not (tmp_path / mask).exists()
    assert (tmp_path / photo).exists()
    assert client.get(f"/jobs/{state['id']}/files/mask").content == picture()


def test_other_settings_are_tried_for_a_job_whose_upload_is_gone_and_its_mask_goes_along(
    client, ended
):
    photo = client.post("/photos?name=a.png", content=picture()).json()["id"]
    mask = client.post("/masks?name=m.png", content=picture()).json()["id"]
    asked = {"photo": photo, "mask": mask, "settings": {}}
    first = ended(client.post("/jobs", json=asked).json()["id"])["id"]
    for _ in range(4):
        client.post("/photos?name=b.png", content=picture())
    assert client.post("/jobs", json=asked | {"mask": None}).status_code == 404
    settings = {"degradation": "noise(0.2)"}
    for path in ("/check", "/jobs"):
        answer = client.post(path, json={"job": first, "settings": settings})
        assert answer.status_code in (200, 201)
    state = ended(answer.json()["id"])
    assert (state["status"], state["settings"], state["mask"]) == ("done", settings, True)
    assert client.get(f"/jobs/{state['id']}/files/mask").content == picture()
    assert client.post("/jobs", json={"job": "x", "settings": {}}).status_code == 404
    assert client.post("/jobs", json={"job": [], "settings": {}}).status_code == 404


def test_a_mask_of_another_size_is_refused(client):
    photo = client.post("/photos?name=a.png", content=picture(24, 16)).json()["id"]
    mask = client.post("/masks?name=m.png", content=picture(16, 24)).json()["id"]
    answer = client.post("/jobs", json={"photo": photo, "mask": mask, "settings": {}})
    assert answer.status_code == 422
    assert "16 × 24 but the photo is 24 × 16" in answer.json()["error"]


ASKED_WRONGLY = {
    "no JSON": (b"{", 400),
    "an array": (b"[]", 400),
    "no settings": (b'{"photo": "ID"}', 400),
    "no photo": (b'{"settings": {}}', 404),
    "a photo that is none": (b'{"photo": {}, "settings": {}}', 404),
    "a mask that is none": (b'{"photo": "ID", "mask": "x", "settings": {}}', 404),
    "too deep": (b"[" * 30_000, 400),
    "infinity": (b'{"photo": "ID", "settings": {"steps": 1e999}}', 400),
    "not a number": (b'{"photo": "ID", "settings": {"steps": NaN}}', 400),
    "half a letter": (rb'{"photo": "ID", "settings": {"method": "\ud800"}}', 400),
    "no text": (b'{"a": "\xff"}', 400),
    "large": (b'{"a": "' + b"a" * 70_000 + b'"}', 413),
    "refused by the parser": (b'{"photo": "ID", "settings": {"degradation": "bad"}}', 422),
}


@pytest.mark.parametrize("kind", ASKED_WRONGLY)
def test_a_wrong_request_has_an_answer_of_one_line(client, tmp_path, kind):
    body, status = ASKED_WRONGLY[kind]
    photo = client.post("/photos?name=a.png", content=picture()).json()["id"]
    headers = {"Content-Type": "application/json"}
    answer = client.post("/jobs", content=body.replace(b"ID", photo.encode()), headers=headers)
    assert answer.status_code == status
    assert "\n" not in answer.json()["error"]
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_settings_come_as_json_only_which_no_form_can_send(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert (
            client.post("/check", content=b"{}", headers={"Content-Type": kind}).status_code == 415
        )


def test_the_words_are_checked_before_they_are_used(client):
    photo = client.post("/photos?name=a.png", content=picture()).json()["id"]

    def check(words):
        asked = {"photo": photo, "settings": {"degradation": words}}
        return client.post("/check", json=asked)

    assert check("noise(0.1)").json() == {"error": ""}
    answer = check("bad")
    assert (answer.status_code, answer.json()) == (200, {"error": "unknown degradation 'bad'"})
