"""The array types of jaxir, all on one screen.

Images are floating point in [-1, 1] with shape (height, width, channels), one image at a time; batches
are made by `jax.vmap` at the door of a sampler or a training step. Times are scalars in [0, 1], 0 is clean.
"""

from jaxtyping import Array, Float, Inexact, PRNGKeyArray, PyTree

Image = Float[Array, "h w c"]
"""One image, float in [-1, 1]."""

Images = Float[Array, "n h w c"]
"""Several images of one size."""

Measurement = Inexact[Array, "..."]
"""What a degradation returns: any shape, real or complex."""

Scalar = Float[Array, ""]
"""A number: a time, a log-SNR, a noise level."""

Times = Float[Array, " n"]
"""A decreasing grid of times."""

Key = PRNGKeyArray
"""A typed JAX random key, `jax.random.key(seed)`."""

Params = PyTree[Array]
"""The weights of a network: a plain pytree of arrays."""

__all__ = ["Image", "Images", "Key", "Measurement", "Params", "Scalar", "Times"]
