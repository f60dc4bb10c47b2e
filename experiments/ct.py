"""CT slices from few views: zero-shot restoration by a prior of photographs.

Data: `medical/ct_small_hu.npy` (a spine, 128 × 128, in Hounsfield units) and `medical/ct_stent_slices.npz` (8 slices of
one aorta with a stent, 128 × 128) of the development data.
Command: python experiments/ct.py            needs JAXIR_DATA
         python experiments/ct.py --smoke    small slices, one method, nothing is written
Result: benchmarks/results/ct.json, and the page that it makes, docs/scoreboards/ct.md with ct.png.

- Units: x = HU/1000 from −1000 to 1000 HU, clipped; −1 is air and 0 is water. Attenuation, in that of water, is x + 1,
  so a ray's sum is physical: that of `parallel_beam` plus a constant, A(1). Outside the slice there is air.
- Slices are reduced to 64 × 64 by the mean of 2 × 2 pixels, and seen in 15 and 30 views over half a turn, for each
  pixel what 30 and 60 are for 128 × 128: five methods on five slices are then a matter of minutes. The 15 are every
  second of the 30, with the same noise.
- Noise is Gaussian with σ = 0.3, three tenths of the shadow of one pixel of water: about that of 1e5 photons behind 64
  pixels of 1.3 mm.
- The stent's slices have no air and no fat in them: what lies below 0 HU is 0 in the file, and the rest is in steps of
  62.5 HU. Slices 0 to 3 choose the weight of TV and nothing else; 4 to 7 and the spine are for measuring.
- The operator is `parallel_beam`, as a matrix: of 64 × 64 pixels the eigenvectors are at hand, so that the systems of
  all methods are solved at once. By conjugate gradients, as in `parallel_beam @ grey`, they would take hours.
- FBP is `jaxir.degradations.fbp` of the attenuation, TV is `total_variation`. FBP of 180 views of the 128 × 128 spine
  without noise is there to see that it is as it should be.
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _medical import (
    METHODS,
    Board,
    claims,
    effort,
    fastest,
    misfit,
    options,
    protocol,
    remarks,
    sampled,
    score,
    slices,
    timed,
)
from _scoreboard import Results, made_by, origin, publish, stamp, table, verdicts
from jaxtyping import Array, Float

from jaxir.classical import total_variation
from jaxir.data import write_image
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Linear,
    ParallelBeam,
    all_pass,
    area_downsample,
    fbp,
    grey,
    hann,
    parallel_beam,
)
from jaxir.degradations.tomography import Window
from jaxir.metrics import mean_interval, psnr
from jaxir.report import Picture, Row, Uncertainty, panel
from jaxir.typing import Image, Key, Measurement, Scalar

NAME = "ct"
SIZE, VIEWS, EVERY, SIGMA = 64, 30, (2, 1), 0.3
WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0)


class Beams(Linear):
    """y = P (x w) for an image with channels of weights w and a matrix P, of which P Pᵀ = U diag(λ) Uᵀ is known.

        (AᵀA + ρ)⁻¹ v = (v − Aᵀ (AAᵀ + ρ)⁻¹ A v)/ρ,        A⁺ y = Aᵀ (AAᵀ)⁺ y,        AAᵀ = |w|² P Pᵀ

    Args:
        matrix: P; its rows of zeros are rays that are not measured.
        basis: U.
        values: λ.
        weights: w.
        shape: of the image.
    """

    matrix: Float[Array, "rays pixels"]
    basis: Float[Array, "rays rays"]
    values: Float[Array, " rays"]
    weights: Float[Array, " c"]
    shape: tuple[int, int, int] = eqx.field(static=True)

    def apply(self, x: Image) -> Float[Array, " rays"]:
        return self.matrix @ (x @ self.weights).ravel()

    def clean(self, y: Measurement) -> Measurement:
        return jnp.where(jnp.any(self.matrix != 0, axis=1), y, 0)

    def solve(self, v: Image, rho: float | Scalar) -> Image:
        seen = self.apply(v) @ self.basis
        return (v - self.adjoint(self.basis @ (seen / (self.squares + rho)))) / rho

    def pinv(self, y: Measurement) -> Image:
        """A singular value below a thousandth of the largest counts as 0."""
        squares = self.squares
        seen = squares > 1e-6 * jnp.max(squares)
        factors = jnp.where(seen, 1 / jnp.where(seen, squares, 1), 0)
        return self.adjoint(self.basis @ (factors * (y @ self.basis)))

    @property
    def squares(self) -> Float[Array, " rays"]:
        """The squared singular values."""
        return jnp.sum(self.weights**2) * self.values


class Scanner(NamedTuple):
    """Some views as a matrix, for images of one channel and for the grey value of colours, and for `fbp`."""

    plain: Beams
    coloured: Beams
    views: ParallelBeam

    def attenuation(self, y: Measurement) -> Image:
        """The sinogram of x + 1, which is 0 in the air around."""
        sums = (y + self.plain(jnp.ones(self.plain.shape))).reshape(-1, self.views.detectors, 1)
        return sums[:: len(sums) // len(self.views.angles)]


def columns(operator: ParallelBeam) -> Float[np.ndarray, "rays pixels"]:
    """The matrix of an operator on images of one channel: the pixels of a row at once, as channels."""
    height, width, _ = operator.shape
    many = ParallelBeam(operator.angles, operator.detectors, (height, width, width))
    units = jnp.eye(height * width).reshape(height, width, height, width)
    parts = jax.lax.map(many.apply, jnp.moveaxis(units, 2, 0))
    return np.moveaxis(np.asarray(parts), 0, 2).reshape(-1, height * width)


def scanner(size: int, views: int, every: int) -> Scanner:
    """Every so many of the views over half a turn."""
    shape, colours = (size, size, 1), (size, size, 3)
    full = parallel_beam(shape, views)
    kept = np.repeat(np.arange(views) % every == 0, full.detectors)
    matrix = columns(full) * kept[:, None]
    values, basis = np.linalg.eigh(matrix.astype(np.float64) @ matrix.T)
    parts = [jnp.asarray(v, jnp.float32) for v in (matrix, basis, np.maximum(values, 0))]
    few = ParallelBeam(full.angles[::every], full.detectors, shape)
    return Scanner(
        Beams(*parts, jnp.ones(1), shape), Beams(*parts, grey(colours).weights, colours), few
    )


def windowed(hounsfield: np.ndarray) -> Float[np.ndarray, "... h w 1"]:
    """HU/1000 between −1 and 1: 0 is water, −1 air."""
    return np.clip(np.asarray(hounsfield, np.float32) / 1000, -1, 1)[..., None]


def reduced(hounsfield: np.ndarray, size: int) -> Float[Array, "n h w 1"]:
    """Slices in units of x, means over blocks of pixels."""
    images = windowed(hounsfield)
    reduce = area_downsample(images.shape[1:], images.shape[1] // size)
    return jax.vmap(reduce)(jnp.asarray(images))


def measured(few: Scanner, images: Float[Array, "n h w 1"], key: Key) -> Float[Array, "n rays"]:
    """Sinograms of slices; the noise of a ray does not depend on which views are kept."""

    def one(key: Key, image: Image) -> Float[Array, " rays"]:
        mean = few.plain(image)
        return few.plain.clean(mean + SIGMA * jax.random.normal(key, mean.shape))

    return jax.vmap(one)(jax.random.split(key, len(images)), images)


@jax.jit
def smooth(few: Scanner, y: Float[Array, "n rays"], weight: float) -> Float[Array, "n h w 1"]:
    """Total variation of each."""
    degradation = Degradation(few.plain, GaussianNoise(SIGMA))
    return jax.vmap(lambda y: total_variation(y, degradation, weight=weight))(y)


def tuned(few: Scanner, images: Float[Array, "n h w 1"], key: Key) -> float:
    """The weight of total variation that is best on these slices."""
    y = measured(few, images, key)
    found = [float(jnp.mean(jax.vmap(psnr)(smooth(few, y, weight), images))) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmax(found))]


def row(
    names: Sequence[str],
    images: Sequence[Image],
    truths: Sequence[Image],
    residuals: Sequence[float],
) -> Results:
    """The scores of each slice and their means."""
    scores = [score(image, truth) for image, truth in zip(images, truths, strict=True)]
    each = [s | {"residual": round(r, 3)} for s, r in zip(scores, residuals, strict=True)]
    mean = {name: round(float(np.mean([s[name] for s in each])), 4) for name in each[0]}
    return mean | {"slices": dict(zip(names, each, strict=True))}


def board(
    few: Scanner,
    names: Sequence[str],
    truths: Float[Array, "n h w 1"],
    weight: float,
    keys: Key,
    chosen: argparse.Namespace,
) -> tuple[Results, list[Picture | Uncertainty]]:
    """Every method on these views, and pictures of the first slice."""
    y = measured(few, truths, keys[1])
    plain = Degradation(few.plain, GaussianNoise(SIGMA))
    coloured = Degradation(few.coloured, GaussianNoise(SIGMA))
    rows: Results = {}
    pictures: dict[str, Image] = {}

    def back(window: Window) -> Float[Array, "n h w 1"]:
        return jnp.stack([fbp(few.attenuation(v), few.views, window=window) - 1 for v in y])

    baselines = {
        "FBP": (lambda: back(all_pass)),
        "FBP, Hann": (lambda: back(hann)),
        "TV": (lambda: smooth(few, y, weight)),
    }
    for name, make in baselines.items():
        make()  # compiles
        images, seconds = timed(make)
        residuals = [misfit(image, plain, v) for image, v in zip(images, y, strict=True)]
        rows[name] = row(names, images, truths, residuals) | {"seconds": seconds / len(y)}
        pictures[name] = images[0]
    spreads = {}
    for name in chosen.methods:
        means, residuals, efforts = [], [], []
        for i, v in enumerate(y):
            samples = sampled(name, jax.random.fold_in(keys[2], i), v, coloured, chosen)
            if isinstance(samples, str):
                rows[name] = {"refused": samples}
                break
            images = jax.vmap(grey(few.coloured.shape))(samples.images)
            means.append(jnp.mean(images, axis=0))
            residuals.append(float(jnp.mean(samples.residual(coloured, v))))
            efforts.append(effort(samples))
            spreads.setdefault(name, jnp.std(images, axis=0, ddof=1))
        else:
            least = min(efforts, key=lambda e: e["seconds"])
            rows[name] = row(names, means, truths, residuals) | least
            pictures[name] = means[0]
            print(
                f"{name}: {rows[name]['psnr']:.2f} dB, residual {rows[name]['residual']:.2f}",
                flush=True,
            )
    best = max(spreads, key=lambda name: rows[name]["psnr"])
    tiles: list[Picture | Uncertainty] = [Picture(np.asarray(truths[0]))]
    for name in ("FBP, Hann", "TV", best):
        text = f"{name}, {rows[name]['slices'][names[0]]['psnr']:.1f} dB"
        tiles.append(Picture(np.asarray(pictures[name]), text))
    return rows, [*tiles, Uncertainty(np.asarray(spreads[best]))]


def check(hounsfield: np.ndarray) -> float:
    """PSNR of filtered back-projection from many views without noise."""
    image = jnp.asarray(windowed(hounsfield))
    full = parallel_beam(image.shape, 180)
    return round(float(psnr(fbp(full(image + 1), full) - 1, image)), 2)


def measure(chosen: argparse.Namespace) -> tuple[Results, list[Row]]:
    """Everything that is stored, and the pictures, which are of the spine alone."""
    folder = slices(chosen.smoke)
    spine = np.load(folder / "ct_small_hu.npy")
    stent = np.load(folder / "ct_stent_slices.npz")["slices"]
    size, views, every, last = (16, 6, (1,), 5) if chosen.smoke else (SIZE, VIEWS, EVERY, 8)
    truths = reduced(np.stack([spine, *stent[4:last]]), size)
    tuning = reduced(stent[: last - 4], size)
    names = ["spine", *(f"stent {i}" for i in range(4, last))]
    keys = jax.random.split(jax.random.key(chosen.seed), 3)
    boards, weights, pictures = {}, {}, []
    for step in every:
        few, name = scanner(size, views, step), f"{views // step} views"
        weights[name] = tuned(few, tuning, keys[0])
        boards[name], tiles = board(few, names, truths, weights[name], keys, chosen)
        pictures.append(Row(name, tiles))
    results = {
        "protocol": protocol(chosen),
        **stamp(),
        "size": size,
        "sigma": SIGMA,
        "weights": weights,
        "fbp_180": None if chosen.smoke else check(spine),
        "boards": boards,
    }
    return results, pictures


def interval(gains: Sequence[float]) -> str:
    """The mean and its 95 % interval."""
    low, high = mean_interval(gains)
    return f"{np.mean(gains):+.2f} ({low:+.2f} to {high:+.2f})"


def shown(rows: Board, boards: dict[str, Board]) -> str:
    """The table of one number of views."""
    best = max((name for name in rows if name not in METHODS), key=lambda name: rows[name]["psnr"])
    heading = ["method", "PSNR dB", f"over {best}", "spine", "SSIM", "residual", "evaluations", "s"]
    lines = []
    for name, found in rows.items():
        if "refused" in found:
            lines.append([name] + ["–"] * (len(heading) - 1))
            continue
        gains = [s["psnr"] - rows[best]["slices"][i]["psnr"] for i, s in found["slices"].items()]
        lines.append(
            [
                name,
                f"{found['psnr']:.2f}",
                "–" if name == best else interval(gains),
                f"{found['slices']['spine']['psnr']:.2f}",
                f"{found['ssim']:.3f}",
                f"{found['residual']:.2f}",
                str(found.get("evaluations", "–")),
                fastest(boards, name),
            ]
        )
    return table(heading, lines, words=1)


def page(results: Results) -> str:
    """The Markdown page of stored results."""
    protocol, boards, size = results["protocol"], results["boards"], results["size"]
    first = next(iter(boards.values()))
    count = len(next(row for row in first.values() if "slices" in row)["slices"])
    weights = ", ".join(f"{weight:g} for {name}" for name, weight in results["weights"].items())
    parts = [
        "# CT slices from few views",
        made_by(NAME),
        f"{count} slices, {size} × {size}: a spine, and others of one aorta with a stent. They are seen by parallel "
        f"beams over half a turn, with noise of σ = {results['sigma']} in shadows of one pixel of water. The prior "
        f"has seen photographs only. A row is the mean of {protocol['samples']} samples, averaged over slices; in "
        "brackets is the 95 % bootstrap interval over slices of the gain over the best classical method, narrow "
        "because most are of one body. PSNR is for a range of 2000 HU. *residual* is what the samples leave of the "
        "sinogram, in σ. ΠGDM and DPS have a pullback of the network for each evaluation, MMPS three. The weight "
        f"of TV, {weights}, is the best of a grid on other slices of the stent.",
        f"![The spine: truth, baselines and the best method]({NAME}.png)",
        "Pictures made from CT_small of pydicom, © 2008-2020 Darcy Mason and pydicom contributors, MIT.",
    ]
    for name, rows in boards.items():
        parts += [f"## {name}", shown(rows, boards), remarks(rows)]
    if results["fbp_180"] is not None:
        parts.append(
            f"FBP of 180 views of the 128 × 128 spine without noise: {results['fbp_180']:.2f} dB."
        )
    parts += [
        "## What it was to show",
        verdicts(claims(boards, "FBP, Hann", "TV")),
        f"Seconds are for one slice, the fastest of all, without compiling. {origin(results)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> None:
    chosen = options(__doc__, NAME)
    results, pictures = measure(chosen)
    heading = ["spine", "classical", "classical", "best method", "deviation of its samples"]
    if not chosen.smoke:
        sheet = panel(pictures, columns=heading, title="CT from few views")
        write_image(chosen.page.with_suffix(".png"), sheet, overwrite=True)
    publish(chosen, results, page)


if __name__ == "__main__":
    main()
