"""What drawing many posterior samples at once gains over one after another.

    python benchmarks/many_samples.py            about 3 minutes on two cores
    python benchmarks/many_samples.py --smoke    a small part of it, nothing is written

The shipped prior on 48 × 48 pixels with 92 % of them missing, DiffPIR (no derivative) and ΠGDM (one pullback a step),
20 steps. The same 32 samples, of the same keys, are drawn by one program over all of them, by `chunk=8`, and by
`chunk=1`; compilation comes before the clock, and the rounds of the three are interleaved. results/many_samples.json
has the seconds of each round. Memory is not measured: that of a step is proportional to the chunk.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxir
from jaxir.cli.tasks import TASKS, spoil
from jaxir.methods import diffpir, pigdm
from jaxir.photos import photo
from jaxir.provenance import provenance

RESULT = Path(__file__).parent / "results" / "many_samples.json"
SAMPLES, STEPS, SIDE, ROUNDS = 32, 20, 48, 3
CHUNKS = (SAMPLES, 8, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="two samples, two steps, no file")
    smoke = parser.parse_args().smoke
    samples, steps, rounds = (2, 2, 1) if smoke else (SAMPLES, STEPS, ROUNDS)
    chunks = (2, 1) if smoke else CHUNKS
    prior = jaxir.load("natural-prior")
    truth = jnp.asarray(photo("cat"))[:SIDE, :SIDE]
    degradation, y = spoil(TASKS["random"], jax.random.key(0), truth)
    rows = []
    for method in (diffpir, pigdm):

        def draw(chunk: int, method=method) -> tuple[float, np.ndarray]:
            began = time.perf_counter()
            found = jaxir.restore(
                y,
                degradation,
                prior=prior,
                method=method,
                steps=steps,
                samples=samples,
                chunk=chunk,
            )
            return time.perf_counter() - began, np.asarray(found.images)

        images = [draw(chunk)[1] for chunk in chunks]
        apart = max(float(np.abs(other - images[0]).max()) for other in images)
        seconds = {chunk: [] for chunk in chunks}
        for _ in range(rounds):
            for chunk in chunks:
                seconds[chunk].append(draw(chunk)[0])
        middle = {chunk: float(np.median(values)) for chunk, values in seconds.items()}
        gain = {chunk: middle[1] / value for chunk, value in middle.items()}
        rows.append(
            {"method": method.__name__, "seconds": seconds, "gain": gain, "largest_gap": apart}
        )
        for chunk in chunks:
            print(
                f"{method.__name__:8} {samples} samples, {chunk:2} at a time: {middle[chunk]:6.2f} s, "
                f"{gain[chunk]:.2f} times as fast as one after another"
            )
        print(f"{method.__name__:8} largest difference between them {apart:.1e}")
    if not smoke:
        text = {
            "protocol": " ".join(__doc__.split("\n\n")[2].split()),
            "provenance": provenance(),
            "rows": rows,
        }
        RESULT.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
