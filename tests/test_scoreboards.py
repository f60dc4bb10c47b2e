"""Every page of docs/scoreboards is that of the results which are stored for it."""

import importlib
import json

import _scoreboard
import pytest

NAMES = [path.stem for path in sorted((_scoreboard.ROOT / "docs" / "scoreboards").glob("*.md"))]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_that_of_the_results(name):
    experiment = importlib.import_module(name)
    results = json.loads(_scoreboard.result(name).read_text())
    assert _scoreboard.page(name).read_text() == experiment.page(results)
