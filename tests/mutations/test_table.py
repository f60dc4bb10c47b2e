"""The table of published errors fits the code: each text is there once, and each named test exists."""

import ast
from pathlib import Path

import pytest
from mutations.run import Mutation, load

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = load()
each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)


@each_mutation
def test_an_error_can_be_put_into_its_file(mutation):
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    changed = mutation.applied(text)
    assert changed != text
    ast.parse(changed)


@each_mutation
def test_the_test_that_it_turns_red_exists(mutation):
    file, _, name = mutation.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name.partition("[")[0] in {node.name for node in tree.body if hasattr(node, "name")}


def test_every_error_has_a_name_of_its_own():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


@pytest.mark.parametrize(
    ("text", "where"), [("other", "is not in f.py any more"), ("aa", "is 2 times in f.py")]
)
def test_a_text_that_has_moved_is_told(text, where):
    mutation = Mutation("lost", "", "f.py", "a", "b", "")
    with pytest.raises(ValueError, match=f"mutation lost: its text {where}"):
        mutation.applied(text)
