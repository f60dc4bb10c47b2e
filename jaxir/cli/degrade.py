"""`jaxir degrade`: spoil clean images in a known way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def degrade(
    source: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    degradation: str,
    seed: int = 0,
    force: bool = False,
) -> None:
    """Degrade an image, or every image of a folder.

    Args:
        source: an image file or a folder.
        output: the file or folder to write.
        degradation: stages from left to right, "motion(15,30)|noise(0.05)". Stages: gaussian(width),
            motion(length,angle), defocus(radius), psf(file), bicubic(factor), area(factor), nearest(factor),
            box(size), random(missing,seed), mask(file), crop(margin), grey, bayer(pattern),
            hadamard(rate,seed), fourier(rate,seed), jpeg(quality), quantise(levels), clip(gain),
            haze(beta,airlight,seed), rain(density,length,angle,strength,seed),
            snow(density,seed), drops(count,seed), shadow(strength,area,seed), lowlight(gain,gamma),
            scratches(count,width,seed), fade(contrast), sepia(strength), and last of all a noise:
            noise(sigma), poisson(peak), speckle(strength) or impulse(share,sigma); sigma and brightness are in
            units of [0, 1].
        seed: for the noise; image i of a folder uses (seed, i).
        force: write over files that exist.
    """
    from jaxir.cli.account import Account
    from jaxir.cli.degradations import parse_degradation
    from jaxir.cli.errands import errands
    from jaxir.cli.errors import EXPECTED, SomeFailed, UsageError
    from jaxir.data.image_file import FORMATS

    recipe = parse_degradation(degradation)
    found = errands(source, output, FORMATS)
    taken = [errand.output for errand in found if errand.output.exists()]
    if taken and not force:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise UsageError(f"{taken[0]}{more} exists: pass --force to write over it")
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxir.data import read_image, write_image

    account = Account()
    for number, (path, out, _) in enumerate(found):
        try:
            image = jnp.asarray(read_image(path))
            height, width, channels = image.shape
            key = jax.random.fold_in(jax.random.key(seed), number)
            y = recipe.for_clean((height, width, channels)).sample(key, image)
            out.parent.mkdir(parents=True, exist_ok=True)
            write_image(out, np.asarray(y), overwrite=force)
        except EXPECTED as error:
            if not source.is_dir():
                raise
            account.fail(found[number], error)
    if account.failed:
        raise SomeFailed(f"{account.failed} of {len(found)} images failed")
