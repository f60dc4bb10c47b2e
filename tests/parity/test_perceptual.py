"""The networks of perceptual metrics against the originals' outputs, by the files in which weights are published."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.drawn import drawn

from jaxir.metrics import antialiased_bicubic, plain_bilinear
from jaxir.networks import Inception
from jaxir.pretrained import load_inception, load_lpips
from jaxir.pretrained.names import ConversionError

FIXTURES = Path(__file__).parent / "fixtures"

pytestmark = pytest.mark.usefixtures("quick_compile")


def weight(name, shape):
    """The drawn tensor, as make/perceptual.py has it."""
    value = drawn(name, tuple(shape))
    if name.startswith("lin"):
        return np.abs(value)
    if name.endswith("running_var"):
        return 1 + value
    return np.float32(2**0.5) * value if len(shape) == 4 else value


def fixture(name, folder):
    """The arrays, images as (N, H, W, C), and a file of the weights."""
    arrays = dict(np.load(FIXTURES / f"{name}.npz"))
    names = json.loads(str(arrays.pop("config"))).get("names", {})
    np.savez(folder / "weights.npz", **{name: weight(name, shape) for name, shape in names.items()})
    images = {k: v.transpose(0, 2, 3, 1) for k, v in arrays.items() if v.ndim == 4}
    return arrays | images, folder / "weights.npz"


def expect_equal(ours, theirs, tolerance):
    """Relative to the largest entry of each image."""
    for one, other in zip(ours, theirs, strict=True):
        assert np.abs(one - other).max() < tolerance * np.abs(other).max()


@pytest.mark.parametrize(
    "net", [pytest.param(net, marks=pytest.mark.slow) for net in ("alex", "vgg")] + ["squeeze"]
)
def test_lpips_is_the_original_at_each_layer_and_so_is_its_gradient(net, tmp_path):
    of, path = fixture(f"lpips_{net}", tmp_path)
    lpips = load_lpips(path)

    @jax.jit
    def measured(lpips, x, truth, probe):
        out, back = jax.vjp(lambda x: lpips.layers(x, truth), x)
        return out, back(probe)[0]

    for i in range(len(of["x"])):
        out, grad = measured(lpips, *(jnp.asarray(of[k][i]) for k in ("x", "truth", "probe")))
        assert np.abs(out / of["out"][i] - 1).max() < 2e-4
        expect_equal([grad], [of["grad"][i]], 1e-3)


@pytest.mark.slow
def test_inception_is_the_original_and_so_is_its_gradient(tmp_path):
    of, path = fixture("inception", tmp_path)
    features = load_inception(path, resize=lambda image: image)
    out, back = jax.vjp(jax.jit(lambda x: Inception().apply(features.params, x)), of["x"][0])
    expect_equal([out], of["out"], 2e-4)
    expect_equal([back(of["probe"][0])[0]], of["grad"], 1e-3)
    np.savez(tmp_path / "other", x=np.zeros(2))
    with pytest.raises(
        ConversionError, match=r"other\.npz: .* missing; x: not read by the converter"
    ):
        load_inception(tmp_path / "other.npz")


def test_the_plain_resizer_is_that_of_pytorch_fid(tmp_path):
    of, _ = fixture("inception_resizer", tmp_path)
    np.testing.assert_allclose(
        plain_bilinear(jnp.asarray(of["x"][0]))[::23, ::29], of["out"][0], atol=2e-6
    )


def test_the_antialiased_resizer_is_that_of_pillow_on_floats(tmp_path):
    from PIL import Image

    (image,) = fixture("inception_resizer", tmp_path)[0]["x"]
    channels = [
        np.asarray(Image.fromarray(image[..., c]).resize((299, 299), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    expected = np.clip(np.stack(channels, axis=-1), -1, 1)
    resized = antialiased_bicubic(jnp.asarray(image))
    np.testing.assert_allclose(
        resized, expected, atol=1e-4
    )  # positions up to 330 in float32, Pillow's in double
