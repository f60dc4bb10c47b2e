"""What sampling returns: images, what they say together, and whether to believe it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxir.degradations import Degradation
from jaxir.samplers.blur_kernel import Kernel, with_kernel
from jaxir.samplers.mixing import effective_sample_size, r_hat
from jaxir.typing import Image, Images, Measurement, Scalar


class Samples(eqx.Module):
    """Draws from a law of images, independent of each other unless they are of one run.

    Attributes:
        images: (n, H, W, C).
        diagnostics: numbers about the run: `seconds`, `evaluations` of the denoiser for each image (discrete
            samplers) or `solver_steps` (continuous ones), and the largest value on the way of whatever a
            guidance reports (MMPS: `residual` of its solve).
        unknowns: of a blind method the blur kernels that it found, one for each run, (runs, h, w); None for others.
        runs: how many independent runs the images are of, those of a run one after the other; None where each image is
            a run of its own.
    """

    images: Images
    diagnostics: dict[str, float]
    unknowns: Float[Array, "runs kh kw"] | None = None
    runs: int | None = eqx.field(static=True, default=None)

    def map(self, f: Callable[[Image], Image]) -> Samples:
        """The same draws with `f` applied to each image: `samples.map(codec.decode)` decodes latents."""
        return eqx.tree_at(lambda samples: samples.images, self, jax.vmap(f)(self.images))

    @property
    def finite(self) -> Bool[Array, " n"]:
        """Which images are finite; all of them unless `sample` was told not to be strict."""
        return jnp.isfinite(self.images).all(axis=(1, 2, 3))

    @property
    def mean(self) -> Image:
        """The mean over draws, the estimate of least squared error as the draws become many."""
        return jnp.mean(self.images, axis=0)

    @property
    def std(self) -> Image:
        """The standard deviation over draws, at each pixel (unbiased); needs two draws."""
        if len(self.images) < 2:
            raise ValueError("the deviation of 1 sample is not defined: draw samples=2 or more")
        return jnp.std(self.images, axis=0, ddof=1)

    def quantile(self, q: float | Array) -> Array:
        """The `q` quantile over draws, at each pixel, 0 ≤ q ≤ 1."""
        return jnp.quantile(self.images, jnp.asarray(q), axis=0)

    @property
    def chains(self) -> Float[Array, "m n h w c"]:
        """The images run by run: a Markov chain in its order, particles beside those of the same ancestor."""
        runs = len(self.images) if self.runs is None else self.runs
        return self.images.reshape(runs, -1, *self.images.shape[1:])

    @property
    def r_hat(self) -> Image:
        """How much larger the deviation over all runs is than within half a run, at each pixel; 1 where they agree."""
        return r_hat(self.chains)

    @property
    def effective_sample_size(self) -> Image:
        """How many independent images they are worth, at each pixel."""
        chains = self.chains
        if chains.shape[1] == 1:
            return jnp.full(chains.shape[2:], float(len(chains)))
        return effective_sample_size(chains)

    def residual(self, degradation: Degradation, y: Measurement) -> Float[Array, " n"]:
        """The root mean square of (y − A x)/σ_y for each image, over the values that say something about it.

        σ_y is the noise's deviation at A x; a complex value counts as two. A draw of the posterior has about 1: less
        than ½ explains the noise as well, more than 1½ does not explain y. Of a blind method, A has the kernel that the
        run found.

        Raises:
            TypeError: if the noise has no deviation to measure with.
        """
        degradation.expect_measurement(y)
        operator, parts = degradation.operator, 2 if jnp.iscomplexobj(y) else 1
        told = operator.told(y)

        def misfit(x: Image, kernel: Kernel | None) -> Scalar:
            found = degradation if kernel is None else with_kernel(degradation, kernel)
            mean = found(x)
            units = jnp.abs(y - mean) / found.noise.std(mean)
            return jnp.sqrt(jnp.mean(units**2, where=told) / parts)

        def of_run(images: Images, kernel: Kernel | None) -> Array:
            return jax.vmap(lambda x: misfit(x, kernel))(images)

        return jax.vmap(of_run)(self.chains, self.unknowns).ravel()

    def check(self, degradation: Degradation, y: Measurement) -> list[str]:
        """Why these samples should not be trusted, in plain words; an empty list says that nothing is wrong to see.

        It looks at what can be seen without the truth: whether the images are finite, differ, explain the measurement
        and no more, whether runs of several images agree, and whether the method itself reported trouble.
        """
        return [
            *self._trouble_with_images(),
            *self._trouble_with_measurement(degradation, y),
            *self._trouble_with_runs(),
            *self._trouble_with_method(),
        ]

    def _trouble_with_images(self) -> Iterator[str]:
        count, good = len(self.images), int(jnp.sum(self.finite))
        if good < count:
            yield f"{count - good} of {count} images are not finite: the method diverged"
        if count < 10:
            yield f"{count} samples give a rough deviation and no quantiles: draw 20 or more"
        if good == count > 1 and float(jnp.max(self.std)) < 1e-4:
            yield "the images are all the same: this method restores and does not sample"

    def _trouble_with_measurement(self, degradation: Degradation, y: Measurement) -> Iterator[str]:
        try:
            residual = self.residual(degradation, y)[self.finite]
        except TypeError:  # a noise without a deviation
            return
        typical = float(jnp.median(residual)) if residual.size else 1.0
        if math.isnan(typical):
            yield "the residual is not a number: the measurement holds values that are not finite"
        if 1.5 < typical < math.inf:  # without noise there is no unit
            yield (
                f"the images do not explain the measurement: the residual is {typical:.1f} times its noise; is the "
                "degradation the right one, or the noise larger?"
            )
        if typical < 0.5:
            yield f"the images explain the noise of the measurement too: the residual is {typical:.2f} of its noise"

    def _trouble_with_runs(self) -> Iterator[str]:
        runs, length = self.chains.shape[:2]
        if length < 4 or not self.finite.all():
            return
        worst = float(jnp.quantile(self.r_hat, 0.95))
        # 1.05, and what chance makes: of independent draws R̂² is 1 − 2/n + 2F/n, and F(1, n − 2) < 5 at 95 % of pixels
        if worst > math.sqrt(1.05**2 + 10 / length):
            yield (
                f"runs of {length} images disagree: R̂ is {worst:.2f} or more at a twentieth of the pixels, where 1 is "
                "agreement; make them longer, or use more particles"
            )
        worth = float(jnp.median(self.effective_sample_size))
        # a quarter: of one number, chance takes the estimate of independent draws below it once in sixteen times
        if worth < min(10, runs * length / 4):
            yield (
                f"{runs * length} images are worth {worth:.1f} independent ones, for those of a run are related: use "
                "more runs or longer ones"
            )

    def _trouble_with_method(self) -> Iterator[str]:
        left = self.diagnostics.get("residual", 0.0)
        if left > 0.1:
            yield f"the guidance's linear solve left {left:.0%} of its residual: give it more steps"
        lost = self.diagnostics.get("degeneracy", 1.0)
        if lost > 10:
            yield f"particles were worth 1 in {lost:.0f} at the worst step: use more of them"
