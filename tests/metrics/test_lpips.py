"""LPIPS as a value: what holds for any weights, and the files in which weights come."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxir.metrics import LPIPS, measure
from jaxir.networks import VGG16, AlexNet, SqueezeNet
from jaxir.photos import photo
from jaxir.pretrained import WeightsError, load_lpips
from jaxir.pretrained.names import ConversionError

pytestmark = pytest.mark.usefixtures("quick_compile")


def two_layers(params, image):
    """The image and its horizontal differences, scaled."""
    return params * image, params * (image[:, 1:] - image[:, :-1])


@functools.cache
def metric():
    return LPIPS(
        "pair", two_layers, jnp.float32(2), (jnp.array([1.0, 2, 3]), jnp.array([0.5, 0, 1]))
    )


@functools.cache
def pair():
    truth = photo("cat")[:40, :50]
    noise = np.random.default_rng(0).standard_normal(truth.shape)
    return jnp.asarray(truth + 0.1 * noise, jnp.float32), jnp.asarray(truth)


def test_it_is_the_published_formula():
    def directions(image):
        scaled = (image - np.array([-0.03, -0.088, -0.188])) / np.array([0.458, 0.448, 0.45])
        layers = 2 * scaled, 2 * np.diff(scaled, axis=1)
        return [u / (np.linalg.norm(u, axis=-1, keepdims=True) + 1e-10) for u in layers]

    u, v = (directions(np.float64(image)) for image in pair())
    expected = sum(
        np.mean((u[i] - v[i]) ** 2 @ np.array(head))
        for i, head in enumerate([[1, 2, 3], [0.5, 0, 1]])
    )
    assert float(metric()(*pair())) == pytest.approx(expected, rel=1e-5)


def test_equal_images_are_at_distance_0_and_have_a_gradient():
    x = jnp.full((8, 8, 3), 0.3).at[2].set(-0.1)  # rows without differences: activations of 0
    assert metric()(x, x) == 0
    assert jnp.all(jnp.isfinite(jax.grad(metric())(x, -x)))
    assert not jnp.any(jax.grad(metric())(x, x))


def test_weights_are_leaves_and_new_ones_are_not_traced_again():
    traced = 0

    def counting(params, image):
        nonlocal traced
        traced += 1
        return (params * image,)

    first = LPIPS("one", counting, jnp.float32(1), (jnp.ones(3),))
    second = eqx.tree_at(lambda m: m.heads, first, (3 * jnp.ones(3),))
    assert float(second(*pair())) == pytest.approx(3 * float(first(*pair())), rel=1e-6)
    assert traced == 2  # once for each of two images


def test_alone_equals_in_a_batch():
    batch = jax.vmap(metric())(*(jnp.stack([image, image[::-1]]) for image in pair()))
    alone = [metric()(*pair()), metric()(*(image[::-1] for image in pair()))]
    np.testing.assert_allclose(batch, alone, rtol=1e-5)


def test_a_score_names_the_network():
    assert str(measure(metric(), *pair(), crop=4)).startswith("LPIPS-PAIR 0.")
    assert str(measure(metric(), *pair(), crop=4)).endswith("(rgb, range 2, border 4)")


def test_images_that_do_not_fit_are_refused():
    x = jnp.zeros((20, 40, 3))
    with pytest.raises(ValueError, match="truth"):
        metric()(x, x[1:])
    with pytest.raises(ValueError, match="at least 31 pixels a side for AlexNet"):
        AlexNet().apply({}, x)
    with pytest.raises(ValueError, match="repeat a grey channel"):
        VGG16().apply({}, x[..., :1])


def published(trunk, seed=0):
    """Tensors of a classifier's layers and of heads, without meaning, by their published names."""
    generator = np.random.default_rng(seed)
    params = jax.eval_shape(trunk.init, jax.random.key(0))
    numbers = {"conv1": "0"} | {
        f"fire{i}": f"{n}" for i, n in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)
    }
    layers = {}
    for at, leaf in jax.tree_util.tree_leaves_with_path(params):
        *parts, kind = (key.key for key in at)
        name = ".".join([numbers[parts[0]], *parts[1:], {"kernel": "weight"}.get(kind, kind)])
        value = generator.standard_normal(leaf.shape).astype(np.float32)
        layers[name] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
    heads = {
        f"lin{i}.model.1.weight": generator.random((1, width, 1, 1), np.float32)
        for i, width in enumerate(trunk.widths)
    }
    return layers, heads


@pytest.fixture(scope="module")
def squeeze():
    return published(SqueezeNet())


def test_parts_may_lie_in_any_file_and_under_any_of_their_names(squeeze, tmp_path):
    layers, heads = squeeze
    others = {f"lin{i}.model.1.weight": np.ones((1, w, 1, 1)) for i, w in enumerate(VGG16().widths)}
    np.savez(tmp_path / "a.npz", **others)
    np.savez(tmp_path / "b.npz", **heads)
    np.savez(
        tmp_path / "c.npz",
        **{f"features.{k}": v for k, v in layers.items()},
        **{"classifier.1.weight": np.ones((10, 512, 1, 1))},
    )
    apart = load_lpips(tmp_path)
    whole = {f"net.slice1.{k}": v for k, v in layers.items()} | heads
    whole |= {f"lins.{k[3:]}": v for k, v in heads.items()} | {"scaling_layer.shift": np.ones(3)}
    np.savez(tmp_path / "whole", **whole)
    together = load_lpips(tmp_path / "whole.npz", trunk=SqueezeNet())
    assert apart.net == together.net == "squeezenet"
    jax.tree.map(np.testing.assert_array_equal, apart, together)
    np.testing.assert_array_equal(
        apart.params["conv1"]["kernel"][0, 1, 2], layers["0.weight"][:, 2, 0, 1]
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"3.squeeze.bias": None}, "a.npz: 3.squeeze.bias: missing"),
        ({"13.weight": np.ones(2)}, "a.npz: 13.weight: not read by the converter"),
        ({"4.expand3x3.weight": np.ones((64, 16, 5, 3))}, "4.expand3x3.weight has shape"),
        ({"lin6.model.1.weight": None}, "b.npz: lin6.model.1.weight: missing"),
        ({"lin0.model.1.weight": -np.ones((1, 64, 1, 1))}, "negative"),
    ],
)
def test_a_missing_superfluous_or_misshapen_tensor_is_named(squeeze, tmp_path, change, line):
    for file, part in zip("ab", squeeze, strict=True):
        ours = {k: v for k, v in change.items() if k.startswith("lin") == (file == "b")}
        np.savez(tmp_path / file, **{k: v for k, v in (part | ours).items() if v is not None})
    with pytest.raises(ConversionError) as raised:
        load_lpips(tmp_path, trunk=SqueezeNet())
    assert line in str(raised.value)


def test_files_that_hold_no_network_or_two_are_told(squeeze, tmp_path):
    with pytest.raises(WeightsError, match="found nothing, but LPIPS takes"):
        load_lpips(tmp_path)
    np.savez(tmp_path / "heads", **squeeze[1])
    with pytest.raises(WeightsError, match="found the heads of squeezenet, but"):
        load_lpips(tmp_path)
    with pytest.raises(WeightsError, match="layers and the heads of alexnet"):
        load_lpips(tmp_path, trunk=AlexNet())


@pytest.mark.parametrize(
    ("other", "expected"), [("mirrored", 0.219677672), ("coffee", 0.495411754)]
)
def test_with_published_weights_it_is_the_original(data, other, expected):
    """By richzhang/PerceptualSimilarity at 082bb24f with these weights, torch 2.13.0."""
    lpips = load_lpips(data / "weights")
    cat = photo("cat")
    found = lpips(cat[:, ::-1] if other == "mirrored" else photo(other), cat)
    assert float(found) == pytest.approx(expected, rel=1e-5)
