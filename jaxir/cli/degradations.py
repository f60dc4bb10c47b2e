"""Degradations in the shell: `motion(15, 30)|noise(0.05)` reads left to right, the noise last.

Noise levels are in units of [0, 1] here, as in the tables of papers; this is the door where they become [-1, 1].
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxir.cli.automatic import (
    AUTO,
    Say,
    diagnosed,
    expect_measurable,
    is_automatic,
    measured,
)
from jaxir.cli.blurs import BLURS
from jaxir.cli.call import Call, bind, parse_call
from jaxir.cli.errors import UsageError
from jaxir.cli.noises import NOISES
from jaxir.cli.python_only import expect_image
from jaxir.cli.scenes import SCENES
from jaxir.cli.sensors import SENSORS, one_channel
from jaxir.cli.sizes import SIZES
from jaxir.cli.stage import Shape, Stage

if TYPE_CHECKING:
    from jaxir.degradations import Degradation, Operator
    from jaxir.estimation.estimate import Picture

STAGES: dict[str, Stage] = BLURS | SIZES | SENSORS | SCENES
"""Every operator that the shell knows, by its name."""

_BUILDERS = {name: stage.build for name, stage in STAGES.items()}


READ = {"mask": lambda path: path, "psf": lambda path: path}
"""Stages whose argument is the name of a file."""

_SIDE = 840
"""Of an image whose change in size tells the factor of a stage."""


class Recipe(NamedTuple):
    """A degradation as the shell wrote it, before the size of the image is known.

    A sigma of None, a call with `auto`, or all of it where it is `automatic`, is read from the degraded image by
    `measured`. Its text, `str(recipe)`, is parsed to the same numbers again.
    """

    calls: tuple[Call, ...]
    sigma: float | None
    noise: Call | None = None
    """The noise where it is not Gaussian."""
    automatic: bool = False
    """Whether nothing is known yet: no call, and no sigma."""

    def __str__(self) -> str:
        """As it would be written, with the noise even where it is 0."""
        if self.automatic:
            return AUTO.name
        sigma = "auto" if self.sigma is None else self.sigma
        noise = self.noise or Call("noise", (sigma,), {})
        return "|".join(map(str, [*self.calls, noise]))

    @property
    def one_channel(self) -> bool:
        """Whether a photo in colour becomes an image of one channel."""
        return any(STAGES[call.name].forward is one_channel for call in self.calls)

    @property
    def reads(self) -> list[Path]:
        """The files that it is made of: masks and kernels."""
        named = [call for call in self.calls if call.name in READ]
        return [Path(str(bind(call, READ, "degradation")())) for call in named]

    def resolved(self, folder: Path = Path()) -> Recipe:
        """The same from any folder: with whole paths of the files that it reads, which are named from this one."""

        def whole(call: Call) -> Call:
            if call.name not in READ:
                return call
            path = (folder / str(bind(call, READ, "degradation")())).resolve()
            found = Call(call.name, (str(path),), {})
            # a name with a comma or a bracket in it has no such form
            return found if "|" not in str(found) and _reads_back(found) else call

        return self._replace(calls=tuple(map(whole, self.calls)))

    @property
    def margin(self) -> int:
        """Pixels of the clean image beyond each side of the photo: what `crop` cuts off, and a restoration guesses."""
        margin, scale = 0.0, 1.0
        for call in self.calls:
            if call.name == "crop":
                margin += scale * bind(call, {"crop": lambda margin: margin}, "degradation")()
            else:
                side, _, _ = STAGES[call.name].backward(
                    (_SIDE, _SIDE, 3), *call.positional, **call.named
                )
                scale *= side / _SIDE
        return round(margin)

    def measured(self, y: Picture, say: Say = print) -> Recipe:
        """The same with numbers in the place of every `auto`, which are told, by default on stdout."""
        if self.automatic:
            calls, sigma, said = diagnosed(y)
            say(said)
            return Recipe(calls, sigma)
        sigma = self.sigma
        if sigma is None:
            (sigma,) = measured(Call("noise", ("auto",), {}), y, say).positional
        calls = tuple(measured(call, y, say) for call in self.calls)
        return self._replace(calls=calls, sigma=sigma)

    def for_clean(self, shape: Shape) -> Degradation:
        """The degradation of a clean image of this shape."""
        from jaxir.degradations import Degradation, GaussianNoise, Identity

        if self.sigma is None or any(is_automatic(call) for call in self.calls):
            raise UsageError("auto is read from a degraded image: to spoil one, give numbers")
        operator: Operator | None = None
        for call in self.calls:
            stage = bind(call, _BUILDERS, "degradation", shape)()
            operator = stage if operator is None else stage @ operator
            shape = STAGES[call.name].forward(shape, *call.positional, **call.named)
        gaussian = GaussianNoise(2 * self.sigma)
        noise = bind(self.noise, NOISES, "degradation", shape)() if self.noise else gaussian
        return Degradation(operator or Identity(shape), noise)

    def for_degraded(self, shape: Shape) -> Degradation:
        """The degradation whose result has this shape."""
        for call in reversed(self.calls):
            shape = STAGES[call.name].backward(shape, *call.positional, **call.named)
        return self.for_clean(shape)


def _reads_back(call: Call) -> bool:
    try:
        return parse_call(str(call)) == call
    except UsageError:
        return False


def parse_degradation(text: str) -> Recipe:
    """Parse `stage|stage|...|noise(sigma)`, the noise last and with σ in [0, 1] units, or `auto`.

    `auto` alone is all of it; it may also be the argument of a stage.

    Raises:
        UsageError: if a stage is unknown, misses an argument, or noise is not the last one.
    """
    if not text.strip():
        raise UsageError(
            'the degradation is empty: write "motion(15,30)|noise(0.05)", for instance'
        )
    calls = [parse_call(part) for part in text.split("|")]
    noises = {"noise": _noise, **NOISES}
    expect_measurable(calls)
    if AUTO in calls:
        return Recipe((), None, automatic=True)
    sigma: float | None = 0.0
    noise = None
    for position, call in enumerate(calls):
        expect_image(call.name)
        if call.name in noises and position != len(calls) - 1:
            raise UsageError(f"{call.name} must be the last stage of {text!r}")
        if is_automatic(call):
            sigma = None if call.name == "noise" else sigma
            continue
        build = bind(call, _BUILDERS | noises, "degradation", (8, 8, 3))
        if call.name == "noise":
            sigma = build()
        elif call.name in NOISES:
            noise = call
    return Recipe(tuple(call for call in calls if call.name not in noises), sigma, noise)


def _noise(shape: Shape, sigma: float) -> float:
    if not 0 <= sigma < math.inf:
        raise UsageError(
            f"noise takes a standard deviation of 0 or more in units of [0, 1], got {sigma}: "
            "write noise(0.05)"
        )
    return float(sigma)
