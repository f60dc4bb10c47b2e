"""What a restoration would take, and how much of it fits into a given time: measured on a small piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxir.data import middle
from jaxir.denoisers import Tiled, in_tiles
from jaxir.tiling import Tiles

if TYPE_CHECKING:
    from jaxir.cli.automatic import Say
    from jaxir.cli.degradations import Recipe
    from jaxir.cli.photograph import Restorer
    from jaxir.data import Photo

FEWEST_STEPS = 20
"""Below this a budget costs samples before it costs steps."""

PROBE = 96
"""Side in pixels of the piece that the pace is measured on."""


class Cost(NamedTuple):
    """What a restoration takes.

    Attributes:
        tiles: that the network sees for one evaluation; 1 where it sees the whole.
        evaluations: of the network, for all samples.
        seconds: measured on a piece.
    """

    tiles: int
    evaluations: int
    seconds: float


class Seen(NamedTuple):
    """What the network sees for one evaluation: so many tiles, and their pixels."""

    tiles: int
    pixels: int


def cost(restorer: Restorer, photo: Photo, say: Say = print) -> Cost:
    """What the restoration of a photograph takes; what is measured in it is said."""
    known = restorer.recipe and restorer.recipe.measured(photo.image, say)
    settings = restorer.settings
    evaluations = restorer.rounds(photo) * settings.steps * settings.samples
    seconds = evaluations * _pace(restorer, photo.image, known)
    return Cost(_seen(restorer, photo.image, known).tiles, evaluations, seconds)


def within(restorer: Restorer, seconds: float, photo: Photo, *, least: int = 1) -> Restorer:
    """The same with so many steps and samples as a photograph can be restored by in that time.

    Samples go first: the fewest steps are `FEWEST_STEPS`, then there are `least` samples, then the steps go.
    """
    settings, recipe = restorer.settings, restorer.recipe
    known = recipe and recipe.measured(photo.image, say=lambda said: None)
    affordable = int(seconds / _pace(restorer, photo.image, known) / restorer.rounds(photo))
    most = affordable // min(FEWEST_STEPS, settings.steps)
    samples = min(max(most, least), settings.samples)
    steps = min(max(affordable // samples, 1), settings.steps)
    return restorer.having(steps=steps, samples=samples)


def _seen(restorer: Restorer, image: np.ndarray, known: Recipe | None) -> Seen:
    height, width, channels = image.shape
    shape = (height, width, channels)
    if known is not None:
        shape = known.for_degraded(shape).operator.shape
    denoiser = in_tiles(restorer.prior, shape, restorer.settings.tile)
    if not isinstance(denoiser, Tiled):
        return Seen(1, shape[0] * shape[1])
    size = denoiser.size
    grid = (max(shape[0], size), max(shape[1], size))
    tiles = len(Tiles(grid, size, denoiser.overlap, denoiser.margin).corners)
    return Seen(tiles, tiles * size**2)


def _pace(restorer: Restorer, image: np.ndarray, known: Recipe | None) -> float:
    """Seconds of an evaluation for one sample, from a piece in the middle of the photograph."""
    probe = restorer.having(steps=3, samples=1, chunk=None, tile=0)
    masked = known is not None and any(call.name == "mask" for call in known.calls)
    piece = image if masked else middle(image, PROBE)  # a mask is as large as the photograph
    for _ in range(2):  # the first is compiled
        drawn, _ = probe.draw(jnp.asarray(piece), known, jax.random.key(0))
    seen, of_piece = (_seen(restorer, image, known), _seen(probe, piece, known))
    return drawn.diagnostics["seconds"] / 3 * seen.pixels / of_piece.pixels
