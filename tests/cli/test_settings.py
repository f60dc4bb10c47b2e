"""Settings are plain values: what a file or a page holds comes back as it was, and what cannot be is one line."""

import dataclasses
import json

import pytest

from jaxir.cli.duration import duration, spoken
from jaxir.cli.errors import UsageError
from jaxir.cli.settings import Settings


def test_settings_go_through_json_and_back():
    settings = Settings("noise(0.05)", "mmps(steps=5)", 20, 2, 0.25, 7, "natural-prior", 96, 1)
    assert Settings.from_json(json.loads(json.dumps(dataclasses.asdict(settings)))) == settings
    assert Settings.from_json({}) == Settings()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"step": 3}, "unknown setting 'step', did you mean 'steps'?"),
        ({"steps": "many"}, "the setting steps is 'many', expected int"),
        ({"steps": True}, "the setting steps is True, expected int"),
        ({"tile": 1.5}, "the setting tile is 1.5, expected int or null"),
        ({"steps": 0}, "--steps is 0, expected at least 1"),
        ({"fidelity": 1.5}, "--fidelity is 1.5, expected 0 to 1"),
        ({"fidelity": float("nan")}, "--fidelity is nan, expected 0 to 1"),
        ({"tile": -1}, "--tile is -1, expected 0 for the whole photo, or pixels"),
        ({"alpha": "drop"}, "unknown value of --alpha 'drop'"),
        ([], "the settings are no JSON object"),
        ({1: 2}, "the settings are no JSON object"),
    ],
)
def test_settings_that_cannot_be(values, reason):
    with pytest.raises(UsageError) as error:
        Settings.from_json(values)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("90", 90), ("5m", 300), ("1.5h", 5400)]
)
def test_times_as_people_write_them(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0s", "-3s", "ten", "1e9", "5d", "nan", "inf"])
def test_what_is_no_time(text):
    with pytest.raises(UsageError, match=r"is no time: write 10s, 5m or 1\.5h"):
        duration(text)


def test_times_are_said_in_the_largest_unit_they_fill():
    assert [spoken(s) for s in (0.25, 59, 90, 7200)] == ["0.2 s", "59 s", "1.5 min", "2.0 h"]
