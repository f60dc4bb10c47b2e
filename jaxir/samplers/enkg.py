"""Ensemble Kalman guidance: an ensemble learns from its own spread how the measurement depends on the state.

Nothing is differentiated, neither the operator nor the network: A may be a simulator that is only ever called. The
probability flow takes a state x_t to an image x̂0(x_t), and the ensemble's covariance of x_t and A x̂0(x_t) stands
where other methods have ∂(A D)/∂x. Since the flow takes any law along, the likelihood may come in shares, one at each
time.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate
from jaxir.gaussian import Gaussian
from jaxir.processes import Process
from jaxir.samplers.sampler import Sampler, expect_signal, twentieths
from jaxir.transitions import DPMSolver
from jaxir.typing import Image, Images, Key, Measurement, Scalar, Times


class EnKG(Sampler):
    """At each of n times a Kalman step of the ensemble with noise √n σ_y, then a step of the probability flow.

    The n shares make the whole likelihood, so that for a linear A and a Gaussian prior the law of the images tends to
    the posterior as N, the times and the steps of the flow become many; all else is taken as if it were so. Both flows,
    to x̂0 and to the next time, are DPM-Solver++(2M), whose error falls with the square of its steps. A Kalman
    step stays in the span of the N states, and takes correlations that are there by chance for true ones: let N be
    large beside the number of unknowns that y tells, or read the images as restorations and not as a posterior.

    Args:
        degradation: any, whose noise has a finite deviation; it is taken as Gaussian with that at the ensemble's mean,
            at least 0.001, an eighth of a grey level.
        particles: N, the images of one run, which are not independent.
        flow: evaluations of the denoiser from a state to its image. The error is relative to the image, and counts
            where y is precise: with 8, at σ_y = 0.05, it is a fifth of a deviation of the posterior; 5 are too few.

    Source: [zheng2024enkg]; [emerick2013esmda] for the shares.
    Differs from the paper: there every state x_j moves by −w C_xg R⁻¹ (g_j − y), w a length of its own at each time,
        and the images end where they fit y. That is this step's first order in 1/n, but for the deviations, which
        shrink by half as much here.
    """

    degradation: Degradation
    particles: int = eqx.field(static=True, default=128)
    flow: int = eqx.field(static=True, default=8)

    def __check_init__(self) -> None:
        if self.particles < 2:
            raise ValueError(f"particles is {self.particles}, expected at least 2")
        if self.flow < 1:
            raise ValueError(f"flow is {self.flow}, expected at least 1")
        noise = self.degradation.noise
        if expect.known(*jax.tree.leaves(noise)):
            with jax.ensure_compile_time_eval():  # a method may be made inside jit
                std = noise.std(jnp.zeros(self.degradation.operator.output_shape))
            if not np.all(np.isfinite(std)):
                raise ValueError(
                    f"EnKG got {type(noise).__name__} of infinite deviation, as which y would count for nothing: use "
                    "DPS or DAPS, or give EnKG a GaussianNoise as wide as the middle of the law"
                )

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """`flow` + 1 evaluations at each time, for each particle; no gradient."""
        return {"evaluations": len(times) * (self.flow + 1)}

    def check(self, process: Process, times: Times) -> None:
        """Refuse a grid that begins where no step of the flow can, at ℓ = −∞."""
        expect_signal("EnKG", process, times)

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """Independent first states.

        Raises:
            ValueError: if the process is coupled.
        """
        if denoiser.process.coupled:
            raise ValueError("EnKG needs a process that ends in noise, with b = 0: use VP or VE")
        law = denoiser.process.start(like, times[0])
        return Gaussian(jnp.broadcast_to(law.mean, (self.particles, *like.shape)), law.scale)

    def init(self, denoiser: Denoiser, x: Images, times: Times, y: Array | None) -> PyTree:
        """(x, D, the history of the flow)."""
        self.degradation.expect_measurement(y)
        return x, jnp.zeros_like(x), DPMSolver().init(x)

    def run(
        self,
        key: Key,
        denoiser: Denoiser,
        state: PyTree,
        times: Times,
        y: Array | None,
        start: int | Scalar,
        stop: int | Scalar,
    ) -> PyTree:
        """Visit times[start] to times[stop − 1]; at the last one the step goes nowhere."""
        process, y = denoiser.process, self.degradation.operator.clean(y)

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, _, past = state
            t, s = times[i], times[jnp.minimum(i + 1, len(times) - 1)]
            images, before = jax.vmap(lambda x: self._image(denoiser, x, t, times[-1]))(x)
            seen = jax.vmap(self.degradation)(images)
            noise = jnp.maximum(self.degradation.noise.std(jnp.mean(seen, axis=0)), 1e-3)
            x = kalman_step(x, seen, y, jnp.sqrt(len(times)) * noise)
            mean = jax.vmap(lambda x: denoiser(x, t))(x)
            # what Kalman's step makes of D is no slope of the flow: the estimate before it moves along
            past = past._replace(differences=past.differences + mean - before)
            law, past = DPMSolver().advance(process, past, x, Estimate(mean), t, s)
            return law.mean, mean, past

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D of every particle."""
        return Estimate(state[1])

    def _image(self, denoiser: Denoiser, x: Image, t: Scalar, end: Scalar) -> tuple[Image, Image]:
        """x̂0, by the flow from t to `end` in equal steps of log-SNR and D there, and D at t."""
        process, solver = denoiser.process, DPMSolver()
        path = process.time(jnp.linspace(process.log_snr(t), process.log_snr(end), self.flow))

        def follow(i: Scalar, state: PyTree) -> PyTree:
            x, mean, past = state
            law, past = solver.advance(process, past, x, Estimate(mean), path[i], path[i + 1])
            return law.mean, denoiser(law.mean, path[i + 1]), past

        first = denoiser(x, t)
        _, image, _ = jax.lax.fori_loop(0, self.flow - 1, follow, (x, first, solver.init(x)))
        return image, first


def kalman_step(
    x: Images, seen: Float[Array, "n ..."], y: Measurement, noise: float | Array
) -> Images:
    """The ensemble after y: its mean and its covariance are those of Kalman's formulas with the ensemble's own moments.

        x̄ ← x̄ + C_xg (C_gg + R)⁻¹ (y − ḡ),    C ← C − C_xg (C_gg + R)⁻¹ C_gx

    Nothing is drawn: the deviations are multiplied by the symmetric square root, which keeps them near what they were.

    Args:
        x: the states, N ≥ 2 of them.
        seen: g, what each predicts of y.
        y: what was measured.
        noise: √R, the deviation of each real number of y.

    Source: [bishop2001etkf]; [hunt2007letkf] Sec. 2.3.
    """
    centre = jnp.mean(seen, axis=0)
    rows = ((seen - centre) / noise).reshape(len(x), -1)
    innovation = ((y - centre) / noise).ravel()
    if jnp.iscomplexobj(rows):
        rows = jnp.concatenate([rows.real, rows.imag], axis=1)
        innovation = jnp.concatenate([innovation.real, innovation.imag])
    with jax.default_matmul_precision("highest"):
        # not the eigenvectors of rows rowsᵀ, whose rounding is that of the largest value squared
        basis, values, across = jnp.linalg.svd(rows, full_matrices=False)
        pull = basis @ (values / (values**2 + len(x) - 1) * (across @ innovation))
        less = jnp.sqrt((len(x) - 1) / (values**2 + len(x) - 1)) - 1
        return x + jnp.tensordot((basis * less) @ basis.T + pull, x - jnp.mean(x, axis=0), 1)
