"""`jaxir evaluate`: weights that restore, on pairs of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from jaxir.metrics import LPIPS


def evaluate(
    weights: Annotated[Path, tyro.conf.Positional],
    data: Path,
    degradation: str | None = None,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    pictures: Path | None = None,
    steps: int = 20,
    samples: int = 1,
    eta: float = 1.0,
    count: int | None = None,
    size: int | None = None,
    tile: str | None = None,
    lpips: str | None = None,
    seed: int = 0,
    force: bool = False,
) -> None:
    """Restore degraded images with a network that was trained on pairs, and compare with the truth.

    Prints PSNR and SSIM of the degraded and of the restored images on RGB, and PSNR of the restored ones on luma, with
    the protocol; LPIPS of both where its weights are given.

    Args:
        weights: a run of `jaxir train`, or weights.
        data: a folder with the clean images in gt/ and the degraded ones of the same names in lq/; with
            `--degradation`, a folder of clean images.
        degradation: how clean images are spoiled, as for `jaxir degrade`, for instance "rain(0.01)|noise(0.02)"; small
            ones are enlarged again by bicubic interpolation.
        output: a JSON file for every figure.
        pictures: a folder for the restored images.
        steps: of the sampler, each an evaluation of the network.
        samples: restorations of an image, whose mean is judged.
        eta: fresh noise of a step, 1 for samples of the posterior and 0 for none.
        count: at most so many images.
        size: only the middle of the images, of so many pixels a side.
        tile: SIZE:OVERLAP in pixels, such as 64:16: the network sees tiles, whose estimates are averaged at every step.
        lpips: [NET:]PATH[,PATH] of weights, which jaxir does not bring: a folder or files with the layers of a
            classifier and the heads of LPIPS, such as squeeze:weights/ or vgg:vgg16.pth,heads.pth. NET is alex, squeeze
            or vgg, and can be left out where the files hold only one.
        seed: of all randomness.
        force: write over files that exist.
    """
    from jaxir.cli.errors import UsageError

    if output is not None and output.exists() and not force:
        raise UsageError(f"{output} exists: pass --force to write over it")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"{output.parent} is no folder: make it, or write elsewhere")
    for name, value in (("steps", steps), ("samples", samples), ("count", count), ("size", size)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} is {value}, expected at least 1")
    tiles = None if tile is None else _tiles(tile)
    distance = None if lpips is None else _lpips(lpips)
    import dataclasses
    import json
    import shlex
    import sys
    import time

    import jax
    import jax.numpy as jnp
    import numpy as np

    import jaxir
    from jaxir.cli.degradations import parse_degradation
    from jaxir.cli.progress import progress
    from jaxir.data import PairFolder, image_files, middle, read_image, write_image
    from jaxir.degradations import bicubic_upsample
    from jaxir.denoisers import Tiled
    from jaxir.metrics import luma, measure, psnr, rgb, ssim
    from jaxir.pretrained import model_of
    from jaxir.provenance import provenance
    from jaxir.report import plain
    from jaxir.report.table import column
    from jaxir.samplers import Discrete, sample
    from jaxir.transitions import DDIM

    @dataclasses.dataclass(frozen=True)
    class Line:
        """One image, or the mean over all."""

        image: str = column("image")
        degraded: float = column("degraded PSNR", ".2f")
        psnr: float = column("PSNR", ".2f")
        gain: float = column("gain", "+.2f")
        psnr_y: float = column("PSNR Y", ".2f")
        degraded_ssim: float = column("degraded SSIM", ".3f")
        ssim: float = column("SSIM", ".3f")
        degraded_lpips: float | None = column("degraded LPIPS", ".3f")
        lpips: float | None = column("LPIPS", ".3f")
        seconds: float = column("seconds", ".1f")

    model = model_of(weights)
    denoiser = jaxir.load(model)
    if not denoiser.sees_y:
        raise UsageError(
            f"{model} is a prior, which is not given a degraded image: use jaxir bench, or weights trained on pairs"
        )
    restorer = denoiser if tiles is None else Tiled(denoiser, *tiles)
    recipe = None if degradation is None else parse_degradation(degradation)
    if recipe is None:
        clean = data / "gt"
        found = PairFolder(clean, data / "lq").paths[:count]
    else:
        clean = data
        found = [(path, path) for path in image_files(clean)][:count]
    outputs = [
        None if pictures is None else (pictures / path.relative_to(clean)).with_suffix(".png")
        for path, _ in found
    ]
    taken = [str(path) for path in outputs if path is not None and path.exists()]
    if taken and not force:
        raise UsageError(f"{taken[0]} exists: pass --force to write over it")

    def colours(image: jax.Array) -> jax.Array:
        return jnp.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image

    lines = []
    with progress("evaluating") as callback:
        for number, (path, degraded) in enumerate(found):
            spoiling, sampling = jax.random.split(jax.random.fold_in(jax.random.key(seed), number))
            x0 = colours(jnp.asarray(middle(read_image(path), size)))
            height, width, channels = x0.shape
            if recipe is None:
                y = colours(jnp.asarray(middle(read_image(degraded), size)))
            else:
                y = colours(recipe.for_clean((height, width, channels)).sample(spoiling, x0))
                y = bicubic_upsample(y, max(height // y.shape[0], 1))
            if y.shape != x0.shape:
                raise UsageError(
                    f"{path.name} has shape {x0.shape} but its degraded image {y.shape}: give a degradation that "
                    "keeps the size, or pairs of one size"
                )
            began = time.perf_counter()
            drawn = sample(
                sampling,
                restorer,
                y,
                shape=(height, width, channels),
                sampler=Discrete(DDIM(eta)),
                times=steps,
                samples=samples,
            )
            restored = jnp.clip(drawn.mean, -1, 1)
            seconds = time.perf_counter() - began
            spoiled = jnp.clip(y, -1, 1)
            before, after = (float(psnr(image, x0)) for image in (spoiled, restored))
            far, near = (distance and float(distance(image, x0)) for image in (spoiled, restored))
            lines.append(
                Line(
                    path.name,
                    before,
                    after,
                    after - before,
                    measure(psnr, restored, x0, colour=luma).value,
                    float(ssim(spoiled, x0)),
                    measure(ssim, restored, x0, colour=rgb).value,
                    far,
                    near,
                    seconds,
                )
            )
            if (out := outputs[number]) is not None:
                out.parent.mkdir(parents=True, exist_ok=True)
                write_image(out, np.asarray(restored), overwrite=force)
            callback(number + 1, len(found))
    numbers = [field.name for field in dataclasses.fields(Line)][1:]
    columns = {name: [getattr(line, name) for line in lines] for name in numbers}
    means = {
        name: None if None in values else float(np.mean(values)) for name, values in columns.items()
    }
    print(plain([*lines, Line("mean", **means)]))
    what = [
        f"{len(lines)} images of {data}",
        *([f"the middle {size} × {size}"] if size else []),
        *([f"spoiled by {degradation}"] if degradation else []),
        *([f"in tiles of {tile}"] if tile else []),
    ]
    protocol = (
        f"{', '.join(what)}; {steps} steps, mean of {samples} sample{'s' if samples > 1 else ''}, eta {eta:g}, seed "
        f"{seed}; PSNR and SSIM on RGB and, where it says so, on luma, range 2, no border, clipped; "
        + (f"LPIPS 0.1 of {distance.net} on RGB of the same; " if distance else "")
        + "seconds with the compilation for each new size"
    )
    print(protocol)
    if output is not None:
        record = {
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "protocol": protocol,
            "weights": str(weights),
            "provenance": provenance(),
            "mean": means,
            "rows": [dataclasses.asdict(line) for line in lines],
        }
        output.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _tiles(text: str) -> tuple[int, int]:
    """64:16 as size and overlap."""
    from jaxir.cli.errors import UsageError

    size, colon, overlap = text.partition(":")
    if not (colon and size.isdigit() and overlap.isdigit() and int(overlap) < int(size)):
        raise UsageError(f"--tile is {text!r}, expected size and a smaller overlap, as in 64:16")
    return int(size), int(overlap)


def _lpips(text: str) -> LPIPS:
    """squeeze:FOLDER or FILE,FILE as the metric."""
    from jaxir.cli.errors import unknown
    from jaxir.networks import VGG16, AlexNet, SqueezeNet
    from jaxir.pretrained import load_lpips

    trunks = {"alex": AlexNet(), "squeeze": SqueezeNet(), "vgg": VGG16()}
    net, colon, paths = text.rpartition(":")
    if colon and net not in trunks:
        raise unknown("network of --lpips", net, trunks)
    return load_lpips(*paths.split(","), trunk=trunks.get(net))
