"""`auto` in the shell: a stage whose numbers are read from the degraded image, or all stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from jaxir.cli.call import Call
from jaxir.cli.errors import UsageError

if TYPE_CHECKING:
    from jaxir.estimation import Diagnosis, Estimate, Motion
    from jaxir.estimation.estimate import Picture

Say = Callable[[str], object]
"""Tells a person one line."""

AUTO = Call("auto", (), {})
"""A degradation that is read from the image as a whole."""

WHAT_FOLLOWS = ("crop", "jpeg", "noise", "poisson", "speckle", "impulse")
"""The stages that may come after one that is estimated: others change what it looks like."""


def is_automatic(call: Call) -> bool:
    """Whether the call is name(auto)."""
    return call.positional == ("auto",) and not call.named


def expect_measurable(calls: Sequence[Call]) -> None:
    """Refuse `auto` where nothing estimates it, or where it cannot be seen in the image any more.

    Raises:
        UsageError: if it is so.
    """
    if AUTO in calls and len(calls) > 1:
        raise UsageError(
            "auto reads the whole degradation from the image and stands alone: leave out the other stages, or write "
            f"auto in their brackets: {', '.join(f'{name}(auto)' for name in _ESTIMATORS)}"
        )
    for position, call in enumerate(calls):
        if not is_automatic(call):
            continue
        if call.name not in _ESTIMATORS:
            raise UsageError(
                f"{call.name}(auto) cannot be estimated: auto is for {', '.join(_ESTIMATORS)}"
            )
        hidden = [later.name for later in calls[position + 1 :] if later.name not in WHAT_FOLLOWS]
        if hidden:
            raise UsageError(
                f"{call.name}(auto) comes before {hidden[0]}, which hides it: only "
                f"{', '.join(WHAT_FOLLOWS)} may follow, so give its numbers"
            )


def measured(call: Call, y: Picture, say: Say = print) -> Call:
    """The call with numbers read from the image, which are told; any other call as it is."""
    if not is_automatic(call):
        return call
    numbers, said = _ESTIMATORS[call.name](y)
    say(f"{call.name}(auto): {said}")
    return call._replace(positional=numbers)


def diagnosed(y: Picture) -> tuple[tuple[Call, ...], float, str]:
    """The stages that the image shows, its noise in units of [0, 1], and what there is to say about them.

    They are rounded, and the text has them as they are used.
    """
    from jaxir.estimation import diagnose

    found = diagnose(y)
    calls = tuple(stages(found))
    sigma = round(found.sigma / 2, 4)
    shown = "|".join([*map(str, calls), f"noise({sigma})"])
    acted, left = list(_acted_on(found)), list(_left_out(found))
    said = [
        f"found {', '.join(acted)}" if acted else "found nothing to undo",
        *([f"left out as too small to matter: {', '.join(left)}"] if left else []),
        *(["too small a picture to measure blur"] if found.width is None else []),
    ]
    return calls, sigma, f"auto: {shown}: {'; '.join(said)}"


def stages(found: Diagnosis) -> Iterator[Call]:
    """The blur that is to be undone, with the margin from which it came into the picture."""
    from jaxir.estimation import Motion

    if isinstance(found.blur, Motion):
        length, angle = (round(each.value, 1) for each in found.blur)
        yield Call("motion", (length, angle), {})
        yield Call("crop", (math.ceil(length / 2) + 1,), {})
    elif found.blur is not None:
        width = round(found.blur.value, 2)
        yield Call("gaussian", (width,), {})
        yield Call("crop", (math.ceil(3 * width),), {})


def _acted_on(found: Diagnosis) -> Iterator[str]:
    from jaxir.estimation import Motion

    if isinstance(found.blur, Motion):
        yield f"a motion of {_said_motion(found.blur)}"
    elif found.blur is not None:
        yield f"a blur of {_said_width(found.blur)}"
    if found.noisy:
        yield from _said_noises(found)


def _left_out(found: Diagnosis) -> Iterator[str]:
    if found.blur is None and found.width is not None:
        yield f"a blur of {_said_width(found.width)}"
    if not found.noisy:
        yield from _said_noises(found)


def _said_noises(found: Diagnosis) -> Iterator[str]:
    if found.noise is not None:
        value, deviation = (number / 2 for number in found.noise)
        yield f"noise of {value:.4f}{_doubt(deviation, 4)}"
    if found.quality is not None and found.quality.value < 100:
        yield f"JPEG of quality {found.quality.value:.0f}, which is an error of {found.lost / 2:.4f}"


def _noise(y: Picture) -> tuple[tuple[float], str]:
    from jaxir.estimation import noise_level

    value, deviation = (number / 2 for number in noise_level(y))  # to units of [0, 1]
    return (value,), f"sigma {value:.4f}{_doubt(deviation, 4)} of [0, 1]"


def _gaussian(y: Picture) -> tuple[tuple[float], str]:
    from jaxir.estimation import gaussian_blur_width

    width = gaussian_blur_width(y)
    return (width.value,), f"width {_said_width(width)}"


def _motion(y: Picture) -> tuple[tuple[float, float], str]:
    from jaxir.estimation import motion_blur_line

    motion = motion_blur_line(y)
    return (motion.length.value, motion.angle.value), f"length {_said_motion(motion)}"


def _jpeg(y: Picture) -> tuple[tuple[int], str]:
    from jaxir.estimation import jpeg_quality

    value, deviation = jpeg_quality(y)
    if math.isnan(value):
        raise UsageError(
            "jpeg(auto) sees only black or white blocks, or one colour: give the quality"
        )
    return (int(value),), f"quality {value:.0f}{_doubt(deviation, 0)}"


def _said_width(width: Estimate) -> str:
    return f"{width.value:.2f}{_doubt(width.deviation, 2)} pixels"


def _said_motion(motion: Motion) -> str:
    length, angle = motion
    return (
        f"{length.value:.1f}{_doubt(length.deviation, 1)} pixels, "
        f"angle {angle.value:.0f}{_doubt(angle.deviation, 0)} degrees"
    )


def _doubt(deviation: float, digits: int) -> str:
    """± the deviation, where the picture is large enough to tell."""
    return "" if math.isnan(deviation) else f" ± {deviation:.{digits}f}"


_ESTIMATORS = {"gaussian": _gaussian, "motion": _motion, "jpeg": _jpeg, "noise": _noise}
