"""docs/weights.md names every command and family, and its configurations are of the families beside them."""

import json
import re

from conftest import ROOT

from jaxir.cli.models import COMMANDS
from jaxir.pretrained import store
from jaxir.pretrained.families import FAMILIES

TEXT = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|(.+)\|$", TEXT, re.MULTILINE))


def test_every_command_every_file_and_every_family_is_on_the_page():
    for name in COMMANDS:
        assert f"`jaxir models {name}" in TEXT
    for name in store.FILES:
        assert f"`{name}`" in TEXT
    assert set(FAMILIES) <= set(ROWS)


def test_whole_configurations_on_the_page_are_recognised_by_their_family_alone():
    whole = 0
    for name, row in ROWS.items():
        for text in re.findall(r"`(\{[^`]+\})`", row):
            if "..." in text:
                continue
            config = json.loads(text)
            assert [n for n, family in FAMILIES.items() if family.recognises(config)] == [name]
            whole += 1
    assert whole == 2
