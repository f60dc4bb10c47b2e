"""One step back in time: from x_t to the law of x_s, s < t.

A transition is a value without weights: the denoiser is an argument of `step`. So a method is named before a network
is loaded, guidance can wrap a transition, and weights stay arguments of every compiled function.
"""

from __future__ import annotations

import abc
from typing import ClassVar, NamedTuple

import equinox as eqx
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.typing import Image, Scalar


class Step(NamedTuple):
    """What a step returns.

    Attributes:
        law: the law of x_s; the driver draws from it.
        carry: what the next step may want to know (the history of a multistep method).
        estimate: the estimate of the clean image at x_t that the law was made from.
    """

    law: Gaussian
    carry: PyTree
    estimate: Estimate


class Transition(eqx.Module):
    """The interface: a step evaluates the denoiser and returns the law of the next state.

    Attributes:
        needs_y: whether, on a process that moves towards the degraded image, the step is right only for a denoiser
            that sees it.
    """

    needs_y: ClassVar[bool] = True

    def init(self, x: Image) -> PyTree:
        """The carry before the first step; None where a method has no history."""
        return None

    @abc.abstractmethod
    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """Evaluate the denoiser at (x, t) and return the law of the state at s < t."""
