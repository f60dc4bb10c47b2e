"""Classifier guidance: a class, or anything that a function of the noisy state tells the probability of.

A classifier is a callable pytree `classifier(x, t, y) -> log p(y | x_t = x)`, with `y` what is wanted, such as the
number of a class. Two forms: of the denoiser, Tweedie's formula for the classifier's gradient, which every sampler
runs; and of a transition, whose mean is shifted along its own noise. Per unit of gradient the second moves κ σ_s/σ_t as
far as the first with `Ancestral`, so that they agree as the step becomes short and differ at the last ones.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.transitions import Step, Transition
from jaxir.typing import Image, Scalar

Classifier = Callable[[Image, Scalar, Array], Scalar]
"""(x, t, y) -> log p(y | x_t = x); a pytree, so that weights are its leaves (`jax.tree_util.Partial(f, params)`)."""


class ClassifierGuided(Denoiser):
    """D + scale · (σ²/a) ∇ₓ log p(y | x_t): in ε, ε̂ − scale σ ∇ₓ log p(y | x_t).

    With an exact classifier and scale = 1 it is the denoiser of p(x0 | y).

    Args:
        denoiser: the prior's; it is shown `y` too, and ignores it unless it is a conditional one.
        classifier: of noisy states of the same process.
        scale: factor on the gradient, ≥ 0; more than 1 sharpens p(y | x) to its power.

    Source: [dhariwal2021guidance] Algorithm 2; [luo2024taming] Eq. 29.
    """

    denoiser: Denoiser
    classifier: Classifier
    scale: float = 1.0

    @property
    def process(self) -> Process:
        """The prior's."""
        return self.denoiser.process

    @property
    def sees_y(self) -> bool:
        """True."""
        return True

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One evaluation, and one gradient of the classifier."""
        a, _, sigma = self.process.coefficients(t)
        estimate = self.denoiser.estimate(x, t, y)
        shift = self.scale * sigma**2 / a * jax.grad(self.classifier)(x, t, y)
        return estimate._replace(x0_hat=estimate.x0_hat + shift)


class ClassifierShifted(Transition):
    """N(μ + scale τ² ∇ₓ log p(y | x_s = x) at x = μ, τ²), for a transition with mean μ and noise τ.

    Args:
        transition: the unguided step, with noise: `Ancestral()` in the paper. Without noise nothing is guided.
        classifier: of noisy states of the denoiser's process.
        scale: factor on the gradient, ≥ 0.

    Source: [dhariwal2021guidance] Algorithm 1; [luo2024taming] Eq. 25.
    Differs from the code of the paper: it takes the gradient at (x_t, t); here it is at (μ, s), where the derivation
        has it.
    """

    transition: Transition
    classifier: Classifier
    scale: float = 1.0

    def init(self, x: Image) -> PyTree:
        """The unguided transition's carry."""
        return self.transition.init(x)

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """One evaluation, and one gradient of the classifier.

        Raises:
            TypeError: if the transition's noise is not the same for every pixel or diagonal in them.
        """
        step = self.transition.step(denoiser, carry, x, t, s, y)
        mean, scale = step.law.mean, step.law.scale
        if callable(scale):
            raise TypeError(
                f"{type(self.transition).__name__} has noise that is a linear map, expected a number or an array: "
                "guide the denoiser by ClassifierGuided"
            )
        gradient = jax.grad(self.classifier)(mean, s, y)
        law = Gaussian(mean + self.scale * jnp.square(scale) * gradient, scale)
        return step._replace(law=law)
