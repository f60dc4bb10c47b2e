"""A training run of seconds, for tests in this process and in others."""

import functools

import optax

from jaxir.data import Synthetic
from jaxir.networks import UNet
from jaxir.processes import VP, log_normal_law
from jaxir.training import Experiment


def adam(steps: int) -> optax.GradientTransformation:
    """A plateau, which does not know the number of steps."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))


def tiny(**changes) -> Experiment:
    """A U-Net of 10⁴ weights on smooth waves."""
    settings = {
        "name": "tiny",
        "source": lambda: Synthetic(8, 24),
        "network": UNet(widths=(8, 8), blocks=(1, 1), embedding=8),
        "process": VP(),
        "optimizer": adam,
        "times": functools.partial(log_normal_law, mean=-1.2, std=1.2),
        "steps": 40,
        "batch": 8,
        "crop": 16,
        "ema": 0.9,
    }
    return Experiment(**settings | changes)


class Tripwire(Synthetic):
    """The images of `tiny`; at the image that is number `after` to be asked for, `action` is called."""

    def __init__(self, after, action) -> None:
        super().__init__(8, 24)
        self.left, self.action = after, action

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            self.action()
        return super().__getitem__(index)
