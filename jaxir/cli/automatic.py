"""`auto` in the shell: a stage whose numbers are read from the degraded image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxir.cli.call import Call
from jaxir.cli.errors import UsageError

if TYPE_CHECKING:
    from jaxir.typing import Image

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


def measured(call: Call, y: Image) -> Call:
    """The call with numbers read from the image, which are printed; any other call as it is."""
    if not is_automatic(call):
        return call
    numbers, said = _ESTIMATORS[call.name](y)
    print(f"{call.name}(auto): {said}")
    return call._replace(positional=numbers)


def _noise(y: Image) -> tuple[tuple[float], str]:
    from jaxir.estimation import noise_level

    value, deviation = (number / 2 for number in noise_level(y))  # to units of [0, 1]
    return (value,), f"sigma {value:.4f}{_doubt(deviation, 4)} of [0, 1]"


def _gaussian(y: Image) -> tuple[tuple[float], str]:
    from jaxir.estimation import gaussian_blur_width

    value, deviation = gaussian_blur_width(y)
    return (value,), f"width {value:.2f}{_doubt(deviation, 2)} pixels"


def _motion(y: Image) -> tuple[tuple[float, float], str]:
    from jaxir.estimation import motion_blur_line

    length, angle = motion_blur_line(y)
    said = (
        f"length {length.value:.1f}{_doubt(length.deviation, 1)} pixels, "
        f"angle {angle.value:.0f}{_doubt(angle.deviation, 0)} degrees"
    )
    return (length.value, angle.value), said


def _jpeg(y: Image) -> tuple[tuple[int], str]:
    from jaxir.estimation import jpeg_quality

    value, deviation = jpeg_quality(y)
    if math.isnan(value):
        raise UsageError("jpeg(auto) sees only black or white blocks: give the quality")
    return (int(value),), f"quality {value:.0f}{_doubt(deviation, 0)}"


def _doubt(deviation: float, digits: int) -> str:
    """± the deviation, where the picture is large enough to tell."""
    return "" if math.isnan(deviation) else f" ± {deviation:.{digits}f}"


_ESTIMATORS = {"gaussian": _gaussian, "motion": _motion, "jpeg": _jpeg, "noise": _noise}
