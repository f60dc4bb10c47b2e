"""Denoising PSNR of a prior on test photographs, beside classical methods on the same noisy images.

    python benchmarks/denoising.py [--prior natural-prior] [--extra FILE] [-o benchmarks/results/denoising.json]

Noise of σ = 15, 25, 50 of 255 with NumPy's default_rng(index of the image), not clipped. Images: Set5 and the six
McMaster photographs of JAXIR_DATA. The prior takes one estimate, E[x0 | x], of the whole image. Non-local means and TV
are scikit-image's with the true σ: `denoise_nl_means(fast_mode=True, h=0.6 σ, patch_size=5, patch_distance=6)` and
`denoise_tv_chambolle(weight=σ)`, its weight chosen best of {0.5, 0.75, 1, 1.25} σ on the same images, in TV's favour.
CBM3D is not a dependency: `benchmarks/denoising_bm3d.py` runs it in an environment that has the package `bm3d`, on the
same noisy images; its JSON is merged by a second run with --extra, which measures nothing again.
"""

import argparse
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

import jaxir
from jaxir.data import image_files, read_image
from jaxir.provenance import provenance

DATA = Path(os.environ.get("JAXIR_DATA", Path(__file__).parents[2] / "shared" / "data"))
FOLDERS = {"set5": DATA / "testsets" / "set5" / "hr", "mcmaster6": DATA / "testsets" / "mcmaster6"}
SIGMAS = (15, 25, 50)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR of images in [0, 1], the first one clipped; RGB, all pixels."""
    return float(-10 * np.log10(np.mean((np.clip(a, 0, 1) - b) ** 2)))


def measure(name: str) -> list[dict]:
    """The rows of all images and noise levels."""
    denoiser = jaxir.load(name)
    process = denoiser.process

    @jax.jit
    def estimate(denoiser, noisy, sigma):
        t = process.time(-jnp.log(sigma))
        return denoiser(process.coefficients(t).a * noisy, t)

    def prior(noisy: np.ndarray, sigma: float) -> np.ndarray:
        x = jnp.asarray(2 * noisy - 1, jnp.float32)
        return (np.asarray(estimate(denoiser, x, jnp.asarray(2 * sigma, jnp.float32))) + 1) / 2

    def nlm(noisy: np.ndarray, sigma: float) -> np.ndarray:
        return denoise_nl_means(
            noisy, patch_size=5, patch_distance=6, h=0.6 * sigma, sigma=sigma, channel_axis=-1
        )

    rows = []
    for folder, path in FOLDERS.items():
        for index, file in enumerate(image_files(path)):
            clean = (read_image(file).astype(np.float64) + 1) / 2
            for level in SIGMAS:
                sigma = level / 255
                noise = np.random.default_rng(index).standard_normal(clean.shape)
                noisy = clean + sigma * noise
                scores = {
                    "jaxir": psnr(prior(noisy, sigma), clean),
                    "nlm": psnr(nlm(noisy, sigma), clean),
                }
                scores["noisy"] = psnr(noisy, clean)
                for factor in (0.5, 0.75, 1.0, 1.25):
                    tv = denoise_tv_chambolle(noisy, weight=factor * sigma, channel_axis=-1)
                    scores[f"tv-{factor}"] = psnr(tv, clean)
                rows.append({"set": folder, "image": file.name, "sigma": level, **scores})
                print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prior", default="natural-prior")
    parser.add_argument("--extra", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("benchmarks/results/denoising.json")
    )
    arguments = parser.parse_args()
    if arguments.extra:
        rows = json.loads(arguments.output.read_text())["rows"]
        found = json.loads(arguments.extra.read_text())
        extra = {(row["set"], row["image"], row["sigma"]): row["cbm3d"] for row in found}
        for row in rows:
            row["cbm3d"] = extra[row["set"], row["image"], row["sigma"]]
    else:
        rows = measure(arguments.prior)
    summary = []
    for folder in FOLDERS:
        for level in SIGMAS:
            group = [row for row in rows if (row["set"], row["sigma"]) == (folder, level)]
            mean = {
                k: float(np.mean([row[k] for row in group]))
                for k in group[0]
                if k not in ("set", "image", "sigma")
            }
            tv = max(value for name, value in mean.items() if name.startswith("tv-"))
            kept = {k: v for k, v in mean.items() if not k.startswith("tv-")}
            summary.append({"set": folder, "sigma": level, **kept, "tv": tv})
            print({k: round(v, 2) if isinstance(v, float) else v for k, v in summary[-1].items()})
    record = {
        "protocol": __doc__.split("\n\n")[2],
        "prior": arguments.prior,
        "provenance": provenance(),
        "mean": summary,
        "rows": rows,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
