"""Restored images brought to the look of clean ones: the optimal transport between the laws of their patches.

What minimises the squared error is too smooth. Of all maps that give its patches the mean and the covariance of clean
ones, this one moves them least, where patches are Gaussian, so that the least PSNR is paid for it; and it is linear, so
a few images, which need not be pairs, are enough to find it. It acts on any (h, w, c): on pixels, or on latents as
`codec.decode(transport(codec.encode(x)))`, where patches are nearer to Gaussian.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import expect
from jaxir.typing import Image, Images, Scalar


class Transport(eqx.Module):
    """x' = m_t + ((1 − α) T + α I)(x − m_s) of every patch of p × p, and the mean where patches overlap.

    Made by `transport`.

    Attributes:
        source: m_s, the mean patch of restored images.
        target: m_t, that of clean ones.
        matrix: T.
        patch: p.
    """

    source: Float[Array, " d"]
    target: Float[Array, " d"]
    matrix: Float[Array, "d d"]
    patch: int = eqx.field(static=True)

    def __call__(self, x: Image, *, alpha: float | Scalar = 0.0) -> Image:
        """x transported.

        Args:
            x: a restored image or its latent, sides of at least p.
            alpha: α in [0, 1]: 0 for all of the transport, the look of clean images; 1 for none but the shift of means.

        Raises:
            ValueError: if `x` is smaller than a patch or has other channels than the images of the statistics.
        """
        expect.share("alpha", alpha)
        found = patches(x, self.patch)
        if found.shape[-1] != len(self.source):
            raise ValueError(
                f"x has {x.shape[-1]} channels but the transport is of {len(self.source) // self.patch**2}: "
                "find it from images of the same kind"
            )
        with jax.default_matmul_precision("highest"):
            moved = (found - self.source) @ self.matrix.T
        moved = self.target + (1 - alpha) * moved + alpha * (found - self.source)
        return averaged(moved.astype(x.dtype), self.patch, x)


def transport(
    restored: Images, clean: Images, *, patch: int = 3, ridge: float | Scalar = 1e-4
) -> Transport:
    """The transport from the patches of some restored images, or their latents, to those of some clean ones.

    Args:
        restored: what a method made of degraded images.
        clean: other images than theirs will do, and of another number or size.
        patch: p, side of a patch.
        ridge: times the mean variance, added to the diagonal of the restored ones' covariance, > 0: directions that a
            method has flattened are not blown up without bound.

    Source: [adrai2023dot].
    Differs from the paper: patches do not reach over the border, where fewer overlap.
    """
    expect.positive("ridge", ridge)
    (source, shape), (target, aim) = _statistics(restored, patch), _statistics(clean, patch)
    shape += ridge * jnp.trace(shape) / len(shape) * jnp.eye(len(shape), dtype=shape.dtype)
    return Transport(source, target, gaussian_transport(shape, aim), patch)


def gaussian_transport(
    source: Float[Array, "d d"], target: Float[Array, "d d"]
) -> Float[Array, "d d"]:
    """T = S^(−½) (S^½ S_t S^½)^½ S^(−½), the symmetric positive matrix with T S T = S_t.

    Args:
        source: S, symmetric and positive.
        target: S_t, symmetric and not negative.

    Source: [adrai2023dot]; [olkin1982distance].
    """
    with jax.default_matmul_precision("highest"):
        root, inverse = _power(source, 0.5), _power(source, -0.5)
        return inverse @ _power(root @ target @ root, 0.5) @ inverse


def patches(x: Image, side: int) -> Float[Array, "h w d"]:
    """All patches within an image, flattened, by where they begin.

    Raises:
        ValueError: if the image is smaller than a patch.
    """
    height, width = x.shape[0] - side + 1, x.shape[1] - side + 1
    if side < 1 or min(height, width) < 1:
        raise ValueError(
            f"patch is {side} but the image has shape {x.shape}: expected 1 to {min(x.shape[:2])}"
        )
    shifted = [x[i : i + height, j : j + width] for i in range(side) for j in range(side)]
    return jnp.concatenate(shifted, axis=-1)


def averaged(found: Float[Array, "h w d"], side: int, like: Image) -> Image:
    """The image whose patches are nearest to these: at each pixel the mean of what they say.

    Args:
        found: a patch for each place where `patches` of such an image has one.
        side: of the patches.
        like: an image of the shape and dtype of the answer.
    """
    put = jax.linear_transpose(lambda x: patches(x, side), like)
    (total,), (count,) = put(found), put(jnp.ones_like(found))
    return total / count


def _statistics(images: Images, side: int) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
    """Mean and covariance of the patches of all images."""
    found = jax.vmap(lambda x: patches(x, side))(images)
    found = found.reshape(-1, found.shape[-1])
    mean = jnp.mean(found, axis=0)
    with jax.default_matmul_precision("highest"):
        return mean, (found - mean).T @ (found - mean) / (len(found) - 1)


def _power(matrix: Float[Array, "d d"], exponent: float) -> Float[Array, "d d"]:
    """Of a symmetric matrix that is not negative but for rounding, whose negative eigenvalues count as 0."""
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.clip(values, 0) ** exponent) @ vectors.T
