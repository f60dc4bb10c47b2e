"""A 3×3 convolution whose derivatives stay fast inside loops.

XLA on the CPU brings convolutions into the one layout its fast kernels take, but only outside of loops. The derivative
that JAX writes for `lax.conv_general_dilated` reads the kernel transposed, which is another layout; in the body of a
`lax.scan` it falls back to plain loops, several times slower (benchmarks/convolution.py prints how much). Guidance is a
gradient in a loop, so here the convolution is its own bilinear primitive, and its derivative with respect to the image
is the same convolution with the kernel flipped and transposed in memory. Elsewhere the result is what `lax` gives.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float


def convolve(x: Float[Array, "h w c"], kernel: Float[Array, "k k c d"]) -> Float[Array, "h w d"]:
    """y[i] = Σ_j kernel[j] x[i + j − k//2] with zeros outside the image; k is odd."""
    return _convolution.bind(x[None], kernel)[0]


class Conv(nn.Module):
    """`convolve` with parameters: a kernel, and a bias unless `use_bias` is off.

    Args:
        features: channels of the output.
        size: side of the kernel, odd.
        use_bias: whether a bias is added.
        zero: start from a kernel of zeros.
        dtype: dtype of the computation; parameters are float32.
    """

    features: int
    size: int = 3
    use_bias: bool = True
    zero: bool = False
    dtype: jnp.dtype = jnp.dtype("float32")

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map (H, W, C) to (H, W, features)."""
        init = nn.initializers.zeros if self.zero else nn.initializers.lecun_normal()
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", init, shape)
        y = convolve(x.astype(self.dtype), kernel.astype(self.dtype))
        if self.use_bias:
            y += self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return y


def _direct(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _shape(x: jax.core.ShapedArray, kernel: jax.core.ShapedArray) -> jax.core.ShapedArray:
    shape = jax.eval_shape(
        _direct, *(jax.ShapeDtypeStruct(arg.shape, arg.dtype) for arg in (x, kernel))
    )
    return jax.core.ShapedArray(shape.shape, shape.dtype)


def _transpose_image(cotangent: Array, x: ad.UndefinedPrimal, kernel: Array) -> Array:
    return _convolution.bind(cotangent, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))


def _transpose_kernel(cotangent: Array, x: Array, kernel: ad.UndefinedPrimal) -> Array:
    return jax.linear_transpose(lambda kernel: _direct(x, kernel), kernel.aval)(cotangent)[0]


def _batch(arguments: tuple[Array, Array], axes: tuple) -> tuple[Array, int]:
    (x, kernel), (x_axis, kernel_axis) = arguments, axes
    if kernel_axis is not None:
        return jax.vmap(_direct, (x_axis, kernel_axis))(x, kernel), 0
    x = jnp.moveaxis(x, x_axis, 0)
    y = _convolution.bind(x.reshape(-1, *x.shape[2:]), kernel)
    return y.reshape(*x.shape[:2], *y.shape[1:]), 0


_convolution = Primitive("convolution")
_convolution.def_impl(jax.jit(_direct))
_convolution.def_abstract_eval(_shape)
mlir.register_lowering(_convolution, mlir.lower_fun(_direct, multiple_results=False))
ad.defbilinear(_convolution, _transpose_image, _transpose_kernel)
batching.primitive_batchers[_convolution] = _batch
