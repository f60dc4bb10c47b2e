"""BlindDPS: the image and the blur kernel come down from noise side by side, and one residual bends both."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.degradations import Degradation
from jaxir.denoisers import Denoiser, Estimate, on
from jaxir.gaussian import Gaussian
from jaxir.samplers.blur_kernel import Kernel, kernel_of, unit_kernel, with_kernel
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.transitions import Ancestral, Correlated
from jaxir.typing import Image, Key, Scalar, Times


class BlindDPS(Sampler):
    """x_s ~ transition(x_t) − c ∇ₓ L and k_s ~ transition(k_t) − c_k ∇ₖ L, L = ‖y − A_κ(D(x_t))‖ + λ ‖D_k(k_t) + 1‖₁/2.

    κ is the kernel that the estimate D_k of its image stands for: no negative light, and a sum of 1. The gradients go
    through both denoisers. Where the kernel is known, a denoiser that always says so makes it DPS.

    `Samples.unknowns` are the kernels, one for each image.

    L is a norm over the m numbers of y. Its gradient in x is about 1 long however many pixels share it, and that in k,
    to which all of them add, grows as √m: what the T steps do together to a pixel is c T/√m, to the kernel c_k T √m,
    and the defaults keep these. They were found on smooth fields of 16² to 64² pixels at 50 to 800 times. For 256 × 256
    pixels in colour and 1000 times c_k is the 0.3 of the paper's code. There c is 2.7 for its 0.3, with which an image
    stays too far from y to tell one kernel from another. It is also twice what an image of known kernel wants, and
    explains some of the noise: restore again with the kernel that was found, by `with_kernel`.

    Args:
        degradation: with one `Blur` in its operator, of whose kernel the size is used and the values are not.
        kernels: a denoiser of images of kernels, (kh, kw, 1) in [-1, 1] with -1 for no light, however bright; it is
            run on the image's process.
        scale: c ≥ 0; 6 √m/T by default.
        kernel_scale: c_k ≥ 0; 130,000/(T √m) by default.
        sparsity: λ ≥ 0, with the kernel's image in [0, 1].
        transition: the unguided step of both.

    Source: [chung2023blinddps]; [chung2023dps].
    Differs from the paper: λ acts before the sum is made 1, since after it the norm is 1 whatever the kernel; the
        defaults of c and c_k.
    """

    degradation: Degradation
    kernels: Denoiser
    scale: float | None = None
    kernel_scale: float | None = None
    sparsity: float = 0.0
    transition: Correlated = Ancestral()

    def __check_init__(self) -> None:
        kernel_of(self.degradation)
        for name in ("scale", "kernel_scale", "sparsity"):
            value = getattr(self, name)
            if value is not None and expect.known(value) and not value >= 0:
                raise ValueError(f"{name} is {value}, expected 0 or more")
        if self.kernels.process.coupled:
            raise ValueError("the denoiser of kernels needs a process with b = 0: use VP or VE")

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows."""
        return twentieths(count)

    def report(self, times: Times) -> dict[str, float]:
        """One evaluation and one pullback of each denoiser at each time."""
        return {"evaluations": len(times)}

    def start(self, denoiser: Denoiser, like: Image, times: Times, y: Array | None) -> Gaussian:
        """The image's; the kernel begins at the first visit.

        Raises:
            ValueError: if the process is coupled.
        """
        if denoiser.process.coupled:
            raise ValueError(
                "BlindDPS needs a process that ends in noise, with b = 0: use VP or VE"
            )
        return denoiser.process.start(like, times[0])

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Array | None) -> PyTree:
        """(x, k, D, κ)."""
        self.degradation.expect_measurement(y)
        kernel = jnp.zeros_like(kernel_of(self.degradation), x.dtype)
        return x, kernel[..., None], jnp.zeros_like(x), kernel

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
        """Visit times[start] to times[stop − 1]."""
        process, y = denoiser.process, self.degradation.operator.clean(y)
        kernels = on(process, self.kernels)
        scale, kernel_scale = self._scales(y, len(times))

        def loss(x: Image, k: Image, t: Scalar) -> tuple[Scalar, tuple[Image, Image, Kernel]]:
            image, light = denoiser(x, t), kernels(k, t)
            kernel = unit_kernel(light)
            residual = jnp.abs(y - with_kernel(self.degradation, kernel)(image))
            norm = jnp.sqrt(jnp.sum(residual**2) + 1e-12)
            penalty = self.sparsity / 2 * jnp.sum(jnp.maximum(light + 1, 0))
            return norm + penalty, (image, light, kernel)

        def visit(i: Scalar, state: PyTree) -> PyTree:
            x, k = state[:2]
            t, s = times[i], times[jnp.minimum(i + 1, len(times) - 1)]
            here = jax.random.fold_in(key, i)
            first, fresh = jax.random.fold_in(here, 0), jax.random.fold_in(here, 1)
            k = jnp.where(i == 0, process.start(k, t).sample(first), k)
            pull = jax.grad(loss, argnums=(0, 1), has_aux=True)
            (pull_x, pull_k), (image, light, kernel) = pull(x, k, t)

            def move(key: Key, x: Image, x0_hat: Image, shift: Image) -> Image:
                law, _ = self.transition.advance(process, None, x, Estimate(x0_hat), t, s)
                return Gaussian(law.mean - shift, law.scale).sample(key)

            x = move(here, x, image, scale * pull_x)
            k = move(fresh, k, light, kernel_scale * pull_k)
            return x, k, image, kernel

        return jax.lax.fori_loop(start, stop, visit, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Array | None) -> Estimate:
        """D and κ at the last time."""
        return Estimate(state[2], unknowns=state[3])

    def _scales(self, y: Array, count: int) -> tuple[float | Scalar, float | Scalar]:
        """(c, c_k)."""
        clean = self.degradation.operator.clean
        seen = clean(jnp.ones_like(y)) != clean(jnp.zeros_like(y))
        numbers = jnp.sum(seen) * (2 if jnp.iscomplexobj(y) else 1)
        root = jnp.sqrt(jnp.maximum(numbers, 1).astype(y.real.dtype))
        scale = 6 * root / count if self.scale is None else self.scale
        return scale, 1.3e5 / (count * root) if self.kernel_scale is None else self.kernel_scale
