"""Which guidance goes with which sampler, as published: a method is a function (denoiser, degradation) -> both.

    denoiser, sampler = diffpir(load("natural-prior"), degradation, zeta=0.3)
    samples = jaxir.sample(key, denoiser, y, shape=..., sampler=sampler)

A method of your own is such a function; `functools.partial` sets a hyper-parameter of these.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser
from jaxir.guidance import (
    ADMM,
    DDNM,
    DDRM,
    MMPS,
    PSLD,
    TMPD,
    DiffPIR,
    DPSStep,
    PiGDM,
    PublishedDPS,
    Replacement,
)
from jaxir.samplers import (
    DAPS,
    FPS,
    BlindDPS,
    DiffusionEM,
    Discrete,
    EnKG,
    MCGDiff,
    REDDiff,
    ReSample,
    Sampler,
    Travel,
    Twisted,
)
from jaxir.transitions import DDIM, Ancestral, Cold, Renoise

Method = Callable[[Denoiser, Degradation], tuple[Denoiser, Sampler]]
"""(prior's denoiser, degradation) -> (denoiser to sample from, sampler)."""


def diffpir(
    denoiser: Denoiser,
    degradation: Degradation,
    *,
    weight: float | None = None,
    zeta: float = 1.0,
) -> tuple[Denoiser, Sampler]:
    """DiffPIR: a proximal step on every estimate, a share ζ of fresh noise. No gradient of the network.

    Its λ is found at every step unless `weight` gives one, 1 as published.

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
    denoiser: Denoiser, degradation: Degradation, *, variance: float = 1.0, eta: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """ΠGDM: one pullback an estimate, the estimate's covariance taken as r² I.

    The paper's `variance` is more than a photograph's 0.25: with that one it trusts the Jacobian of a learnt denoiser
    too much and overshoots.

    Source: [song2023pigdm] Algorithm 1.
    """
    return PiGDM(denoiser, degradation, variance), Discrete(DDIM(eta))


def dps(
    denoiser: Denoiser, degradation: Degradation, *, scale: float | None = None, eta: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """DPS, its strength found at every step: for any differentiable operator and any noise with a likelihood.

    Source: [chung2023dps] Eq. 11.
    """
    return denoiser, Discrete(DPSStep(DDIM(eta), degradation, scale))


def dps_published(
    denoiser: Denoiser, degradation: Degradation, *, scale: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """DPS as published: ancestral steps minus `scale` times the gradient of the residual's norm.

    `scale` depends on the task and the number of steps.

    Source: [chung2023dps] Algorithm 1.
    """
    return denoiser, Discrete(PublishedDPS(Ancestral(), degradation, scale))


def psld(
    denoiser: Denoiser, degradation: Degradation, *, scale: float = 1.0, gluing: float = 0.1
) -> tuple[Denoiser, Sampler]:
    """PSLD: published DPS for a prior of latents, with a second gradient towards what an image encodes to.

    Both weights depend on the task and the number of steps, as that of `dps_published` does.

    Example:
        >>> latent = codec.through(degradation)
        >>> samples = restore(y, latent, prior=latent_prior, method=psld)
        >>> restored = samples.map(codec.decode)
        >>> restored.mean, restored.std

    Source: [rout2023psld] Algorithm 2.
    """
    return denoiser, Discrete(PSLD(Ancestral(), degradation, scale, gluing))


def ddnm(
    denoiser: Denoiser, degradation: Degradation, *, eta: float = 0.85
) -> tuple[Denoiser, Sampler]:
    """DDNM: the measurement's range from y, the null space from the prior; for measurements without noise.

    Source: [wang2023ddnm] Algorithm 1, with η of its code.
    """
    return DDNM(denoiser, degradation), Discrete(Renoise(eta**2))


def ddnm_plus(
    denoiser: Denoiser,
    degradation: Degradation,
    *,
    eta: float = 0.85,
    length: int = 10,
    repeats: int = 3,
) -> tuple[Denoiser, Sampler]:
    """DDNM+: DDNM for measurements with noise, with time travel, which fills holes that `ddrm` does not.

    By singular values its step is that of DDRM with η_b = 1, so that `repeats=1` is `ddrm` with its defaults. The
    simpler step of the text takes the noise of y for fresh at every step; it is the same noise, and adds up.

    Source: [wang2023ddnm] Sec. 3.3 and Eq. 19.
    """
    return denoiser, Travel(DDRM(degradation, eta), length, repeats)


def ddrm(
    denoiser: Denoiser, degradation: Degradation, *, eta: float = 0.85, eta_b: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """DDRM: coordinate by coordinate in the operator's singular basis; made for 20 steps.

    Source: [kawar2022ddrm] Sec. 5.
    """
    return denoiser, Discrete(DDRM(degradation, eta, eta_b))


def tmpd(
    denoiser: Denoiser, degradation: Degradation, *, eta: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """TMPD: the covariance of the measurement by its row sums, two pullbacks an estimate.

    Source: [boys2023tmpd].
    """
    return TMPD(denoiser, degradation), Discrete(DDIM(eta))


def mcg(
    denoiser: Denoiser, degradation: Degradation, *, scale: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """MCG: the step of DPS, then what the measurement sees is replaced.

    Source: [chung2022mcg] Algorithm 1.
    """
    inner = PublishedDPS(Ancestral(), degradation, scale)
    return denoiser, Discrete(Replacement(inner, degradation))


def repaint(
    denoiser: Denoiser, degradation: Degradation, *, length: int = 10, repeats: int = 10
) -> tuple[Denoiser, Sampler]:
    """RePaint: what is known is replaced, and every stretch of `length` steps is walked `repeats` times.

    Source: [lugmayr2022repaint] Algorithm 1.
    """
    return denoiser, Travel(Replacement(Ancestral(), degradation), length, repeats)


def ilvr(
    denoiser: Denoiser, degradation: Degradation, *, above: float = 0.0
) -> tuple[Denoiser, Sampler]:
    """ILVR: the coarse image of a reference, at noise levels σ/a from `above` on.

    Source: [choi2021ilvr] Algorithm 1.
    """
    return denoiser, Discrete(Replacement(Ancestral(), degradation, above))


def dpir(
    denoiser: Denoiser, degradation: Degradation, *, weight: float = 0.23
) -> tuple[Denoiser, Sampler]:
    """DPIR: plug-and-play by half-quadratic splitting; one restoration, no samples.

    Source: [zhang2021dpir] Algorithm 1, with its λ.
    """
    return DiffPIR(denoiser, degradation, weight), Discrete(Cold())


def admm(
    denoiser: Denoiser, degradation: Degradation, *, weight: float = 1.0
) -> tuple[Denoiser, Sampler]:
    """Plug-and-play by the alternating direction method; one restoration, no samples.

    Source: [chan2017pnpadmm].
    """
    return denoiser, Discrete(ADMM(degradation, weight))


def daps(
    denoiser: Denoiser, degradation: Degradation, *, flow: int = 5, langevin: int = 100
) -> tuple[Denoiser, Sampler]:
    """DAPS: a fresh draw of the posterior at every noise level.

    Source: [zhang2025daps] Algorithm 1.
    """
    return denoiser, DAPS(degradation, flow, langevin)


def resample(
    denoiser: Denoiser,
    degradation: Degradation,
    *,
    strength: float = 40.0,
    every: int = 1,
    eta: float = 0.0,
) -> tuple[Denoiser, Sampler]:
    """ReSample: at every `every`-th step the estimate is made to explain y, for a prior of latents as for `psld`.

    The paper has every 10th of 500 steps, which is as often as every one of 50.

    Source: [song2024resample] Algorithm 1.
    """
    return denoiser, ReSample(degradation, DDIM(eta), strength, every)


def reddiff(
    denoiser: Denoiser, degradation: Degradation, *, weight: float = 0.25, rate: float = 0.1
) -> tuple[Denoiser, Sampler]:
    """RED-diff: one image moved by Adam.

    Source: [mardani2024reddiff] Algorithm 1.
    """
    return denoiser, REDDiff(degradation, weight, rate)


def tds(
    denoiser: Denoiser, degradation: Degradation, *, particles: int = 64, variance: float = 0.25
) -> tuple[Denoiser, Sampler]:
    """TDS: guided particles with weights; `particles` images for each run, of pixels of that prior variance.

    Source: [wu2023tds] Algorithm 1.
    """
    return denoiser, Twisted(degradation, particles, variance)


def mcgdiff(
    denoiser: Denoiser, degradation: Degradation, *, particles: int = 64, eta: float = 0.6
) -> tuple[Denoiser, Sampler]:
    """MCGDiff: particles led by the noised measurement; `particles` images for each run.

    Source: [cardoso2024mcgdiff] Algorithm 1.
    """
    return denoiser, MCGDiff(degradation, particles, DDIM(eta))


def fps(
    denoiser: Denoiser, degradation: Degradation, *, particles: int = 64, variance: float = 0.25
) -> tuple[Denoiser, Sampler]:
    """FPS-SMC: particles that agree with the noised measurement at every step; `particles` images for each run.

    `variance` is the prior's, of a pixel.

    Source: [dou2024fps].
    """
    return denoiser, FPS(degradation, particles, variance)


def enkg(
    denoiser: Denoiser, degradation: Degradation, *, particles: int = 128, flow: int = 8
) -> tuple[Denoiser, Sampler]:
    """EnKG: for an operator that can only be called, an ensemble in place of every derivative.

    `particles` images for each run, and `flow` + 1 evaluations at each time.

    Source: [zheng2024enkg].
    """
    return denoiser, EnKG(degradation, particles, flow)


def blind_dps(
    denoiser: Denoiser,
    degradation: Degradation,
    *,
    kernels: Denoiser,
    scale: float | None = None,
    kernel_scale: float | None = None,
) -> tuple[Denoiser, Sampler]:
    """BlindDPS: image and blur kernel together, the kernel with a prior of its own; the degradation's is not looked at.

    By default both scales follow the number of pixels and of times; the paper's code has 0.3 for each, for 256 × 256
    pixels in colour and 1000 times.

    Source: [chung2023blinddps].
    """
    return denoiser, BlindDPS(degradation, kernels, scale, kernel_scale)


def em(
    denoiser: Denoiser,
    degradation: Degradation,
    *,
    method: Method = diffpir,
    draws: int = 4,
    rounds: int = 20,
) -> tuple[Denoiser, Sampler]:
    """Expectation–maximisation: a method and a kernel in turn, from the degradation's kernel on.

    `draws` images for each run; the work is that of `rounds` times as many.

    Source: [laroche2024fastem].
    """
    return denoiser, DiffusionEM(degradation, method, draws, rounds)
