"""What a page may ask for.

A page is not the shell: it may not name files or weights of this machine, and what it asks for must come to an end and
fit in memory.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jaxir.cli.call import Call, parse_call
from jaxir.cli.degradations import READ, STAGES, Recipe, parse_degradation
from jaxir.cli.errors import UsageError, unknown
from jaxir.cli.methods import parse_method
from jaxir.cli.settings import Settings

if TYPE_CHECKING:
    from jaxir.cli.stage import Shape

OPEN = ("degradation", "method", "steps", "samples", "fidelity", "seed")
"""The settings that a page may choose: the prior is a path, and the rest is about this machine's memory."""

MOST = {"steps": 1000, "samples": 64}

LONGEST = 2000
"""Letters of a degradation or a method."""

LARGEST = 1000
"""Number of a stage, such as a length in pixels, and whole number of a method, such as its inner steps."""

LAST_SEED = 2**32 - 1

PAINTED = Call("mask", ("painted",), {})
"""What stands for the mask that was painted on the page."""


def chosen(values: Mapping[str, Any], shape: Shape, *, prior: str, pixels: float) -> Settings:
    """The settings that a page has chosen.

    Args:
        values: as they came.
        shape: of the photo.
        prior: weights, by name or folder.
        pixels: of the largest scene that is restored.

    Raises:
        UsageError: if they cannot be restored by, or name what a page may not.
    """
    for name in values:
        if name not in OPEN:
            raise unknown("setting", name, OPEN)
    settings = Settings.from_json({**values, "prior": prior})
    for name, most in MOST.items():
        _expect_small(name, getattr(settings, name), most)
    text = settings.degradation or "auto"
    if max(len(text), len(settings.method)) > LONGEST:
        raise UsageError(f"the words are longer than {LONGEST} letters")
    recipe = parse_degradation(text)
    for call in recipe.calls:
        _expect_no_file(call)
        for name, value in _numbers(call):
            _expect_small(f"{name} of {call.name}", value, LAST_SEED if name == "seed" else LARGEST)
    _expect_room(recipe, shape, pixels)
    for name, value in _whole_numbers(parse_method(settings.method)):
        _expect_small(name, value, LARGEST)
    return settings


def with_mask(settings: Settings, path: str) -> Settings:
    """The same with a file in the place of the mask that was painted."""
    calls = map(parse_call, (settings.degradation or "auto").split("|"))
    file = Call("mask", (path,), {})
    words = "|".join(str(file if call == PAINTED else call) for call in calls)
    return dataclasses.replace(settings, degradation=words)


def is_painted(settings: Settings) -> bool:
    """Whether they speak of a mask that was painted."""
    return PAINTED in map(parse_call, (settings.degradation or "auto").split("|"))


def is_word(path: str) -> bool:
    """Whether a path can stand in a degradation: without a comma or a bracket that would be read as its end."""
    call = Call("mask", (path,), {})
    try:
        return "|" not in path and parse_call(str(call)) == call
    except UsageError:
        return False


def _expect_no_file(call: Call) -> None:
    if call.name in READ and call != PAINTED:
        raise UsageError(
            f"{call.name}({call.arguments}) names a file, which a page cannot: paint what is broken, {PAINTED}, "
            "or use jaxir restore"
        )


def _numbers(call: Call) -> Iterator[tuple[str, float]]:
    signature = inspect.signature(STAGES[call.name].build)
    for name, value in signature.bind(None, *call.positional, **call.named).arguments.items():
        if isinstance(value, int | float):
            yield name, value


def _whole_numbers(method: functools.partial) -> Iterator[tuple[str, int]]:
    """Those of a method and of one within it: each repeats something or is kept so many times."""
    parameters = inspect.signature(method.func).parameters
    for name, value in method.keywords.items():
        if isinstance(value, functools.partial):
            yield from _whole_numbers(value)
        elif parameters[name].annotation == "int":
            yield name, value


def _expect_small(name: str, value: float, most: int) -> None:
    if not abs(value) <= most:
        raise UsageError(f"{name} is beyond {most}, which is the most here")


def _expect_room(recipe: Recipe, shape: Shape, pixels: float) -> None:
    """Refuse a scene that is too large, before anything of its size is made."""
    for call in reversed(recipe.calls):
        shape = STAGES[call.name].backward(shape, *call.positional, **call.named)
    height, width, _ = shape
    if height * width > pixels:
        raise UsageError(
            f"the scene behind this photo would have {width} × {height} pixels, more than {pixels / 1e6:g} "
            "megapixels: enlarge it less, or give a smaller photo"
        )
