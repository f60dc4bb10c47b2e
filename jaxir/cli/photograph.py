"""One photograph restored by one set of settings: what `restore`, `replay` and `serve` have in common."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import jaxir
from jaxir.cli.degradations import Recipe, parse_degradation
from jaxir.cli.errands import digest
from jaxir.cli.errors import UsageError
from jaxir.cli.methods import parse_method
from jaxir.paired_restoration import restore_paired
from jaxir.pretrained import weights_digest
from jaxir.provenance import provenance
from jaxir.restoration import restore
from jaxir.samplers import at_fidelity, with_kernel
from jaxir.transitions import DDIM

if TYPE_CHECKING:
    from jaxir.cli.automatic import Say
    from jaxir.cli.settings import Settings
    from jaxir.data.photo import Photo
    from jaxir.degradations import Degradation
    from jaxir.denoisers import Denoiser
    from jaxir.samplers import Callback, Samples, Watch
    from jaxir.typing import Image, Key

STRIP = 320
"""Longest side of the estimates that are kept on the way, in pixels."""


class Restored(NamedTuple):
    """What became of a photograph, on the host; images are in [-1, 1] with as many channels as the one to write.

    Attributes:
        image: the restoration.
        samples: what it was made of.
        runs: how many independent runs they are of.
        std: their deviation at each pixel, of two samples or more.
        residual: y − A(image) at each pixel of y, where that is an image.
        trajectory: estimates on the way, small.
        kernel: of a blind method, the blur that it found, with a largest value of 1.
        alpha: the transparency, where it was restored too.
        record: settings, figures and origins, for the sidecar.
    """

    image: Float[np.ndarray, "h w c"]
    samples: Float[np.ndarray, "n h w c"]
    runs: int
    std: Float[np.ndarray, "h w c"] | None
    residual: Float[np.ndarray, "h w c"] | None
    trajectory: list[Float[np.ndarray, "h w c"]]
    kernel: Float[np.ndarray, "h w"] | None
    alpha: Float[np.ndarray, "h w 1"] | None
    record: dict[str, Any]


class Problem(NamedTuple):
    """What was measured, and how."""

    plan: Degradation
    y: Image


class Restorer:
    """Settings that were read and weights that were loaded, for one photograph after another.

    Raises:
        UsageError: if the settings say what cannot be.
        WeightsError: if there are no such weights.
    """

    def __init__(self, settings: Settings, prior: Denoiser | None = None) -> None:
        self.prior = jaxir.load(settings.prior) if prior is None else prior
        self.recipe = _recipe(settings, sees_y=self.prior.sees_y)
        place = Path(settings.prior)
        self.settings = dataclasses.replace(
            settings, prior=str(place.resolve()) if place.is_dir() else settings.prior
        )
        self.method = parse_method(settings.method)
        reads = self.recipe.reads if self.recipe else []
        self.origin: dict[str, Any] = {
            "weights": {"name": settings.prior, "sha256": weights_digest(settings.prior)},
            "reads": {str(path.resolve()): digest(path) for path in reads},
            "citations": citations(self.method.func if self.recipe else DDIM),
            "provenance": provenance(),
        }

    def __call__(
        self,
        photo: Photo,
        number: int = 0,
        *,
        callback: Callback | None = None,
        watch: Watch | None = None,
        say: Say = print,
    ) -> Restored:
        """Restore one photograph.

        Args:
            photo: as it was read.
            number: of the photograph, below 2³¹; with another one the same photograph has other noise.
            callback: gets (done, total); raise in it to cancel.
            watch: gets estimates on the way, of at most `STRIP` pixels a side.
            say: gets a line about what was measured in the photograph.
        """
        settings = self.settings
        known = self.recipe and self.recipe.measured(photo.image, say)
        key = jax.random.fold_in(jax.random.key(settings.seed), number)
        strip: list[np.ndarray] = []
        rounds = self.rounds(photo)

        def keep(estimate: Image) -> None:
            strip.append(_shrunk(seen(estimate)))
            if watch is not None:
                watch(jnp.asarray(strip[-1]))

        def part(finished: int) -> Callback | None:
            """The callback of one round, after so many."""
            if callback is None:
                return None
            return lambda done, total: callback(finished * total + done, rounds * total)

        margin = known.margin if known else 0
        grey_out = photo.image.shape[-1] == 1 and not (known and known.one_channel)

        def seen(image: Array | np.ndarray) -> np.ndarray:
            """What the photograph shows of the scene, in its channels."""
            image = np.asarray(image)
            image = image[margin : image.shape[0] - margin, margin : image.shape[1] - margin]
            return image.mean(axis=-1, keepdims=True) if grey_out else image

        samples, problem = self.draw(jnp.asarray(photo.image), known, key, part(0), keep)
        image = at_fidelity(samples, settings.fidelity)
        kernel, residual, figures = None, None, None
        if problem is not None:
            if samples.unknowns is not None:  # the kernel that a blind method found, not the guess
                kernel = jnp.mean(samples.unknowns, axis=0)
                problem = problem._replace(plan=with_kernel(problem.plan, kernel))
            residual, figures = _fit(known, problem, image)
        seconds, alpha = samples.diagnostics["seconds"], None
        if rounds == 2:
            drawn, _ = self.draw(jnp.asarray(photo.opacity), known, key, part(1))
            seconds, alpha = seconds + drawn.diagnostics["seconds"], drawn.mean
        evaluations = int(samples.diagnostics.get("evaluations", 0)) * settings.samples
        record = {
            "settings": dataclasses.asdict(settings) | {"tile": int(samples.diagnostics["tile"])},
            "degradation": known and str(known.resolved()),
            "noise": known and _noise(known),
            "residual": figures,
            "evaluations": rounds * evaluations,
            "seconds": seconds,
            **self.origin,
        }
        return Restored(
            image=seen(image),
            samples=np.stack([seen(sample) for sample in samples.images]),
            runs=settings.samples,
            std=None if len(samples.images) < 2 else seen(samples.std),
            residual=residual,
            trajectory=strip,
            kernel=None if kernel is None else np.asarray(kernel / jnp.max(kernel)),
            alpha=None if alpha is None else seen(alpha).mean(axis=-1, keepdims=True),
            record=record,
        )

    def rounds(self, photo: Photo) -> int:
        """Two where the transparency is restored as well."""
        return 2 if self.settings.alpha == "restore" and photo.alpha is not None else 1

    def having(self, **changes: Any) -> Restorer:
        """The same with some settings changed, and the weights in memory once."""
        other = copy.copy(self)
        other.settings = dataclasses.replace(self.settings, **changes)
        return other

    def draw(
        self,
        image: Image,
        known: Recipe | None,
        key: Key,
        callback: Callback | None = None,
        watch: Watch | None = None,
    ) -> tuple[Samples, Problem | None]:
        """Samples, and the problem that they solve where it is known."""
        grey_in = image.shape[-1] == 1 and not (known and known.one_channel)
        y = jnp.repeat(image, 3, axis=-1) if grey_in else image
        settings = self.settings
        options: dict[str, Any] = {
            "prior": self.prior,
            "steps": settings.steps,
            "samples": settings.samples,
            "key": key,
            "tile": settings.tile,
            "chunk": settings.chunk,
            "callback": callback,
            "watch": watch,
        }
        if known is None:
            return restore_paired(y, **options), None
        # three copies of one noise say as much as one channel with its noise, not as three of them
        sigma = known.sigma * math.sqrt(3) if grey_in else known.sigma
        height, width, channels = y.shape
        plan = known._replace(sigma=sigma).for_degraded((height, width, channels))
        return restore(y, plan, method=self.method, **options), Problem(plan, y)


def _noise(known: Recipe) -> str | dict[str, Any]:
    """What a record says of the noise."""
    return str(known.noise) if known.noise else {"sigma": known.sigma, "units": "[0, 1]"}


def _recipe(settings: Settings, *, sees_y: bool) -> Recipe | None:
    """How photographs were spoiled; None for a network that has learnt it from pairs.

    Raises:
        UsageError: if such a network is told what it does not take.
    """
    words = settings.degradation
    if not sees_y:
        return parse_degradation("auto" if words is None else words)
    if words is not None:
        raise UsageError(
            f"{settings.prior} was trained on pairs and knows what spoiled a photograph: leave out "
            f"--degradation {words!r}"
        )
    if settings.method != type(settings).method:
        raise UsageError(
            f"{settings.prior} was trained on pairs and draws by itself: leave out --method {settings.method}"
        )
    return None


def citations(made_by: Any) -> list[str]:
    """The keys in the bibliography of what a method is made of, from its docstring."""
    return re.findall(r"Source: \[(\w+)\]", made_by.__doc__ or "")


def _shrunk(image: np.ndarray) -> np.ndarray:
    """Every so many pixels, until the longest side is at most `STRIP`."""
    stride = -(-max(image.shape[:2]) // STRIP)
    return image[::stride, ::stride]


def _fit(
    known: Recipe, problem: Problem, restored: Image
) -> tuple[np.ndarray | None, dict[str, Any]]:
    """How far a restoration is from what was measured, and how far the noise lets it be."""
    plan, y = problem
    mean, told = plan(restored), plan.operator.told(y)

    def level(values: float | Array) -> float:
        return float(jnp.sqrt(jnp.mean(jnp.broadcast_to(values, y.shape) ** 2, where=told))) / 2

    expected = known.sigma if known.noise is None else level(plan.noise.std(mean))
    misfit = np.asarray(jnp.where(told, y - mean, 0))
    shown = misfit if misfit.ndim == 3 and misfit.shape[-1] in (1, 3) else None
    return shown, {"measured": level(y - mean), "expected": expected, "units": "[0, 1]"}
