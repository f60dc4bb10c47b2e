"""Expectation–maximisation: restore with the kernel as it is thought to be, then ask the restorations for the kernel.

The E-step is any method of restoration, given as such methods are: a function from a denoiser and a degradation to a
denoiser and a sampler. It runs whole inside each round, so that the method is one compiled program for all rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.degradations.linear_gaussian import require_linear_gaussian
from jaxir.denoisers import Denoiser, Estimate
from jaxir.samplers.blur_kernel import Kernel, kernel_of, on_simplex, with_kernel
from jaxir.samplers.sample import START
from jaxir.samplers.sampler import Sampler
from jaxir.typing import Image, Images, Key, Measurement, Scalar, Times


class DiffusionEM(Sampler):
    """k ← argmin over kernels ≥ 0 of sum 1 of (1/2n) Σ_j ‖y − A_k x_j‖² + ½ λ σ_y² ‖k‖², x_j ~ p(x | y, k), in rounds.

    If the x_j are draws of the posterior, this climbs the likelihood of k times a prior N(0, I/λ) of its values. Every
    round draws with the same noise, so that the rounds come to rest. What the prior of images does not tell of k stays
    open: one that is Gaussian and stationary has no phases, and finds |K| alone.

    `Samples.unknowns` are the kernels, one for each run; a run gives `draws` images, restored with its kernel.

    Args:
        degradation: a linear operator with one `Blur` in it, whose kernel is the first guess, and Gaussian noise.
        method: (denoiser, degradation) -> (denoiser, sampler), the E-step, which starts by itself. Another function,
            a `functools.partial` made anew too, is another program.
        draws: n, of the E-step.
        rounds: E-steps; there is an M-step between two of them.
        ridge: λ ≥ 0.
        steps: of the M-step, accelerated projected gradients.

    Source: [laroche2024fastem]; [dempster1977em]; [beck2009fista] Sec. 4 for the M-step.
    Differs from the paper: its kernel has a learnt prior in the place of λ.
    """

    degradation: Degradation
    method: Callable[[Denoiser, Degradation], tuple[Denoiser, Sampler]] = eqx.field(static=True)
    draws: int = eqx.field(static=True, default=4)
    rounds: int = eqx.field(static=True, default=20)
    ridge: float = 0.0
    steps: int = eqx.field(static=True, default=100)

    def __check_init__(self) -> None:
        kernel_of(self.degradation)
        require_linear_gaussian("DiffusionEM", self.degradation, otherwise="BlindDPS")
        for name in ("draws", "rounds", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if expect.known(self.ridge) and not self.ridge >= 0:
            raise ValueError(f"ridge is {self.ridge}, expected 0 or more")

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """A round each."""
        return [(i, i + 1) for i in range(self.rounds)]

    def report(self, times: Times) -> dict[str, float]:
        """`rounds`, each of them `draws` runs of the method."""
        return {"rounds": self.rounds}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(kernel, images, how far the kernel has moved); before the first round the images say nothing."""
        self.degradation.expect_measurement(y)
        kernel = kernel_of(self.degradation).astype(x.dtype)
        images = jax.eval_shape(lambda: self._images(jax.random.key(0), denoiser, kernel, times, y))
        return kernel, jnp.ones(images.shape, images.dtype), jnp.zeros((), x.dtype)

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
        """Rounds `start` to `stop` − 1, the M-step first where there are images."""

        def round_(i: Scalar, state: PyTree) -> PyTree:
            before, images, _ = state
            kernel = jnp.where(i == 0, before, self._kernel(before, images, y))
            images = self._images(key, denoiser, kernel, times, y)
            return kernel, images, jnp.sum(jnp.abs(kernel - before))

        return jax.lax.fori_loop(start, stop, round_, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """The images and their kernel, with ‖k − k'‖₁ of the last round as `kernel_change`."""
        kernel, images, change = state
        return Estimate(images, info={"kernel_change": change}, unknowns=kernel)

    def _images(
        self, key: Key, denoiser: Denoiser, kernel: Kernel, times: Times, y: Array
    ) -> Images:
        """The E-step, as `sample` would do it."""
        guided, sampler = self.method(denoiser, with_kernel(self.degradation, kernel))
        shape = self.degradation.operator.shape
        stop = max((stop for _, stop in sampler.windows(len(times))), default=0)

        def draw(key: Key) -> Images:
            law = sampler.start(guided, jnp.zeros(shape, kernel.dtype), times, y)
            x = law.sample(jax.random.fold_in(key, START))
            state = sampler.init(guided, x, times, y)
            state = sampler.run(key, guided, state, times, y, 0, stop)
            return sampler.finish(guided, state, times, y).x0_hat

        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(self.draws))
        return jax.vmap(draw)(keys).reshape(-1, *shape)

    def _kernel(self, kernel: Kernel, images: Images, y: Measurement) -> Kernel:
        """The M-step, from the kernel before."""
        sigma, y = self.degradation.noise.sigma, self.degradation.operator.clean(y)

        def loss(kernel: Kernel) -> Scalar:
            blurred = jax.vmap(with_kernel(self.degradation, kernel).operator)(images)
            misfit = jnp.sum(jnp.abs(y - blurred) ** 2) / len(images)
            return 0.5 * (misfit + self.ridge * sigma**2 * jnp.sum(kernel**2))

        slope = jax.grad(loss)
        at_zero, turn = jax.linearize(slope, jnp.zeros_like(kernel))

        def power(_: Scalar, v: Kernel) -> Kernel:
            return turn(v / jnp.linalg.norm(v))

        # the Hessian's largest eigenvalue from below; a kernel of light is close to its vector, and 1.1 is to spare
        curvature = 1.1 * jnp.linalg.norm(jax.lax.fori_loop(0, 20, power, jnp.ones_like(kernel)))

        def move(_: Scalar, state: tuple[Kernel, Kernel, Scalar]) -> tuple[Kernel, Kernel, Scalar]:
            kernel, ahead, momentum = state
            moved = on_simplex(ahead - (at_zero + turn(ahead)) / curvature)
            faster = 0.5 * (1 + jnp.sqrt(1 + 4 * momentum**2))
            return moved, moved + (momentum - 1) / faster * (moved - kernel), faster

        first = (kernel, kernel, jnp.ones((), kernel.dtype))
        return jax.lax.fori_loop(0, self.steps, move, first)[0]
