"""How well the noise, the blur and the JPEG quality of a photograph are read from itself.

    python benchmarks/estimation.py            about 10 minutes on one core
    python benchmarks/estimation.py --smoke    two photographs, nothing is written

The first 24 photographs of BSDS500's validation part, none of which set anything in `jaxir.estimation`, are
reduced by 2 (which hides their own compression), spoiled, and rounded to 8 bits where they were blurred. Errors
are of the value: relative for noise, widths and lengths, in degrees for angles and in steps of quality for
JPEG. `within` is the share of photographs whose error is below twice the deviation that the estimate states.
Results: results/estimation.json.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from tune_classical import DATA

from jaxir.degradations import motion_blur
from jaxir.estimation import (
    Estimate,
    gaussian_blur_width,
    jpeg_quality,
    motion_blur_line,
    noise_level,
)
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "estimation.json"
Picture = np.ndarray


def photograph(path: Path) -> Picture:
    """In [-1, 1], reduced by 2."""
    levels = np.asarray(Image.open(path).convert("RGB"), float)
    height, width = (size // 2 for size in levels.shape[:2])
    blocks = levels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return blocks.mean((1, 3)) / 127.5 - 1


def rounded(picture: Picture) -> Picture:
    """As 8 bits keep it."""
    return np.round((picture + 1) * 127.5) / 127.5 - 1


def compressed(picture: Picture, quality: int) -> Picture:
    """Through a JPEG file."""
    file = io.BytesIO()
    levels = np.clip(np.round((picture + 1) * 127.5), 0, 255).astype(np.uint8)
    Image.fromarray(levels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), float) / 127.5 - 1


def relative(found: float, truth: float) -> float:
    return found / truth - 1


def turned(found: float, truth: float) -> float:
    """Between two directions, in degrees."""
    return (found - truth + 90) % 180 - 90


def difference(found: float, truth: float) -> float:
    return found - truth


Case = Iterator[tuple[str, float, Estimate, Callable[[float, float], float]]]


def measurements(picture: Picture, rng: np.random.Generator) -> Case:
    """(what, the truth, the estimate, how its error is counted) for every degradation."""
    for sigma in (0.01, 0.02, 0.05, 0.1, 0.2):  # of [0, 1]
        noisy = picture + 2 * sigma * rng.standard_normal(picture.shape)
        yield f"noise {sigma}", 2 * sigma, noise_level(noisy), relative
    for noise in (0.0, 0.01):
        extra = 2 * noise * rng.standard_normal(picture.shape)
        for width in (1.0, 1.5, 2.0, 3.0, 4.0):
            blurred = rounded(ndimage.gaussian_filter(picture, (width, width, 0)) + extra)
            name = f"gaussian {width}, noise {noise}"
            yield name, width, gaussian_blur_width(blurred), relative
        for length in (5.0, 15.0, 25.0):
            angle = rng.uniform(0, 180)
            kernel = np.asarray(motion_blur((64, 64, 1), length, angle).kernel)[..., None]
            found = motion_blur_line(rounded(ndimage.convolve(picture, kernel) + extra))
            yield f"motion {length}, noise {noise}, length", length, found.length, relative
            yield f"motion {length}, noise {noise}, angle", angle, found.angle, turned
    for quality in (10, 30, 50, 75, 90):
        estimate = jpeg_quality(compressed(picture, quality))
        yield f"jpeg {quality}", quality, estimate, difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="two photographs, no file")
    smoke = parser.parse_args().smoke
    started = time.perf_counter()
    paths = sorted((DATA / "natural" / "bsds500" / "val").glob("*.jpg"))[: 2 if smoke else 24]
    found: dict[str, list[tuple[float, bool]]] = {}
    for number, path in enumerate(paths):
        rng = np.random.default_rng(number)
        for name, truth, estimate, error_of in measurements(photograph(path), rng):
            error = error_of(estimate.value, truth)
            off = abs(estimate.value - truth) if error_of is not turned else abs(error)
            found.setdefault(name, []).append((error, off <= 2 * estimate.deviation))
    rows = {}
    print(f"{'':<36}{'median |error|':>15}{'90 % below':>12}{'median':>9}{'within':>8}")
    for name, pairs in found.items():
        errors = np.array([error for error, _ in pairs])
        rows[name] = {
            "median_absolute_error": float(np.median(np.abs(errors))),
            "ninetieth_percentile": float(np.percentile(np.abs(errors), 90)),
            "median_error": float(np.median(errors)),
            "within_two_deviations": float(np.mean([within for _, within in pairs])),
        }
        print(
            f"{name:<36}"
            + "".join(
                f"{v:>{w}.3f}" for v, w in zip(rows[name].values(), (15, 12, 9, 8), strict=True)
            )
        )
    if not smoke:
        seconds = round(time.perf_counter() - started)
        text = {
            "photographs": len(paths),
            "seconds": seconds,
            "provenance": provenance(),
            "errors": rows,
        }
        RESULT.write_text(json.dumps(text, indent=2) + "\n")
        print(f"wrote {RESULT}")


if __name__ == "__main__":
    main()
