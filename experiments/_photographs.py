"""What the paired experiments share: photographs, ways to spoil them, and an optimiser that may go on for longer."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from natural_prior import DATA, LEFT_OUT

from jaxir.data import ImageFolder
from jaxir.degradations import JPEG, Blur, Quantise, bicubic_downsample, bicubic_upsample, grey
from jaxir.training import Experiment, TrainState, warmup_stable_decay
from jaxir.typing import Image, Key, Scalar


def photographs() -> ImageFolder:
    """For training: 384 of BSDS500, without the twelve that are the clean images of a rain test set."""
    return ImageFolder([DATA / "natural" / "bsds500" / "train"], leave_out=LEFT_OUT)


def others() -> ImageFolder:
    """Others, for the pictures during training."""
    return ImageFolder([DATA / "natural" / "bsds500" / "val"])


def line(length: Scalar, width: Scalar, angle: Scalar, side: int) -> Float[Array, "side side"]:
    """A line through the middle of a square, its largest value about 1.

    Args:
        length: in pixels.
        width: deviation of the Gaussian across it, in pixels.
        angle: from the horizontal, in radians.
        side: of the square in pixels, odd.
    """
    down, right = jnp.meshgrid(*[jnp.arange(side) - side // 2.0] * 2, indexing="ij")
    along = right * jnp.cos(angle) - down * jnp.sin(angle)
    across = right * jnp.sin(angle) + down * jnp.cos(angle)
    inside = jnp.clip(length / 2 + 0.5 - jnp.abs(along), 0.0, 1.0)
    return inside * jnp.exp(-0.5 * (across / width) ** 2)


def shaken(image: Image, kernel: Float[Array, "side side"]) -> Image:
    """The image convolved with a kernel, mirrored beyond its edges."""
    reach = kernel.shape[0] // 2
    wide = jnp.pad(image, [(reach, reach)] * 2 + [(0, 0)], mode="reflect")
    return Blur(kernel, wide.shape).apply(wide)[reach:-reach, reach:-reach]


def low_resolution(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it at a quarter of its size, in 8 bits, enlarged again."""
    down = bicubic_downsample(crop.shape, 4)
    small = Quantise(256, down.output_shape).apply(down.apply(crop))
    return crop, bicubic_upsample(small, 4)


def greyed(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and its luma in 8 bits in all three channels."""
    luma = jnp.repeat(grey(crop.shape).apply(crop), 3, axis=-1)
    return crop, Quantise(256, crop.shape).apply(luma)


def compressed(key: Key, crop: Image) -> tuple[Image, Image]:
    """A photograph, and it as a JPEG file of a quality from 5 to 40."""
    return crop, JPEG(jax.random.uniform(key, minval=5, maxval=41), crop.shape).apply(crop)


def whole(state: TrainState, run: Experiment) -> None:
    """End the program if the run was told to stop before its last step: what comes next would take it for trained."""
    if int(state.step) < run.steps:
        raise SystemExit(143)


def adam(rate: float) -> Callable[[int], optax.GradientTransformation]:
    """Adam with a plateau of this learning rate, and short gradients."""
    return functools.partial(_adam, rate)


def _adam(rate: float, steps: int) -> optax.GradientTransformation:
    schedule = warmup_stable_decay(rate, steps)
    return optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule))
