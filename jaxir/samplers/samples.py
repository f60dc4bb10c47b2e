"""What sampling returns: images, what they say together, and whether to believe it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxir.degradations import Degradation
from jaxir.typing import Image, Images, Measurement, Scalar


class Samples(eqx.Module):
    """Draws from a law of images, independent of each other unless they are particles of one run.

    Attributes:
        images: (n, H, W, C).
        diagnostics: numbers about the run: `seconds`, `evaluations` of the denoiser for each image (discrete
            samplers) or `solver_steps` (continuous ones), and the largest value on the way of whatever a
            guidance reports (MMPS: `residual` of its solve).
    """

    images: Images
    diagnostics: dict[str, float]

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

    def residual(self, degradation: Degradation, y: Measurement) -> Float[Array, " n"]:
        """The root mean square of (y − A x)/σ_y for each image, over the values that say something about it.

        σ_y is the noise's deviation at A x; a complex value counts as two. A draw of the posterior has about 1: less
        than ½ explains the noise as well, more than 1½ does not explain y.

        Raises:
            TypeError: if the noise has no deviation to measure with.
        """
        degradation.expect_measurement(y)
        operator, parts = degradation.operator, 2 if jnp.iscomplexobj(y) else 1
        seen = operator.clean(jnp.ones_like(y)) != 0

        def misfit(x: Image) -> Scalar:
            mean = degradation(x)
            units = jnp.abs(y - mean) / degradation.noise.std(mean)
            return jnp.sqrt(jnp.mean(units**2, where=seen) / parts)

        return jax.vmap(misfit)(self.images)

    def check(self, degradation: Degradation, y: Measurement) -> list[str]:
        """Why these samples should not be trusted, in plain words; an empty list says that nothing is wrong to see.

        It looks at what can be seen without the truth: whether the images are finite, explain the measurement and no
        more, differ, and whether the method itself reported trouble.
        """
        found, count = [], len(self.images)
        finite = np.asarray(self.finite)
        if not finite.all():
            found.append(
                f"{count - finite.sum()} of {count} images are not finite: the method diverged"
            )
        if count < 10:
            found.append(
                f"{count} samples give a rough deviation and no quantiles: draw 20 or more"
            )
        try:
            residual = np.asarray(self.residual(degradation, y))[finite]
        except TypeError:  # a noise without a deviation
            residual = np.empty(0)
        if residual.size and np.isfinite(residual).all():  # without noise there is no unit
            typical = float(np.median(residual))
            if typical > 1.5:
                found.append(
                    f"the images do not explain the measurement: the residual is {typical:.1f} times its noise; is the "
                    "degradation the right one, or the noise larger?"
                )
            if typical < 0.5:
                found.append(
                    f"the images explain the noise of the measurement too: the residual is {typical:.2f} of its noise"
                )
        if count > 1 and finite.all() and float(jnp.max(self.std)) < 1e-4:
            found.append("the images are all the same: this method restores and does not sample")
        left = self.diagnostics.get("residual", 0.0)
        if left > 0.1:
            found.append(
                f"the guidance's linear solve left {left:.0%} of its residual: give it more steps"
            )
        lost = self.diagnostics.get("degeneracy", 1.0)
        if lost > 10:
            found.append(
                f"particles were worth 1 in {lost:.0f} at the worst step: use more of them"
            )
        return found
