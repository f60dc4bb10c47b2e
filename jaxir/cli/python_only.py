"""What no image file holds: degradations that the shell knows by name only to say how Python restores them."""

from __future__ import annotations

from jaxir.cli.errors import UsageError

_RESTORE = "in Python, jaxir.restore(y, Degradation(A, GaussianNoise(sigma))) with A = "

PYTHON_ONLY = {
    "mri": f"measures complex numbers: {_RESTORE}MultiCoil(maps, mask, (h, w, 1)) @ grey((h, w, 3))",
    "ct": f"measures sums along lines: {_RESTORE}parallel_beam((h, w, 1), angles) @ grey((h, w, 3))",
    "pansharpening": f"measures two images of different sizes: {_RESTORE}"
    "Pansharpening(bicubic_downsample(shape, factor), weights) and y = concatenate([bands.ravel(), pan.ravel()])",
    "video": "is of many images: in Python, each_frame(A, frames) and exposure(shape, frames) spoil a clip, and "
    "restoring one takes a denoiser of clips",
}
"""Names to what they measure and how."""


def expect_image(name: str) -> None:
    """Refuse a degradation whose measurement is no image.

    Raises:
        UsageError: which says how to go on.
    """
    if name in PYTHON_ONLY:
        raise UsageError(f"{name} {PYTHON_ONLY[name]}, all of jaxir.degradations")
