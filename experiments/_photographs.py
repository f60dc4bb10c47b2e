"""What the paired experiments share: photographs that they spoil, and an optimiser that may go on for longer."""

import functools
from collections.abc import Callable

import optax
from natural_prior import DATA, LEFT_OUT

from jaxir.data import ImageFolder
from jaxir.training import warmup_stable_decay


def photographs() -> ImageFolder:
    """For training: 384 of BSDS500, without the twelve that are the clean images of a rain test set."""
    return ImageFolder([DATA / "natural" / "bsds500" / "train"], leave_out=LEFT_OUT)


def others() -> ImageFolder:
    """Others, for the pictures during training."""
    return ImageFolder([DATA / "natural" / "bsds500" / "val"])


def adam(rate: float) -> Callable[[int], optax.GradientTransformation]:
    """Adam with a plateau of this learning rate, and short gradients."""
    return functools.partial(_adam, rate)


def _adam(rate: float, steps: int) -> optax.GradientTransformation:
    schedule = warmup_stable_decay(rate, steps)
    return optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule))
