"""Euler–Maruyama steps in the process's own time, as IR-SDE, GOUB and score-SDE sample.

    x_s = x_t + (s − t) [f x + h y − p g² score] + √(λ g² (t − s)) ξ

with p = (1 + λ)/2 for every member of the family of reverse SDEs that share the marginals. They are here to reproduce
published samplers: rules of the κ family solve the linear part exactly and need fewer steps. The other two predictors
of score-SDE are `Ancestral` already: on `VE` its "ancestral" one has mix 0 and its "reverse diffusion" mix 1.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.denoisers import Denoiser
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.transitions.transition import Step, Transition
from jaxir.typing import Image, Scalar


class ReverseEuler(Transition):
    """One Euler–Maruyama step of dx = [f x + h y − ½ (1 + λ) g² score] dt + √λ g dw, backwards.

    λ = 1 is the reverse SDE (IR-SDE's `reverse_sde`, GOUB's SDE, score-SDE's Euler–Maruyama), λ = 0 Euler's method on
    the probability flow (IR-SDE's `reverse_ode`). From the pinned end of a bridge, where f is infinite, it draws the
    marginal around D, as the κ family does.

    Args:
        noise: λ ≥ 0, the share of the process's own variance rate that is drawn.

    Source: [anderson1982reverse]; [song2021score] Eqs. 6 and 13; [luo2023irsde]; [yue2024goub].
    """

    noise: float = 1.0

    def __check_init__(self) -> None:
        if expect.known(self.noise) and not self.noise >= 0:
            raise ValueError(f"noise is {self.noise}, expected 0 or more (0 is the ODE)")

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """Evaluate the denoiser at (x, t) and go along the drift."""
        estimate = denoiser.estimate(x, t, y)
        pull = 0.5 * (1 + self.noise)
        law = _euler(denoiser.process, x, estimate.x0_hat, t, s, y, pull=pull, noise=self.noise)
        return Step(law, carry, estimate)


class MeanODE(Transition):
    """GOUB's Mean-ODE: the drift of the reverse SDE with its noise left out.

    It is not the probability flow, which has half the score, and its samples have less than the right variance: they
    tend to the posterior mean, which is what it is used for.

    Source: [yue2024goub] (Mean-ODE).
    """

    def step(
        self,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        t: Scalar,
        s: Scalar,
        y: Array | None = None,
    ) -> Step:
        """Evaluate the denoiser at (x, t) and go along the drift."""
        estimate = denoiser.estimate(x, t, y)
        law = _euler(denoiser.process, x, estimate.x0_hat, t, s, y, pull=1.0, noise=0.0)
        return Step(law, carry, estimate)


def _euler(
    process: Process,
    x: Image,
    x0_hat: Image,
    t: Scalar,
    s: Scalar,
    y: Array | None,
    *,
    pull: Scalar | float,
    noise: Scalar | float,
) -> Gaussian:
    """The law of x_s, with the weight p on g² score; the marginal around D from a point."""
    f, h, g2 = process.sde(t)
    drift = f * x - pull * g2 * process.score(x, t, x0_hat, y)
    if process.coupled:
        drift = drift + h * process.image(y)
    pinned, then = process.coefficients(t).sigma == 0, process.coefficients(s)
    return Gaussian(
        jnp.where(pinned, then.a * x0_hat + process.centre(s, y), x + (s - t) * drift),
        jnp.where(pinned, then.sigma, jnp.sqrt(noise * g2 * (t - s))),
    )
