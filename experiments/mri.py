"""A brain from a part of its k-space: zero-shot restoration by a prior of photographs, on measured values.

Data: `medical/mri_brain_8coil_kspace.npy` of the development data, one slice, 8 coils, 230 × 180.
Command: python experiments/mri.py            needs JAXIR_DATA
         python experiments/mri.py --smoke    a coarse image, one method, nothing is written
Result: benchmarks/results/mri.json, and the page that it makes, docs/scoreboards/mri.md with mri.png.

What is in the file decides the experiment. It holds 12 % of k-space: a full square of 24 × 24 in the middle, and
scattered points in an ellipse around it, the rest being zeros. So there are no full columns to leave out, and nobody
knows the whole. In the middle 120 × 96, where there is more signal than noise, 27 % is measured, by 8 coils: enough to
solve for the image, which is the reference. An acceleration of 8 keeps the square and so many of the scattered points
that 1 of 8 is kept (47 % of those measured); 12, 1 of 12 (31 %). No measurement is simulated.

- Noise: the corners of k-space, where one would look first, were not measured; beyond 0.85 of the ellipse's radius the
  power no longer falls, so that it is that of noise. The coils' covariance there whitens them, after which σ = 1 for
  the real and for the imaginary part of every value. They are then mixed to the 5 combinations with most signal.
- Coil maps: `coil_maps` of the square, which every acceleration keeps. They are not as exact as the values there, some
  a thousand times the noise: the reference leaves 2.1 σ of the square and 0.6 σ of the rest.
- The image is complex: what is left of its phase after that of the maps is far above the noise (a real image leaves a
  residual of 2.5 σ where a complex one leaves 1.0). Its real part, black at −1, is the luma of the prior's colours;
  its imaginary part is their blue difference, 0 in a photograph without colour as the other is in a body without phase.
  What is scored is the magnitude, which is what is looked at: the real part is dark where the phase is off.
- Reference: CG-SENSE on all that was measured, with ρ = 0.01 for σ = 1, where it predicts values that it was not given
  best. It shares the noise of what is kept, so the page also has the misfit of the values *left out*, in σ: that needs
  no reference, and the true image would have 1.
- PSNR and SSIM are those of the magnitude in the box around the body; the largest magnitude of the reference is 1.
- Zero-filled is Aᴴy, CG-SENSE has Tikhonov's ρ, TV is `total_variation`. ρ and the weight of TV are the best of a grid
  on this slice, by its reference, in their favour. The methods have their defaults.
"""

import argparse
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _medical import (
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
from jaxtyping import Array, Bool, Complex, Float

from jaxir.classical import total_variation
from jaxir.data import write_image
from jaxir.degradations import (
    ChannelMix,
    Degradation,
    GaussianNoise,
    MultiCoil,
    coil_maps,
    to_ycbcr,
)
from jaxir.report import Picture, Row, Uncertainty, panel
from jaxir.typing import Image, Key

NAME = "mri"

SIZE, SQUARE, NOISE, COILS, RHO = (120, 96), 24, 0.85, 5, 0.01
ACCELERATIONS = (8, 12)
RHOS, WEIGHTS = (0.001, 0.003, 0.01, 0.03), (0.03, 0.1, 0.3, 1.0)

Mask = Bool[Array, "h w"]
Baseline = tuple[Image, float]
"""An image and the seconds it took."""


class Scan(NamedTuple):
    """What was measured of the middle of k-space, in units of the noise.

    Attributes:
        kspace: of each coil, 0 where nothing was measured.
        maps: of the coils.
        scale: images in [-1, 1] for one unit of the magnitude.
    """

    kspace: Complex[Array, "coils h w"]
    maps: Complex[Array, "coils h w"]
    scale: float = 1.0

    @property
    def measured(self) -> Mask:
        return jnp.any(self.kspace != 0, axis=0)

    @property
    def black(self) -> Image:
        """No signal: −1 and no imaginary part."""
        return jnp.zeros((*self.kspace.shape[1:], 2)).at[..., 0].set(-1)

    def seen(self, kept: Mask) -> tuple[Degradation, Complex[Array, "coils h w"]]:
        """How an image becomes what is kept, and what that is; black stands for no signal."""
        operator = MultiCoil(self.maps, kept, (*kept.shape, 2))
        y = operator.clean(self.scale * self.kspace) + operator(self.black)
        return Degradation(operator, GaussianNoise(self.scale)), y


def radius(height: int, width: int) -> Float[np.ndarray, "h w"]:
    """Of each point of k-space; the largest ellipse has 1."""
    rows, columns = np.arange(height) - height // 2, np.arange(width) - width // 2
    return np.hypot(rows[:, None] / (height / 2), columns / (width / 2))


def whitened(kspace: Complex[np.ndarray, "coils h w"]) -> Complex[np.ndarray, "coils h w"]:
    """Mixtures of the coils with independent noise, of σ = 1 for each part of a value.

    The noise is what was measured beyond `NOISE` of the radius; what is 0 in all coils was not measured.
    """
    far = np.any(kspace != 0, axis=0) & (radius(*kspace.shape[1:]) > NOISE)
    noise = kspace[:, far]
    covariance = noise @ noise.conj().T / (2 * noise.shape[1])
    flat = np.linalg.solve(np.linalg.cholesky(covariance), kspace.reshape(len(kspace), -1))
    return flat.reshape(kspace.shape)


def compressed(
    kspace: Complex[np.ndarray, "coils h w"], count: int
) -> Complex[np.ndarray, "count h w"]:
    """The orthonormal mixtures of the coils with most signal."""
    basis = np.linalg.svd(kspace.reshape(len(kspace), -1), full_matrices=False)[0]
    return np.tensordot(basis[:, :count].conj(), kspace, (0, 0))


def middle(size: tuple[int, int], of: tuple[int, int]) -> tuple[slice, slice]:
    """So many rows and columns around the centre of k-space."""
    rows, columns = (
        slice(n // 2 - m // 2, n // 2 - m // 2 + m) for m, n in zip(size, of, strict=True)
    )
    return rows, columns


def thinned(key: Key, measured: Mask, acceleration: float) -> Mask:
    """The square in the middle and, drawn by chance, other measured points: one of `acceleration` in all."""
    order = jnp.where(measured, jax.random.uniform(key, measured.shape), jnp.inf)
    order = order.at[middle((SQUARE, SQUARE), measured.shape)].set(-1)
    return order <= jnp.sort(order.ravel())[round(measured.size / acceleration) - 1]


def scanned(kspace: Complex[np.ndarray, "coils h w"], size: tuple[int, int]) -> tuple[Scan, Image]:
    """The middle of k-space, and the reference, whose largest magnitude is 1."""
    rows, columns = middle(size, kspace.shape[1:])
    kept = compressed(whitened(kspace)[:, rows, columns], COILS).astype(np.complex64)
    scan = Scan(jnp.asarray(kept), coil_maps(jnp.asarray(kept), calibration=SQUARE))
    image = sense(scan, *scan.seen(scan.measured), RHO)
    scan = scan._replace(scale=float(2 / jnp.max(magnitude(image) + 1)))
    return scan, sense(scan, *scan.seen(scan.measured), RHO)


def magnitude(image: Image) -> Image:
    """|z| of the complex image z = x + 1 that is scored, in the same range."""
    return jnp.hypot(image[..., :1] + 1, image[..., 1:]) - 1


def sense(scan: Scan, degradation: Degradation, y: Array, rho: float) -> Image:
    """argmin |y − A x|² + ρ |x − black|²."""
    operator = degradation.operator
    return scan.black + operator.solve(operator.adjoint(y - operator(scan.black)), rho)


def colours(shape: tuple[int, int, int]) -> ChannelMix:
    """The luma and the blue difference of a colour image, for the real and the imaginary part."""
    return ChannelMix(to_ycbcr(jnp.eye(3)[None])[0].T[:2], shape)


def classical(scan: Scan, degradation: Degradation, y: Array) -> dict[str, dict[str, Baseline]]:
    """Each baseline by its setting."""
    operator = degradation.operator
    solve = jax.jit(sense)
    zero_filled = timed(lambda: scan.black + operator.adjoint(y - operator(scan.black)))

    def regularised(rho: float) -> Baseline:
        return timed(lambda: solve(scan, degradation, y, rho))

    def smooth(weight: float) -> Baseline:
        return timed(lambda: total_variation(y, degradation, weight=weight))

    return {
        "zero-filled": {"": zero_filled},
        "CG-SENSE": {f"ρ = {rho}": regularised(rho) for rho in RHOS},
        "TV": {f"weight {weight}": smooth(weight) for weight in WEIGHTS},
    }


def board(
    scan: Scan, kept: Mask, reference: Image, key: Key, chosen: argparse.Namespace
) -> tuple[Results, list[Picture | Uncertainty]]:
    """Every method on one choice of points, and pictures of some."""
    degradation, y = scan.seen(kept)
    rest = scan.seen(scan.measured & ~kept)
    box = body(reference)
    truth = magnitude(reference)[box]
    rows: Results = {}
    pictures: dict[str, Image] = {}

    def judged(image: Image) -> Results:
        return score(magnitude(image)[box], truth) | {"left_out": misfit(image, *rest)}

    for name, images in classical(scan, degradation, y).items():
        found = {setting: judged(image) for setting, (image, _) in images.items()}
        setting = max(found, key=lambda setting: found[setting]["psnr"])
        image, _ = images[setting]
        rows[name] = found[setting] | {
            "setting": setting,
            "residual": misfit(image, degradation, y),
            "seconds": min(seconds for _, seconds in images.values()),
        }
        pictures[name] = magnitude(image)
    mixture = colours((*kept.shape, 3))
    prior = Degradation(degradation.operator @ mixture, degradation.noise)
    spreads = {}
    for name in chosen.methods:
        samples = sampled(name, key, y, prior, chosen)
        if isinstance(samples, str):
            rows[name] = {"refused": samples}
            continue
        images = jax.vmap(mixture)(samples.images)
        residual = float(jnp.mean(samples.residual(prior, y)))
        rows[name] = (
            judged(jnp.mean(images, axis=0)) | effort(samples) | {"residual": round(residual, 3)}
        )
        pictures[name] = magnitude(jnp.mean(images, axis=0))
        spreads[name] = jnp.std(jax.vmap(magnitude)(images), axis=0, ddof=1)
        print(f"{name}: {rows[name]['psnr']:.2f} dB, residual {residual:.2f}", flush=True)
    best = max(spreads, key=lambda name: rows[name]["psnr"])
    tiles: list[Picture | Uncertainty] = [Picture(np.asarray(magnitude(reference)))]
    for name in ("zero-filled", "CG-SENSE", "TV", best):
        tiles.append(Picture(np.asarray(pictures[name]), f"{name}, {rows[name]['psnr']:.1f} dB"))
    return rows, [*tiles, Uncertainty(np.asarray(spreads[best]))]


def body(reference: Image) -> tuple[slice, slice]:
    """The rows and columns around what is brighter than a tenth."""
    inside = np.asarray(magnitude(reference)[..., 0] > -0.8)
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def measure(chosen: argparse.Namespace) -> tuple[Results, list[Row]]:
    """Everything that is stored, and the pictures."""
    path = slices(chosen.smoke) / "mri_brain_8coil_kspace.npy"
    size, accelerations = ((60, 48), (4,)) if chosen.smoke else (SIZE, ACCELERATIONS)
    scan, reference = scanned(np.load(path), size)
    draw, restore = jax.random.split(jax.random.key(chosen.seed))
    boards, pictures = {}, []
    for acceleration in accelerations:
        kept = thinned(draw, scan.measured, acceleration)
        boards[f"1 of {acceleration}"], tiles = board(scan, kept, reference, restore, chosen)
        pictures.append(Row(f"1 of {acceleration} points of k-space", tiles))
    results = {
        "protocol": protocol(chosen),
        **stamp(),
        "size": size,
        "measured": round(float(jnp.mean(scan.measured)), 4),
        "sigma": round(scan.scale, 5),
        "reference": misfit(reference, *scan.seen(scan.measured)),
        "boards": boards,
    }
    return results, pictures


def page(results: Results) -> str:
    """The Markdown page of stored results."""
    protocol, boards = results["protocol"], results["boards"]
    height, width = results["size"]
    parts = [
        "# A brain from a part of its k-space",
        made_by(NAME),
        f"One slice, {height} × {width}, 8 coils, real measurements with their real noise, σ = "
        f"{results['sigma']:.4f} for images in [-1, 1]. The file holds {results['measured']:.0%} of the points of "
        "this k-space, not all of them: the reference is CG-SENSE on those, the rows have fewer. The prior has "
        f"seen photographs only. A row is the mean of {protocol['samples']} samples. *residual* is what the samples "
        "leave of the values kept, *left out* what their mean leaves of those measured and not kept, both in σ; "
        f"the reference leaves {results['reference']:.2f} of all. ΠGDM and DPS have a pullback of the network for "
        "each evaluation, MMPS three. ρ and the weight of TV are the best of a grid *on this slice*.",
        f"![Reference, baselines and the best method]({NAME}.png)",
        "Pictures made from k-space of the sigpy-mri-tutorial, © 2019 mikgroup, BSD-3-Clause.",
    ]
    for name, rows in boards.items():
        parts += [
            f"## {name[0].upper()}{name[1:]} points kept",
            shown(rows, boards),
            remarks(rows),
        ]
    parts += [
        "## What it was to show",
        verdicts(claims(boards, "zero-filled", "TV")),
        f"Seconds are those of the faster of the two runs, without compiling. {origin(results)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(rows: Board, boards: dict[str, Board]) -> str:
    """The table of one acceleration."""
    heading = ["method", "PSNR dB", "over TV", "SSIM", "residual", "left out", "evaluations", "s"]
    lines = []
    for name, row in rows.items():
        if "refused" in row:
            lines.append([name] + ["–"] * (len(heading) - 1))
            continue
        lines.append(
            [
                f"{name}, {row['setting']}" if row.get("setting") else name,
                f"{row['psnr']:.2f}",
                f"{row['psnr'] - rows['TV']['psnr']:+.2f}",
                f"{row['ssim']:.3f}",
                f"{row['residual']:.2f}",
                f"{row['left_out']:.2f}",
                str(row.get("evaluations", "–")),
                fastest(boards, name),
            ]
        )
    return table(heading, lines, words=1)


def main() -> None:
    chosen = options(__doc__, NAME)
    results, pictures = measure(chosen)
    columns = [
        "reference",
        "no restoration",
        "classical",
        "classical",
        "best method",
        "deviation of its samples",
    ]
    if not chosen.smoke:
        sheet = panel(pictures, columns=columns, title="A brain from a part of its k-space")
        write_image(chosen.page.with_suffix(".png"), sheet, overwrite=True)
    publish(chosen, results, page)


if __name__ == "__main__":
    main()
