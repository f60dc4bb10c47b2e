"""How much more memory a large photograph takes than a small one, restored in the same tiles.

    python benchmarks/large_photo.py            about 15 minutes on two cores
    python benchmarks/large_photo.py --smoke    small photographs, nothing is written

`jaxir.restore` with the shipped prior, motion blur of 15 pixels with noise, one sample in two steps, tiles of 256
pixels, eight at a time: 512 × 512 and 2048 × 3072 pixels, each in a process of its own, by DiffPIR (no derivative of
the network) and by ΠGDM (one pullback a step). Peak memory is the operating system's resident set of the whole process,
with Python, JAX and the compiler, from its start to the restored image; the measurement is noise, for memory does not
depend on what is seen. The large photograph may take one and a half times what the small one takes.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import jax

import jaxir
from jaxir import methods
from jaxir.degradations import Degradation, GaussianNoise, motion_blur
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "large_photo.json"
SIZES, METHODS = ((512, 512), (2048, 3072)), ("diffpir", "pigdm")
TILE, BATCH, STEPS = 256, 8, 2
ALLOWED = 1.5


def measure(method: str, height: int, width: int, tile: int) -> dict:
    """Restore one photograph in this process, and say what it took."""
    shape = (height, width, 3)
    degradation = Degradation(motion_blur(shape, 15, 30), GaussianNoise(0.1))
    y = jax.random.uniform(jax.random.key(0), shape, minval=-1)
    began = time.perf_counter()
    jaxir.restore(
        y,
        degradation,
        method=getattr(methods, method),
        steps=STEPS,
        samples=1,
        tile=tile,
        overlap=tile // 4,
        tile_batch=BATCH,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "method": method,
        "size": [height, width],
        "mebibytes": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "seconds": time.perf_counter() - began,
    }


def elsewhere(*arguments: object) -> dict:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print, store, and say whether it is within what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small photographs, no file")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        method, *sizes = arguments.one
        print(json.dumps(measure(method, *map(int, sizes))))
        return
    sizes, tile = (((64, 64), (96, 128)), 32) if arguments.smoke else (SIZES, TILE)
    rows, ratios = [], {}
    for method in METHODS:
        small, large = (elsewhere(method, *size, tile) for size in sizes)
        ratios[method] = large["mebibytes"] / small["mebibytes"]
        rows += [small, large]
        for row in (small, large):
            print(
                f"{method:8} {row['size'][0]:4} × {row['size'][1]:4}: {row['mebibytes']:6.0f} MiB in "
                f"{row['seconds']:6.1f} s with compilation"
            )
        print(f"{method:8} {ratios[method]:.2f} times as much, {ALLOWED} allowed")
    if arguments.smoke:
        return
    record = {
        "protocol": " ".join(__doc__.split("\n\n")[2].split()),
        "provenance": provenance(),
        "tile": TILE,
        "overlap": TILE // 4,
        "tile_batch": BATCH,
        "steps": STEPS,
        "rows": rows,
        "ratios": ratios,
        "allowed": ALLOWED,
    }
    RESULT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert max(ratios.values()) <= ALLOWED


if __name__ == "__main__":
    main()
