"""The convolutional layers of three classifiers, and the places where perceptual metrics listen.

A trunk maps one image to the activations at its taps, which are compared and never classified: the dense layers of
the originals are not here. A stage ends where the image is pooled next, or with each layer once it is not pooled any
more, and its last activations are a tap; so taps come from the finest to the coarsest.

Everything runs at the highest precision: a metric is the same number on every device.
"""

from __future__ import annotations

import abc
import dataclasses
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir.typing import Image, Key, Params

Taps = tuple[Float[Array, "h w c"], ...]

_Conv = partial(nn.Conv, precision="highest")


@dataclasses.dataclass(frozen=True)
class Trunk(abc.ABC):
    """Layers with weights from one image to activations of several sizes: taps = apply(params, image)."""

    @property
    @abc.abstractmethod
    def widths(self) -> tuple[int, ...]:
        """Channels at each tap."""

    @property
    @abc.abstractmethod
    def smallest(self) -> int:
        """Pixels along the shortest side of which something is left at the last tap."""

    @abc.abstractmethod
    def module(self) -> nn.Module:
        """What maps the image to the taps."""

    def init(self, key: Key) -> Params:
        """New parameters, float32."""
        image = jnp.zeros((self.smallest, self.smallest, 3))
        return jax.jit(self.module().init)(key, image)["params"]

    def apply(self, params: Params, image: Image) -> Taps:
        """The activations of one image.

        Args:
            params: what `init` returned, or weights of the original.
            image: with three channels, in the units that the weights were trained in.

        Raises:
            ValueError: if it has another number of channels or is too small.
        """
        if image.ndim != 3 or image.shape[-1] != 3 or min(image.shape[:2]) < self.smallest:
            raise ValueError(
                f"image has shape {image.shape}, expected (height, width, 3) of at least {self.smallest} pixels a "
                f"side for {type(self).__name__}: repeat a grey channel, and crop less"
            )
        return self.module().apply({"params": params}, image)  # type: ignore[return-value]


class AlexNet(Trunk):
    """Five convolutions, the first of 11 × 11 at every fourth pixel; a tap after each.

    Source: [krizhevsky2014trick], whose one column of layers this is.
    """

    widths = (64, 192, 384, 256, 256)
    smallest = 31

    def module(self) -> nn.Module:
        """What maps the image to the taps."""
        return _AlexNet()


class VGG16(Trunk):
    """Thirteen convolutions of 3 × 3 in five stages; a tap after each stage.

    Source: [simonyan2015vgg] Table 1, column D.
    """

    widths = (64, 128, 256, 512, 512)
    smallest = 16

    def module(self) -> nn.Module:
        """What maps the image to the taps."""
        return _VGG16()


class SqueezeNet(Trunk):
    """A convolution and eight fire modules: SqueezeNet 1.1, which pools earlier than the network of the paper.

    Source: [iandola2016squeezenet]; version 1.1 is its authors' later release.
    """

    widths = (64, 128, 256, 384, 384, 512, 512)
    smallest = 17

    def module(self) -> nn.Module:
        """What maps the image to the taps."""
        return _SqueezeNet()


class _AlexNet(nn.Module):
    @nn.compact
    def __call__(self, image: Image) -> Taps:
        one = nn.relu(_Conv(64, (11, 11), 4, 2, name="conv1")(image))
        two = nn.relu(_Conv(192, (5, 5), name="conv2")(_pool(one)))
        three = nn.relu(_Conv(384, (3, 3), name="conv3")(_pool(two)))
        four = nn.relu(_Conv(256, (3, 3), name="conv4")(three))
        five = nn.relu(_Conv(256, (3, 3), name="conv5")(four))
        return one, two, three, four, five


class _VGG16(nn.Module):
    @nn.compact
    def __call__(self, image: Image) -> Taps:
        x: Array = image
        taps: list[Array] = []
        for stage, (layers, width) in enumerate(
            zip((2, 2, 3, 3, 3), VGG16.widths, strict=True), start=1
        ):
            if taps:
                x = nn.max_pool(x, (2, 2), (2, 2))
            for layer in range(1, layers + 1):
                x = nn.relu(_Conv(width, (3, 3), name=f"conv{stage}_{layer}")(x))
            taps.append(x)
        return tuple(taps)


class _SqueezeNet(nn.Module):
    @nn.compact
    def __call__(self, image: Image) -> Taps:
        x = nn.relu(_Conv(64, (3, 3), 2, "VALID", name="conv1")(image))
        taps = [x]
        for number, width in enumerate((128, 128, 256, 256, 384, 384, 512, 512), start=2):
            if number in (2, 4, 6):
                x = _pool(x, ceil=True)
            x = _Fire(width, name=f"fire{number}")(x)
            if number not in (2, 4):
                taps.append(x)
        return tuple(taps)


class _Fire(nn.Module):
    """An eighth of the width by a 1 × 1 convolution, from which half of the output is a 1 × 1 and half a 3 × 3 one."""

    width: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(_Conv(self.width // 8, (1, 1), name="squeeze")(x))
        small = _Conv(self.width // 2, (1, 1), name="expand1x1")(x)
        large = _Conv(self.width // 2, (3, 3), name="expand3x3")(x)
        return nn.relu(jnp.concatenate([small, large], axis=-1))


def _pool(x: Array, *, ceil: bool = False) -> Array:
    """The largest of 3 × 3 at every second pixel; `ceil` keeps the windows that reach over the end."""
    over = [(0, (n - 3) % 2 if ceil else 0) for n in x.shape[:2]]
    return nn.max_pool(x, (3, 3), (2, 2), over)
