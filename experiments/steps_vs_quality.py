"""What more steps buy: PSNR and texture against the number of steps, with and without noise.

Command: python experiments/steps_vs_quality.py RUN             about 10 minutes on one core
         python experiments/steps_vs_quality.py --smoke         on weights of no training, nothing is written
Result: benchmarks/results/steps_vs_quality.json, and the page that it makes, docs/scoreboards/steps_vs_quality.md.

The first experiment that the survey asks for [he2024survey]. RUN is that of `irsde_derain.py`, of which the figures are
stored; the pairs are `rain_synth`, of which the middles of 128 × 128 pixels are restored once for each number of steps
and each η of DDIM. Texture is the energy of the restored image's differences between neighbours over that of the truth:
below 1 it is too smooth, above too rough. Draws are those of `jaxir evaluate --seed 0`.
"""

import time
from pathlib import Path

import irsde_derain
import jax
import jax.numpy as jnp
import numpy as np
from _photographs import DATA
from _scoreboard import Claim, Results, made_by, origin, parser, publish, stamp, table, verdicts

from jaxir.data import PairFolder, Source, Synthetic, middle
from jaxir.denoisers import NetworkDenoiser
from jaxir.metrics import psnr
from jaxir.pretrained import load, model_of
from jaxir.processes import log_snr_times
from jaxir.samplers import Discrete, sample
from jaxir.transitions import DDIM
from jaxir.typing import Images

NAME = "steps_vs_quality"
STEPS, ETAS, SIZE = (1, 2, 4, 8, 16, 32, 64), (0.0, 1.0), 128


def pairs(source: Source, size: int) -> tuple[Images, Images]:
    """The middles of clean and degraded images, in [-1, 1]."""
    middles = [middle(source[i], size) for i in range(len(source))]
    clean, degraded = jnp.split(jnp.asarray(np.stack(middles), jnp.float32) / 127.5 - 1, 2, axis=-1)
    return clean, degraded


def energy(images: Images) -> float:
    """Of the differences between neighbours."""
    return float(sum(jnp.mean(jnp.diff(images, axis=axis) ** 2) for axis in (1, 2)))


def measure(
    denoiser: NetworkDenoiser, clean: Images, degraded: Images, steps: int, eta: float
) -> Results:
    """Restore all images once."""
    times = log_snr_times(denoiser.process, steps)
    began, restored = time.perf_counter(), []
    for number, y in enumerate(degraded):
        drawn = sample(
            jax.random.split(jax.random.fold_in(jax.random.key(0), number))[1],
            denoiser,
            y,
            shape=y.shape,
            sampler=Discrete(DDIM(eta)),
            times=times,
            strict=False,
        )
        restored.append(jnp.clip(drawn.images[0], -1, 1))
    found = jnp.stack(restored)
    return {
        "steps": steps,
        "eta": eta,
        "psnr": float(jnp.mean(jax.vmap(psnr)(found, clean))),
        "texture": energy(found) / energy(clean),
        "seconds": round(time.perf_counter() - began, 1),
    }


def claims(results: Results) -> list[Claim]:
    """Both ends of the perception–distortion curve."""
    quiet, noisy = ([r for r in results["rows"] if r["eta"] == eta] for eta in ETAS)
    best = max(quiet, key=lambda row: row["psnr"])
    rough = noisy[-1]["texture"] - quiet[0]["texture"]
    return [
        (
            "the best PSNR needs at most 8 steps",
            f"{best['psnr']:.2f} dB at {best['steps']}",
            best["steps"] <= 8,
        ),
        (
            "samples of many noisy steps have more texture than one step",
            f"{noisy[-1]['texture']:.2f} and {quiet[0]['texture']:.2f}",
            rough > 0,
        ),
    ]


def page(results: Results) -> str:
    """The results as Markdown."""
    heading = ["steps", *(f"{what}, η = {eta:g}" for eta in ETAS for what in ("PSNR", "texture"))]
    rows = []
    for steps in sorted({row["steps"] for row in results["rows"]}):
        found = [
            r for eta in ETAS for r in results["rows"] if (r["steps"], r["eta"]) == (steps, eta)
        ]
        rows.append([str(steps), *(f"{r[k]:.2f}" for r in found for k in ("psnr", "texture"))])
    return f"""# Quality against the number of steps

{made_by(NAME)}

Rain taken off {results["images"]} photographs of `rain_synth` by {results["weights"]}; the rainy ones have
{results["degraded"]["psnr"]:.2f} dB and {results["degraded"]["texture"]:.2f} of the texture.

{table(heading, rows)}

{verdicts(claims(results))}

{origin(results)}
"""


def main() -> None:
    """Restore with all numbers of steps, publish."""
    options = parser(__doc__, NAME)
    options.add_argument("run", nargs="?", type=Path, default=Path("runs/irsde-derain"))
    options = options.parse_args()
    if options.smoke:
        run = irsde_derain.experiment().smoke()
        denoiser = run.denoiser(run.network.init(jax.random.key(0)))
        source, size, grid = Synthetic(1, 32, channels=6), 32, STEPS[:2]
    else:
        denoiser, size, grid = load(model_of(options.run)), SIZE, STEPS
        source = PairFolder(DATA / "paired/rain_synth/gt", DATA / "paired/rain_synth/lq")
    clean, degraded = pairs(source, size)
    rows = []
    for steps in grid:
        for eta in ETAS:
            rows.append(measure(denoiser, clean, degraded, steps, eta))
            print(rows[-1], flush=True)
    before = {
        "psnr": float(jnp.mean(jax.vmap(psnr)(degraded, clean))),
        "texture": energy(degraded) / energy(clean),
    }
    found = {"weights": str(options.run), "images": len(clean), "degraded": before, "rows": rows}
    publish(options, {**stamp(), **found}, page)


if __name__ == "__main__":
    main()
