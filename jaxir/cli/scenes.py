"""Weather, light and age by name, for the shell; what is random comes from a seed, the same for the same seed.

Brightness is in units of [0, 1] here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxir.cli.stage import Shape, Stage

if TYPE_CHECKING:
    from jaxir.degradations import Operator


def haze(shape: Shape, beta: float = 1.0, airlight: float = 0.9, seed: int = 0) -> Operator:
    """Fog of scattering coefficient `beta` before a scene whose depth is a smooth random field."""
    import jax

    from jaxir import degradations

    depth = degradations.smooth_field(jax.random.key(seed), shape[:2], width=min(shape[:2]) / 6)
    return degradations.haze(depth, shape, beta=beta, airlight=2 * airlight - 1)


def rain(
    shape: Shape,
    density: float = 0.004,
    length: float = 15.0,
    angle: float = 80.0,
    strength: float = 0.4,
    seed: int = 0,
) -> Operator:
    """Bright streaks; the density is the share of pixels, the length in pixels, the angle in degrees."""
    import jax

    from jaxir import degradations

    key = jax.random.key(seed)
    return degradations.rain(
        key, shape, density=density, length=length, angle=angle, strength=2 * strength
    )


def snow(shape: Shape, density: float = 0.1, seed: int = 0) -> Operator:
    """White flakes over a share of the image."""
    import jax

    from jaxir import degradations

    return degradations.snow(jax.random.key(seed), shape, density=density)


def drops(shape: Shape, count: int = 20, seed: int = 0) -> Operator:
    """So many drops on the window."""
    import jax

    from jaxir import degradations

    return degradations.drops(jax.random.key(seed), shape, count=count)


def shadow(shape: Shape, strength: float = 0.6, area: float = 0.4, seed: int = 0) -> Operator:
    """A soft shadow over a share of the image, which takes a share of its light."""
    import jax

    from jaxir import degradations

    width = min(shape[:2]) / 6
    cover = degradations.shadow_cover(jax.random.key(seed), shape, area=area, width=width)
    return degradations.shadow(cover, shape, strength=strength)


def low_light(shape: Shape, gain: float = 0.5, gamma: float = 2.0) -> Operator:
    """Under-exposed: gain · intensity^gamma."""
    from jaxir import degradations

    return degradations.low_light(shape, gain=gain, gamma=gamma)


def scratches(shape: Shape, count: int = 6, width: float = 1.5, seed: int = 0) -> Operator:
    """So many white scratches, their width in pixels."""
    import jax

    from jaxir import degradations

    cover = degradations.scratch_cover(jax.random.key(seed), shape, count=count, width=width)
    return degradations.scratches(cover, shape)


def fade(shape: Shape, contrast: float = 0.6) -> Operator:
    """A share of the contrast left."""
    from jaxir import degradations

    return degradations.fade(shape, contrast=contrast)


def sepia(shape: Shape, strength: float = 1.0) -> Operator:
    """A brown tone."""
    from jaxir import degradations

    return degradations.sepia(shape, strength=strength)


SCENES = {
    "haze": Stage(haze),
    "rain": Stage(rain),
    "snow": Stage(snow),
    "drops": Stage(drops),
    "shadow": Stage(shadow),
    "lowlight": Stage(low_light),
    "scratches": Stage(scratches),
    "fade": Stage(fade),
    "sepia": Stage(sepia),
}
"""Names to stages."""
