"""The autoencoders of latent diffusion as diffusers stores them: `AutoencoderKL`, `VQModel` and `AutoencoderTiny`.

A configuration becomes a network and the numbers that bring its latents to unit deviation. What the networks here do
not have is refused by name, and so is a setting that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jaxir.codecs import NetworkCodec
from jaxir.networks import KLAutoencoder, LatentNetwork, TinyAutoencoder, VQAutoencoder
from jaxir.networks.pyramid_autoencoder import PyramidAutoencoder
from jaxir.pretrained.families.family import Config, Tensors, shapes
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.pretrained.families.unet2d import renamed
from jaxir.pretrained.names import Name, collect, conv, dense, norm, tensor
from jaxir.typing import Params

_PLAIN = "DownEncoderBlock2D", "UpDecoderBlock2D"
_ATTENTIVE = "AttnDownEncoderBlock2D", "AttnUpDecoderBlock2D"
_WITHOUT_EFFECT = {
    "sample_size",
    "force_upcast",
    "latent_magnitude",
    "latent_shift",
    "block_out_channels",
}
"""What does not enter E and D: a size to expect, a dtype, and how latents are stored in 8 bits."""


class ConvertedAutoencoder(NamedTuple):
    """What a codec needs beside the size of its images.

    Attributes:
        network: the autoencoder.
        params: its weights.
        scale: what latents are multiplied by, one over their deviation.
        shift: what is subtracted from them before.
    """

    network: LatentNetwork
    params: Params
    scale: float
    shift: float

    def codec(self, shape: tuple[int, int, int]) -> NetworkCodec:
        """For images of this shape."""
        return NetworkCodec(self.network, self.params, shape, self.scale, self.shift)


def convert_autoencoder(config: Config, tensors: Tensors) -> ConvertedAutoencoder:
    """An autoencoder of diffusers.

    Args:
        config: of `config.json`; its `_class_name` is AutoencoderKL, VQModel or AutoencoderTiny.
        tensors: by name.

    Raises:
        ConversionError: if the tensors do not fit the configuration.
        ValueError: if it is of another class, or has a setting that the networks here do not have.
    """
    name = config.get("_class_name")
    if name not in _CLASSES:
        raise ValueError(f"_class_name is {name!r}, expected one of {', '.join(_CLASSES)}")
    make, names = _CLASSES[name]
    settings = {k: v for k, v in config.items() if k[0] != "_" and k not in _WITHOUT_EFFECT}
    if name != "AutoencoderTiny":
        settings["block_out_channels"] = config.get("block_out_channels", [64])
    scale = settings.pop("scaling_factor", 1.0 if name == "AutoencoderTiny" else 0.18215)
    shift = settings.pop("shift_factor", None) or 0.0
    network = make(settings)
    if settings:
        raise ValueError(
            f"{', '.join(sorted(settings))} of {name} is not known: the networks here do not have it"
        )
    params = collect(names(network), renamed(tensors), shapes(network))
    return ConvertedAutoencoder(network, params, scale, shift)


def _expect(settings: dict[str, Any], **known: tuple) -> None:
    """Take settings of which only some values are known, the first of them the default."""
    refuse_all_but(settings, **known)
    for name in known:
        settings.pop(name, None)


def _pyramids(settings: dict[str, Any]) -> dict[str, Any]:
    """The fields of `PyramidAutoencoder`, taken from the settings."""
    _expect(settings, act_fn=("silu", "swish"), norm_type=("group",))
    channels = settings.pop("in_channels", 3)
    _expect(settings, out_channels=(channels,))
    down = settings.pop("down_block_types", [_PLAIN[0]])
    up = settings.pop("up_block_types", [_PLAIN[1]])
    known = dict([_PLAIN, _ATTENTIVE])
    if [known.get(name) for name in down] != list(reversed(up)):
        raise ValueError(
            f"down_block_types is {down} and up_block_types {up}: the networks here have {' and '.join(known)}, and "
            "the same levels on both ways"
        )
    return {
        "channels": channels,
        "widths": tuple(settings.pop("block_out_channels")),
        "blocks": settings.pop("layers_per_block", 1),
        "attention": tuple(i for i, name in enumerate(down) if name == _ATTENTIVE[0]),
        "middle_attention": settings.pop("mid_block_add_attention", True),
        "groups": settings.pop("norm_num_groups", 32),
    }


def _kl(settings: dict[str, Any]) -> KLAutoencoder:
    _expect(settings, latents_mean=(None,), latents_std=(None,))
    return KLAutoencoder(
        **_pyramids(settings),
        latent=settings.pop("latent_channels", 4),
        quant=settings.pop("use_quant_conv", True),
        post_quant=settings.pop("use_post_quant_conv", True),
    )


def _vq(settings: dict[str, Any]) -> VQAutoencoder:
    _expect(
        settings, lookup_from_codebook=(False, True)
    )  # of what is asked for codes, which is not D
    inner, latent = settings.pop("latent_channels", 3), settings.pop("vq_embed_dim", None)
    return VQAutoencoder(
        **_pyramids(settings),
        latent=inner if latent is None else latent,
        inner=inner,
        codes=settings.pop("num_vq_embeddings", 256),
    )


def _tiny(settings: dict[str, Any]) -> TinyAutoencoder:
    _expect(settings, act_fn=("relu",), upsample_fn=("nearest",), upsampling_scaling_factor=(2,))
    channels = settings.pop("in_channels", 3)
    _expect(settings, out_channels=(channels,))
    default = (64, 64, 64, 64)
    widths = [settings.pop(f"{half}coder_block_out_channels", default) for half in ("en", "de")]
    if len({width for half in widths for width in half}) != 1:
        raise ValueError(
            f"encoder_block_out_channels and decoder_block_out_channels are {widths}: the networks here have one width"
        )
    return TinyAutoencoder(
        channels=channels,
        latent=settings.pop("latent_channels", 4),
        width=widths[0][0],
        encoder=tuple(settings.pop("num_encoder_blocks", (1, 3, 3, 3))),
        decoder=tuple(settings.pop("num_decoder_blocks", (3, 3, 3, 1))),
    )


def _kl_names(network: KLAutoencoder) -> Iterator[Name]:
    yield from _pyramid_names(network)
    if network.quant:
        yield from dense("encoder/quant", "quant_conv")
    if network.post_quant:
        yield from dense("decoder/post_quant", "post_quant_conv")


def _vq_names(network: VQAutoencoder) -> Iterator[Name]:
    yield from _pyramid_names(network)
    yield from dense("encoder/quant", "quant_conv")
    yield from dense("decoder/post_quant", "post_quant_conv")
    yield from tensor("codebook", "quantize.embedding.weight")


def _pyramid_names(network: PyramidAutoencoder) -> Iterator[Name]:
    """Levels of the decoder are counted from the coarsest, ours from the finest."""
    widths, last = network.widths, len(network.widths) - 1
    for half in ("encoder", "decoder"):
        yield from conv(f"{half}/conv_in", f"{half}.conv_in")
        yield from _block(f"{half}/middle/block_0", f"{half}.mid_block.resnets.0")
        yield from _block(f"{half}/middle/block_1", f"{half}.mid_block.resnets.1")
        if network.middle_attention:
            yield from _attention(f"{half}/middle/attention", f"{half}.mid_block.attentions.0")
        for level, width in enumerate(widths):
            down = half == "encoder"
            before = widths[max(level - 1, 0)] if down else widths[min(level + 1, last)]
            theirs = f"encoder.down_blocks.{level}" if down else f"decoder.up_blocks.{last - level}"
            ours = f"{half}/level_{level}"
            for i in range(network.blocks if down else network.blocks + 1):
                skip = i == 0 and before != width
                yield from _block(f"{ours}/block_{i}", f"{theirs}.resnets.{i}", skip=skip)
                if level in network.attention:
                    yield from _attention(f"{ours}/attention_{i}", f"{theirs}.attentions.{i}")
            if down and level < last:
                yield from conv(f"encoder/down_{level}/conv", f"{theirs}.downsamplers.0.conv")
            if not down and level:
                yield from conv(f"decoder/up_{level}", f"{theirs}.upsamplers.0.conv")
        yield from norm(f"{half}/norm_out", f"{half}.conv_norm_out")
        yield from conv(f"{half}/conv_out", f"{half}.conv_out")


def _block(ours: str, theirs: str, *, skip: bool = False) -> Iterator[Name]:
    for i in (0, 1):
        yield from norm(f"{ours}/norm_{i}", f"{theirs}.norm{i + 1}")
        yield from conv(f"{ours}/conv_{i}", f"{theirs}.conv{i + 1}")
    if skip:
        yield from dense(f"{ours}/skip", f"{theirs}.conv_shortcut")


def _attention(ours: str, theirs: str) -> Iterator[Name]:
    yield from norm(f"{ours}/norm", f"{theirs}.group_norm")
    for part in ("query", "key", "value"):
        yield from dense(f"{ours}/{part}", f"{theirs}.to_{part[0]}")
    yield from dense(f"{ours}/out", f"{theirs}.to_out.0")


def _tiny_names(network: TinyAutoencoder) -> Iterator[Name]:
    """The layers of each half are numbered through, ReLUs and enlargements too."""
    place = 0

    def blocks(half: str, level: int, count: int) -> Iterator[Name]:
        nonlocal place
        for block in range(count):
            ours = f"{half}/level_{level}_block_{block}"
            for i in range(3):
                yield from conv(f"{ours}/conv_{i}", f"{half}.layers.{place}.conv.{2 * i}")
            place += 1

    for level, count in enumerate(network.encoder):
        ours = f"encoder/down_{level}" if level else "encoder/conv_in"
        yield from conv(ours, f"encoder.layers.{place}", bias=not level)
        place += 1
        yield from blocks("encoder", level, count)
    yield from conv("encoder/conv_out", f"encoder.layers.{place}")
    yield from conv("decoder/conv_in", "decoder.layers.0")
    place = 2
    for level, count in enumerate(network.decoder):
        yield from blocks("decoder", level, count)
        if level < len(network.decoder) - 1:
            yield from conv(f"decoder/up_{level}", f"decoder.layers.{place + 1}", bias=False)
            place += 2
    yield from conv("decoder/conv_out", f"decoder.layers.{place}")


_CLASSES: dict[str, tuple[Callable[[dict[str, Any]], Any], Callable[[Any], Iterator[Name]]]] = {
    "AutoencoderKL": (_kl, _kl_names),
    "VQModel": (_vq, _vq_names),
    "AutoencoderTiny": (_tiny, _tiny_names),
}
