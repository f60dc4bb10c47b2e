"""PSLD: the step of DPS in latents, and a second gradient that keeps the latent where an image encodes to."""

from __future__ import annotations

import jax
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.codecs import taken_apart
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import length, require_uncoupled
from jaxir.transitions import Correlated, Step, Transition
from jaxir.typing import Image, Scalar


class PSLD(Transition):
    """x_s ~ transition(x_t) − ∇ₓ [ η ‖y − A D(ẑ)‖ + γ ‖ẑ − E(D(ẑ) + A⁺(y − A D(ẑ)))‖ ],    ẑ the estimate at x_t.

    Many latents decode to images that explain y alike. The second term, which glues the measured part of the image to
    the part that the prior makes up, A⁺y + (I − A⁺A) D(ẑ), asks for one that is the code of such an image. A⁺ enlarges
    the noise of y where A is ill-conditioned, as a blur is: then take γ = 0, which is DPS.

    Args:
        transition: the unguided step; ancestral in the paper.
        degradation: of latents, made by `codec.through` from one with a linear operator; its noise is not used. One of
            images is its own latents'.
        scale: η ≥ 0.
        gluing: γ ≥ 0.

    Source: [rout2023psld] Algorithm 2, with the norms of its code in place of their squares.
    Differs from the paper: A⁺ for its Aᵀ, which are one where AᵀA is a projection, as the derivation has it.
    """

    transition: Correlated
    degradation: Degradation
    scale: float = 1.0
    gluing: float = 0.1

    def __check_init__(self) -> None:
        operator, _ = taken_apart(self.degradation.operator)
        require_linear_gaussian("PSLD", Degradation(operator, self.degradation.noise))
        for name in ("scale", "gluing"):
            value = getattr(self, name)
            if expect.known(value) and not value >= 0:
                raise ValueError(f"{name} is {value}, expected 0 or more")

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
        """One evaluation and one pullback, of the denoiser, the decoder and the encoder."""
        require_uncoupled("PSLD", denoiser.process)
        self.degradation.expect_measurement(y)
        operator, codec = taken_apart(self.degradation.operator)
        y = operator.clean(y)

        def distance(x: Image) -> tuple[Scalar, Estimate]:
            estimate = denoiser.estimate(x, t)
            image = codec.decode(estimate.x0_hat)
            residual = y - operator(image)
            glued = codec.encode(image + operator.pinv(residual))
            unexplained, unglued = length(residual), length(estimate.x0_hat - glued)
            return self.scale * unexplained + self.gluing * unglued, estimate

        gradient, estimate = jax.grad(distance, has_aux=True)(x)
        law, carry = self.transition.advance(denoiser.process, carry, x, estimate, t, s)
        return Step(Gaussian(law.mean - gradient, law.scale), carry, estimate)
