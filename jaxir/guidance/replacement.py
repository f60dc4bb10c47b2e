"""Replacement: what the measurement sees of every state is put there, noised as the state is.

One rule, three methods. With A a mask it is RePaint (without its travel back and forth, which is a sampler's), with A a
reduction it is ILVR and takes only the coarse image from a reference, and around a step of DPS it is MCG.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation, Linear
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser
from jaxir.gaussian import Gaussian
from jaxir.guidance.guided import require_uncoupled
from jaxir.transitions import Step, Transition
from jaxir.typing import Image, Scalar


class Replacement(Transition):
    """x_s = (I − P) x'_s + P (a_s A⁺y + σ_s z),    P = A⁺A,    x'_s from another transition.

    P is an orthogonal projection, so the noise of the two parts is drawn as one.

    Args:
        transition: the unguided step (or `PublishedDPS`, which makes it MCG), with noise that is a number.
        degradation: linear; its noise is not used, y is taken at its word.
        above: σ̂ = σ/a, in [-1, 1] units, at and above which the replacement acts; 0 for all steps.

    Source: [lugmayr2022repaint] Eq. 8; [choi2021ilvr] Algorithm 1; [chung2022mcg] Algorithm 1; Eq. 42 of
        [luo2024taming].
    Differs from the paper: MCG and ILVR noise the measurement to the level of x_t, one step too much; here it is that
        of x_s.
    """

    transition: Transition
    degradation: Degradation
    above: float = 0.0

    def __check_init__(self) -> None:
        require_linear_gaussian("Replacement", self.degradation)
        if expect.known(self.above) and not self.above >= 0:
            raise ValueError(f"above is {self.above}, expected a noise level of 0 or more")

    def init(self, x: Image) -> PyTree:
        """The inner transition's carry."""
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
        """The inner step, and two applications of P."""
        require_uncoupled("Replacement", denoiser.process)
        self.degradation.expect_measurement(y)
        operator, process = self.degradation.operator, denoiser.process
        law, carry, estimate = self.transition.step(denoiser, carry, x, t, s, y)
        known = operator.pinv(y)
        a, _, sigma = process.coefficients(s)
        active = jnp.exp(-process.log_snr(s)) >= self.above

        def put(image: Image, value: Image) -> Image:
            # in this order a known pixel is the known value, to the last bit
            return jnp.where(active, (image - _project(operator, image)) + value, image)

        mean = put(law.mean, a * known)
        scale = jax.tree_util.Partial(_noise, operator, law.std, jnp.where(active, sigma, law.std))
        x0_hat = put(estimate.x0_hat, known)
        return Step(Gaussian(mean, scale), carry, estimate._replace(x0_hat=x0_hat))


def _project(operator: Linear, x: Image) -> Image:
    """A⁺A x."""
    return operator.pinv(operator(x))


def _noise(operator: Linear, free: Scalar, seen: Scalar, z: Image) -> Image:
    """free (I − P) z + seen P z."""
    return free * z + (seen - free) * _project(operator, z)
