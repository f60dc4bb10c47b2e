"""Stored images as the law of clean images: real pictures without a network, whatever the degradation.

The posterior has the same images with other weights, w_k p(y | x_k), so the operator need not be linear nor the noise
Gaussian: their likelihood is all that is asked for.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.degradations import Degradation
from jaxir.denoisers import MixtureDenoiser
from jaxir.denoisers.exact import mixture_given
from jaxir.processes import Process
from jaxir.testbeds.testbed import Testbed, expect_uncoupled
from jaxir.typing import Image, Images, Key, Measurement, Scalar


class StoredLaw(eqx.Module):
    """Image k with probability w_k ∝ e^{l_k}.

    Args:
        log_weights: l_k.
        images: (K, H, W, C).
    """

    log_weights: Float[Array, " k"]
    images: Images

    @property
    def weights(self) -> Float[Array, " k"]:
        """w_k."""
        return jax.nn.softmax(self.log_weights)

    @property
    def mean(self) -> Image:
        """Σ w_k x_k."""
        return jnp.tensordot(self.weights, self.images, 1, precision="highest")

    @property
    def std(self) -> Image:
        """The deviation of each pixel."""
        square = (self.images - self.mean) ** 2
        return jnp.sqrt(jnp.tensordot(self.weights, square, 1, precision="highest"))

    @property
    def covariance(self) -> None:
        """None: the law has no density."""
        return None

    def responsibilities(self, x: Image) -> Float[Array, " k"]:
        """1 for the stored image that is nearest to `x`, 0 for the others."""
        square = jnp.sum((self.images - x) ** 2, axis=(1, 2, 3))
        return jax.nn.one_hot(jnp.argmin(square), len(self.images), dtype=x.dtype)

    def sample(self, key: Key, count: int) -> Images:
        """`count` stored images."""
        return self.images[jax.random.categorical(key, self.log_weights, shape=(count,))]


class StoredImages(Testbed):
    """One of K stored images, degraded in any way that has a likelihood.

    Args:
        images: (K, H, W, C).
        degradation: any, with noise.
        log_weights: of each image, up to a constant; equal by default.

    Raises:
        ValueError: if there is not one weight for each image.
    """

    images: Images
    degradation: Degradation
    log_weights: Float[Array, " k"]

    def __init__(
        self,
        images: Images,
        degradation: Degradation,
        log_weights: Float[Array, " k"] | None = None,
    ):
        self.images, self.degradation = images, degradation
        self.log_weights = jnp.zeros(len(images)) if log_weights is None else log_weights
        if self.log_weights.shape != (len(images),):
            raise ValueError(
                f"log_weights has shape {self.log_weights.shape}, expected one for each of {len(images)} images"
            )

    @property
    def prior(self) -> StoredLaw:
        """The stored images with their weights."""
        return StoredLaw(self.log_weights, self.images)

    def posterior(self, y: Measurement) -> StoredLaw:
        """Each weight times the likelihood of its image."""
        likelihood = jax.vmap(lambda image: self.degradation.log_prob(y, image))(self.images)
        return StoredLaw(self.log_weights + likelihood, self.images)

    def given(self, z: Image, a: Scalar, sigma: Scalar) -> StoredImages:
        """Each weight times N(z; a x_k, σ² I); the nearest image where σ is 0."""
        log_weights, _, _ = mixture_given(self.log_weights, self.images, 0.0, z, a, sigma)
        return StoredImages(self.images, self.degradation, log_weights)

    def denoiser(self, process: Process) -> MixtureDenoiser:
        """E[x0 | x_t], a mixture without variance.

        Raises:
            ValueError: on a process that moves towards y.
        """
        expect_uncoupled(self, process)
        return MixtureDenoiser(process, self.prior.weights, self.images, 0.0)
