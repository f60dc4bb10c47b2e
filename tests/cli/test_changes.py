"""Fields of an experiment from the shell: of the type that they have, in place, and nothing else changed."""

import dataclasses

import pytest
from tiny_training import tiny

from jaxir.cli.changes import changed, read_changes


def test_options_are_read_with_and_without_an_equals_sign():
    found = read_changes(["--batch", "32", "--network.widths=8,16", "--data-std", "-0.5"])
    assert found == {"batch": "32", "network.widths": "8,16", "data_std": "-0.5"}


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("batch", "32", 32),
        ("name", "7", "7"),
        ("ema", "0.9,0.99", (0.9, 0.99)),
        ("network.widths", "8,16", (8, 16)),
        ("network.remat", "true", True),
        ("process.beta_max", "10", 10.0),
        ("best", "psnr_15", "psnr_15"),
        ("network.conditioning", "none", None),
    ],
)
def test_a_field_takes_a_value_of_its_type(path, text, value):
    before = tiny(best=None)
    after = changed(before, {path: text})
    *owners, last = path.split(".")
    found = after
    for owner in owners:
        found = getattr(found, owner)
    assert getattr(found, last) == value
    assert type(getattr(found, last)) is type(value)
    first = path.split(".")[0]
    for field in dataclasses.fields(before):
        if field.name != first:
            assert getattr(before, field.name) is getattr(after, field.name)


def test_fields_that_fit_only_together_are_changed_together():
    after = changed(tiny(), {"network.widths": "8", "network.blocks": "2", "process.beta_min": "1"})
    assert (after.network.widths, after.network.blocks) == ((8,), (2,))
    assert after.process.beta_min == 1.0
