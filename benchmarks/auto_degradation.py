"""What `--degradation auto` finds in photographs that were spoiled in a known way, and what acting on it wins.

    python benchmarks/auto_degradation.py            3 to 4 minutes on one core
    python benchmarks/auto_degradation.py --smoke    one photograph, two degradations, nothing is written

Photographs of BSDS500's validation part, none of which set anything in `jaxir.estimation`, are reduced by 2, spoiled
and rounded to 8 bits. The recipe is read from the whole photograph, and a crop of 64 × 64 from its middle is restored
with it by `restore`: DiffPIR, 20 steps, the mean of 2 samples. `hit` is the share of photographs whose recipe has the
right stages, with numbers within 15 % (JPEG: with its error counted as noise, within a factor of 2). What is sound as
it is has its own photograph for truth, 8 bits apart. Then the recipes of the photographs of `real`, which have no
truth. Results: results/auto_degradation.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from estimation import Picture, compressed, photograph, rounded
from PIL import Image
from scipy import ndimage
from tune_classical import DATA

import jaxir
from jaxir.cli.degradations import Recipe, parse_degradation
from jaxir.data import middle
from jaxir.degradations import motion_blur
from jaxir.metrics import psnr
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "auto_degradation.json"
SIDE, STEPS, SAMPLES = 64, 20, 2


class Case(NamedTuple):
    """How a photograph is spoiled: blur, noise (of [0, 1]) and JPEG, in this order, each left out where it is 0."""

    width: float = 0
    length: float = 0
    noise: float = 0
    quality: int = 0

    def spoil(self, picture: Picture, rng: np.random.Generator) -> tuple[Picture, float]:
        """The spoiled photograph, and its error without that of the blur, of [0, 1]."""
        if self.width:
            picture = ndimage.gaussian_filter(picture, (self.width, self.width, 0))
        if self.length:
            kernel = np.asarray(motion_blur((64, 64, 1), self.length, rng.uniform(0, 180)).kernel)
            picture = ndimage.convolve(picture, kernel[..., None])
        y = rounded(np.clip(picture + 2 * self.noise * rng.standard_normal(picture.shape), -1, 1))
        y = compressed(y, self.quality) if self.quality else y
        return y, float(np.sqrt(np.mean((y - picture) ** 2))) / 2

    def hit(self, found: Recipe, error: float) -> bool:
        """Whether a recipe says so."""
        names = [call.name for call in found.calls]
        expected = ["gaussian", "crop"] if self.width else ["motion", "crop"] if self.length else []
        right = names == expected
        if right and names:
            right = abs(found.calls[0].positional[0] / (self.width or self.length) - 1) < 0.15
        if self.quality:
            return right and 0.5 < found.sigma / error < 2
        return right and (
            abs(found.sigma / self.noise - 1) < 0.15 if self.noise else found.sigma <= 0.005
        )


CASES = {
    "nothing": Case(),
    "noise 0.01": Case(noise=0.01),
    "noise 0.03": Case(noise=0.03),
    "noise 0.1": Case(noise=0.1),
    "gaussian 0.8": Case(width=0.8),
    "gaussian 1.5": Case(width=1.5),
    "gaussian 1.5, noise 0.01": Case(width=1.5, noise=0.01),
    "gaussian 2, noise 0.03": Case(width=2, noise=0.03),
    "gaussian 3": Case(width=3),
    "motion 9, noise 0.01": Case(length=9, noise=0.01),
    "JPEG 10": Case(quality=10),
    "JPEG 50": Case(quality=50),
    "JPEG 75": Case(quality=75),
    "JPEG 90": Case(quality=90),
    "gaussian 1.5, JPEG 75": Case(width=1.5, quality=75),
    "noise 0.03, JPEG 75": Case(noise=0.03, quality=75),
}


def restored(
    y: Picture, recipe: Recipe, prior: jaxir.denoisers.Denoiser, key: jax.Array
) -> jax.Array:
    """The mean of the samples, of the size of y."""
    plan = recipe.for_degraded(y.shape)
    drawn = jaxir.restore(
        jnp.asarray(y, jnp.float32),
        plan,
        prior=prior,
        steps=STEPS,
        samples=SAMPLES,
        key=key,
        check=False,
    )
    return jnp.clip(middle(np.asarray(drawn.mean), y.shape[0]), -1, 1)


def silent(_: str) -> None:
    """Say nothing."""


def recipe_of(y: Picture, say: Callable[[str], object] = silent) -> Recipe:
    return parse_degradation("auto").measured(y, say)


def row(name: str, case: Case, pictures: list[Picture], prior: jaxir.denoisers.Denoiser) -> dict:
    hits, recipes, pairs = [], [], []
    for number, picture in enumerate(pictures):
        y, error = case.spoil(picture, np.random.default_rng(number))
        recipe = recipe_of(y)
        truth, part = (jnp.asarray(middle(image, SIDE)) for image in (picture, y))
        after = restored(middle(y, SIDE), recipe, prior, jax.random.key(number))
        hits.append(case.hit(recipe, error))
        recipes.append(str(recipe))
        pairs.append((float(psnr(part, truth)), float(psnr(after, truth))))
    before, after = np.array(pairs).T
    return {
        "degradation": name,
        "hit": float(np.mean(hits)),
        "before": float(before.mean()),
        "after": float(after.mean()),
        "gain": float((after - before).mean()),
        "worst_gain": float((after - before).min()),
        "recipes": recipes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a small part of it, no file")
    smoke = parser.parse_args().smoke
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} does not exist: set JAXIR_DATA to the folder of development data")
    began = time.perf_counter()
    paths = sorted((DATA / "natural" / "bsds500" / "val").glob("*.jpg"))[:: 32 if smoke else 8]
    pictures = [photograph(path) for path in paths]
    cases = dict(list(CASES.items())[:2]) if smoke else CASES
    prior, rows = jaxir.load("natural-prior"), []
    for name, case in cases.items():
        rows.append(row(name, case, pictures, prior))
        found = rows[-1]
        print(
            f"{name:26} hit {found['hit']:4.0%}  before {found['before']:5.2f}  after {found['after']:5.2f} dB  "
            f"gain {found['gain']:+5.2f} (worst {found['worst_gain']:+5.2f})  {found['recipes'][0]}",
            flush=True,
        )
    folders = () if smoke else ("noise", "lowres")
    real = {}
    for path in (path for folder in folders for path in sorted((DATA / "real" / folder).glob("*"))):
        levels = np.asarray(Image.open(path).convert("RGB"), float)
        name = f"{path.parent.name}/{path.name}"
        real[name] = str(recipe_of(levels / 127.5 - 1))
        print(f"{name:30} {real[name]}", flush=True)
    if not smoke:
        protocol = (
            f"{len(pictures)} photographs of BSDS500 val, reduced by 2; recipe from the whole, {SIDE} x {SIDE} "
            f"restored: DiffPIR, {STEPS} steps, mean of {SAMPLES} samples; PSNR in RGB, dB, range 2, clipped"
        )
        text = {
            "protocol": protocol,
            "provenance": provenance(),
            "seconds": round(time.perf_counter() - began),
            "rows": rows,
            "real": real,
        }
        RESULT.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"wrote {RESULT}")


if __name__ == "__main__":
    main()
