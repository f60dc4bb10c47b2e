"""Colour profiles: from a profile's values to sRGB and back, in float64 and without a bound.

A photograph's profile says that three curves and a matrix lead from its values to light. Both can be undone, so
nothing is lost on the way to sRGB and back, and a colour outside sRGB becomes a value outside [0, 1] rather than
the nearest one inside; sRGB's own curve continues there as an odd function. A library of colour management
would do the same with 16 bits in between, or with float32 to some thirty levels of 65535 in dark colours. Profiles
made of tables (printers, some scanners) lead one way only and are not followed.

Source: [icc2010]
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "*shape"]


@dataclass(frozen=True)
class Power:
    """y = (a x + b)^g + e where x ≥ d, else c x + f: every curve that has a formula."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def __call__(self, x: Values) -> Values:
        """The light of a value."""
        return np.where(x >= self.d, self._power(x), self.c * x + self.f)

    def inverse(self, y: Values) -> Values:
        """The value of a light, at least 0."""
        root = (np.maximum(y - self.e, 0) ** (1 / self.g) - self.b) / self.a
        line = (y - self.f) / self.c if self.c else np.zeros_like(y)
        return np.where(y >= self._power(np.array(self.d)), root, line)

    def _power(self, x: Values) -> Values:
        return np.maximum(self.a * x + self.b, 0) ** self.g + self.e


@dataclass(frozen=True, eq=False)
class Table:
    """A curve by its values at equal distances, straight in between."""

    y: Float[np.ndarray, " n"]

    def __call__(self, x: Values) -> Values:
        """The light of a value in [0, 1]."""
        return np.interp(x, np.linspace(0, 1, len(self.y)), self.y)

    def inverse(self, y: Values) -> Values:
        """The value of a light; where the curve is flat, one of the values that have it."""
        return np.interp(y, self.y, np.linspace(0, 1, len(self.y)))


Curve = Power | Table

SRGB = Power(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""sRGB's light in the XYZ of profiles, whose white is D50 (adapted by Bradford's method)."""


@dataclass(frozen=True)
class ColourSpace:
    """The curves of a profile's channels and the matrix from their light to sRGB's; grey has one curve."""

    curves: tuple[Curve, ...]
    matrix: Float[np.ndarray, "c c"]

    def to_srgb(self, values: Float[np.ndarray, "*shape c"]) -> Float[np.ndarray, "*shape c"]:
        """From the profile's values in [0, 1] to sRGB's, which leave [0, 1] where the colour leaves sRGB."""
        lights = [curve(values[..., i]) for i, curve in enumerate(self.curves)]
        return _odd(SRGB.inverse, np.stack(lights, axis=-1) @ self.matrix.T)

    def from_srgb(self, values: Float[np.ndarray, "*shape c"]) -> Float[np.ndarray, "*shape c"]:
        """From sRGB's values to the profile's, the nearest in [0, 1] channel by channel."""
        light = np.clip(_odd(SRGB, values) @ np.linalg.inv(self.matrix).T, 0, 1)
        channels = [curve.inverse(light[..., i]) for i, curve in enumerate(self.curves)]
        return np.clip(np.stack(channels, axis=-1), 0, 1)

    def is_srgb(self) -> bool:
        """Whether it is sRGB but for rounding: half a level of 256 in the curves, 1/200 of the light in the matrix."""
        ramp = np.linspace(0, 1, 256)
        curves = [SRGB.inverse(curve(ramp)) - ramp for curve in self.curves]
        return bool(
            np.abs(curves).max() < 0.5 / 255
            and np.abs(self.matrix - np.eye(len(self.curves))).max() < 1 / 200
        )


def colour_space(profile: bytes, channels: int) -> ColourSpace | None:
    """The colours of a profile for an image of 1 or 3 channels; None if they are sRGB's.

    Raises:
        ValueError: if the profile is damaged, for other channels, or made of tables; the text says which.
    """
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise ValueError("is damaged")
    kind, wanted = profile[16:20], {1: b"GRAY", 3: b"RGB "}[channels]
    if kind != wanted:
        raise ValueError(f"is for {kind.decode('latin1').strip()}, the image is {wanted.decode()}")
    tags = _tags(profile)
    if channels == 3 and b"A2B0" in tags and b"rXYZ" not in tags:
        raise ValueError("is made of tables, which lead one way only")
    try:
        space = _space(tags, channels)
    except (ArithmeticError, LookupError, ValueError, struct.error) as error:
        raise ValueError("is damaged") from error
    return None if space.is_srgb() else space


def _space(tags: dict[bytes, bytes], channels: int) -> ColourSpace:
    if channels == 1:
        return ColourSpace((_curve(tags[b"kTRC"]),), np.eye(1))
    lights = np.stack([_xyz(tags[c + b"XYZ"]) for c in (b"r", b"g", b"b")], axis=1)
    if abs(np.linalg.det(lights)) < 1e-4:  # sRGB's is 0.16
        raise ValueError
    curves = tuple(_curve(tags[c + b"TRC"]) for c in (b"r", b"g", b"b"))
    return ColourSpace(curves, np.linalg.solve(SRGB_TO_XYZ, lights))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = int.from_bytes(profile[128:132], "big")
    count = min(count, (len(profile) - 132) // 12)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
    return {name: profile[start : start + size] for name, start, size in entries}


def _xyz(tag: bytes) -> Float[np.ndarray, " 3"]:
    if tag[:4] != b"XYZ ":
        raise ValueError
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> Curve:
    curve = _any_curve(tag)
    light = curve(np.linspace(0, 1, 1025))
    if not np.all(np.isfinite(light)) or np.any(np.diff(light) < 0) or light[0] == light[-1]:
        raise ValueError
    return curve


def _any_curve(tag: bytes) -> Curve:
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return Power(1.0)
        if count == 1:
            return Power(struct.unpack_from(">H", tag, 12)[0] / 256)
        return Table(np.frombuffer(tag, ">u2", count, 12) / 65535)
    if tag[:4] != b"para":
        raise ValueError
    (form,) = struct.unpack_from(">H", tag, 8)
    numbers = [n / 65536 for n in struct.unpack_from(f">{(1, 3, 4, 5, 7)[form]}i", tag, 12)]
    if form in (1, 2):  # level from 0 to where the power begins
        g, a, b, *height = numbers
        level = height[0] if height else 0.0
        return Power(g, a, b, 0.0, -b / a, level, level)
    return Power(*numbers)


def _odd(curve: Callable[[Values], Values], values: Values) -> Values:
    return np.copysign(curve(np.abs(values)), values)
