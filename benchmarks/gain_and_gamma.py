"""What a low-light restorer must beat: one gain and one gamma for all pixels, fitted on the other photographs.

    python benchmarks/gain_and_gamma.py [--data DIR] [--size 256]

For each pair in DIR (gt/ and lq/, `$JAXIR_DATA/paired/lowlight_lol` by default) the two numbers that make the PSNR of
the other pairs largest on average are found by Nelder and Mead's method and applied to it; beside it stands what its
own would give. The images are cut as `jaxir evaluate --size` cuts them. results/gain_and_gamma.json.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from tune_classical import DATA

from jaxir.data import PairFolder, middle
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "gain_and_gamma.json"


def corrected(dark: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """gain · dark^gamma in [0, 1], both parameters as logarithms."""
    gain, gamma = np.exp(parameters)
    return np.clip(gain * dark**gamma, 0, 1)


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """In dB, of images in [0, 1]."""
    return float(-10 * np.log10(np.mean((image - truth) ** 2)))


def fitted(pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The parameters of the largest mean PSNR, the best of several starts."""

    def loss(parameters: np.ndarray) -> float:
        return -float(np.mean([psnr(corrected(dark, parameters), clean) for clean, dark in pairs]))

    starts = [np.log([gain, gamma]) for gain in (1.0, 4.0, 10.0) for gamma in (0.4, 1.0)]
    found = [minimize(loss, start, method="Nelder-Mead") for start in starts]
    return min(found, key=lambda each: each.fun).x


def main() -> None:
    """Fit, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA / "paired" / "lowlight_lol")
    parser.add_argument("--size", type=int, default=None)
    options = parser.parse_args()
    source = PairFolder(options.data / "gt", options.data / "lq")
    images = [middle(source[i], options.size) / 255 for i in range(len(source))]
    pairs = [(image[..., :3], image[..., 3:]) for image in images]
    rows = []
    for number, (clean, dark) in enumerate(pairs):
        others = pairs[:number] + pairs[number + 1 :]
        parameters = fitted(others)
        rows.append(
            {
                "image": source.paths[number][0].name,
                "degraded": psnr(dark, clean),
                "gain": float(np.exp(parameters[0])),
                "gamma": float(np.exp(parameters[1])),
                "psnr": psnr(corrected(dark, parameters), clean),
                "psnr_own": psnr(corrected(dark, fitted([(clean, dark)])), clean),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    mean = {
        name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "image"
    }
    print("mean", json.dumps(mean))
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "data": f"{options.data.parent.name}/{options.data.name}",
        "size": options.size,
        "mean": mean,
        "rows": rows,
        "provenance": provenance(),
    }
    RESULT.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
