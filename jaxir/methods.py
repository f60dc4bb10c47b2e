"""Which guidance goes with which sampler, as published: a method is a function (denoiser, degradation) -> both.

    denoiser, sampler = diffpir(load("natural-prior"), degradation, zeta=0.3)
    samples = jaxir.sample(key, denoiser, y, shape=..., sampler=sampler)

A method of your own is such a function; `functools.partial` sets a hyper-parameter of these.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser
from jaxir.guidance import DDNM, MMPS, DiffPIR, PiGDM, PublishedDPS
from jaxir.samplers import Discrete, Sampler
from jaxir.transitions import DDIM, Ancestral, Renoise

Method = Callable[[Denoiser, Degradation], tuple[Denoiser, Sampler]]
"""(prior's denoiser, degradation) -> (denoiser to sample from, sampler)."""


def diffpir(
    denoiser: Denoiser, degradation: Degradation, *, weight: float = 1.0, zeta: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """DiffPIR: a proximal step on every estimate, a share ζ of fresh noise. No gradient of the network.

    The paper has ζ from 0.1 to 1 by task; 1, the setting of this project's figures, is the default for all.

    Source: [zhu2023diffpir] Algorithm 1.
    """
    return DiffPIR(denoiser, degradation, weight), Discrete(Renoise(zeta))


def mmps(
    denoiser: Denoiser, degradation: Degradation, *, steps: int = 3, eta: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """MMPS: the covariance of the estimate from the network's Jacobian, `steps` pullbacks an estimate.

    Source: [rozet2024mmps] Algorithm 2.
    """
    return MMPS(denoiser, degradation, steps), Discrete(DDIM(eta))


def pigdm(
    denoiser: Denoiser, degradation: Degradation, *, variance: float = 0.25, eta: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """ΠGDM: one pullback an estimate, the estimate's covariance taken as r² I.

    `variance` is that of a pixel in [-1, 1]; the paper has 1.

    Source: [song2023pigdm] Algorithm 1.
    """
    return PiGDM(denoiser, degradation, variance), Discrete(DDIM(eta))


def dps(
    denoiser: Denoiser, degradation: Degradation, *, scale: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """DPS as published: ancestral steps minus `scale` times the gradient of the residual's norm.

    Works for any differentiable operator. `scale` depends on the task and the number of steps.

    Source: [chung2023dps] Algorithm 1.
    """
    return denoiser, Discrete(PublishedDPS(Ancestral(), degradation, scale))


def ddnm(
    denoiser: Denoiser, degradation: Degradation, *, eta: float = 0.85
) -> tuple[Denoiser, Sampler]:
    """DDNM: the measurement's range from y, the null space from the prior; for measurements without noise.

    Source: [wang2023ddnm] Algorithm 1, with η of its code.
    """
    return DDNM(denoiser, degradation), Discrete(Renoise(eta**2))
