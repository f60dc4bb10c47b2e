"""Networks around a trained U-Net: the same at first, trained without a change to it, and seeing y."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import Concatenation, Controlled, FiLM, Hint, Modulated, UNet
from jaxir.processes import VP
from jaxir.training import only

pytestmark = pytest.mark.usefixtures("quick_compile")

BASE = UNet(widths=(4, 6), blocks=(0, 1), embedding=4)
ENCODER = UNet(in_channels=2, widths=(4, 4), blocks=(0, 1), embedding=4)
CONTROLLED, MODULATED = Controlled(BASE, Hint(2, features=4)), Modulated(BASE, ENCODER)
KEY = jax.random.key(0)
X = jax.random.normal(KEY, (5, 8, 3))
Y = jax.random.normal(jax.random.key(1), (5, 8, 2))
CONDITION = jnp.asarray(0.3)


def rough(init):
    """Parameters of which none is zero, as they are after training."""
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(
            0.5 * random.normal(size=leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1])), leaf.dtype
        ),
        jax.eval_shape(init, KEY),
    )


@functools.cache
def trained():
    """Parameters of the base, and its answer."""
    params = rough(BASE.init)
    return params, jax.jit(BASE.apply)(params, X, CONDITION)


@functools.cache
def fifty_steps():
    """Towards a target that y shows: first and last parameters, the first answer, gradient and loss, and the last."""
    optimizer = only(optax.adam(1e-2), "control", "zero")
    target = trained()[1] + jnp.concatenate([Y, Y[..., :1]], axis=-1)

    def loss(params):
        out = CONTROLLED.apply(params, X, CONDITION, Y)
        return jnp.mean((out - target) ** 2), out

    @jax.jit
    def step(params, state):
        (value, out), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, (out, gradient, value)

    first = params = CONTROLLED.around(KEY, trained()[0])
    state, history = optimizer.init(params), []
    for _ in range(50):
        params, state, seen = step(params, state)
        history.append(seen)
    return first, params, *history[0], history[-1][2]


def test_at_first_it_answers_as_the_base_to_the_last_bit():
    _, _, out, *_ = fifty_steps()
    chex.assert_trees_all_equal(out, trained()[1])


def test_fifty_steps_leave_the_base_as_it_was_and_use_y():
    first, params, _, _, before, after = fifty_steps()
    chex.assert_trees_all_equal(params["base"], trained()[0])
    for part in ("control", "zero"):
        pairs = zip(jax.tree.leaves(params[part]), jax.tree.leaves(first[part]), strict=True)
        assert all(jnp.any(a != b) for a, b in pairs)
    assert after < 0.8 * before


def test_the_gradient_reaches_what_is_zero_at_every_level():
    _, _, _, gradient, *_ = fifty_steps()
    for layer in gradient["zero"].values():
        assert jnp.abs(layer["kernel"]).max() > 1e-6
        assert jnp.abs(layer["bias"]).max() > 1e-6


def test_the_copy_begins_as_the_way_down_of_the_base():
    first, *_ = fifty_steps()
    shared = {name: part for name, part in first["control"].items() if name != "conditioning"}
    chex.assert_trees_all_equal(shared, {name: trained()[0][name] for name in shared})
    assert trained()[0].keys() - shared.keys() == {"Conv_2", "Conv_3", "ResidualBlock_1"}


@functools.cache
def modulated():
    """A new modulation of the base by an encoder whose layers are not zero: parameters, answer and gradient."""
    shapes = jax.eval_shape(MODULATED.around, KEY, trained()[0])
    params = {
        "base": trained()[0],
        "encoder": rough(ENCODER.init_descent),
        "modulation": jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes["modulation"]),
    }
    chex.assert_trees_all_equal_shapes(params, shapes)

    def loss(modulation, y):
        out = MODULATED.apply(params | {"modulation": modulation}, X, CONDITION, y)
        return jnp.mean((out - 1) ** 2), out

    run = jax.jit(jax.grad(loss, has_aux=True))
    return params, run, *run(params["modulation"], Y)


def test_a_new_modulation_is_the_identity_and_has_a_gradient_at_every_level():
    _, _, gradient, out = modulated()
    chex.assert_trees_all_close(out, trained()[1], atol=1e-6)  # another program rounds otherwise
    for layer in gradient.values():
        assert jnp.abs(layer["kernel"]).max() > 1e-6


def test_features_are_scaled_by_one_and_gamma_and_shifted_by_beta():
    """γ = 0.5 and β = −0.2 at every place of every level."""
    params, run, *_ = modulated()

    def constant(layer):
        half = len(layer["bias"]) // 2
        return layer | {"bias": jnp.repeat(jnp.array([0.5, -0.2]), half)}

    layers = {name: constant(layer) for name, layer in params["modulation"].items()}

    @jax.jit
    def expected(base):
        descent = BASE.descend(base, X, CONDITION)
        levels = tuple(1.5 * h - 0.2 for h in descent.levels)
        return BASE.ascend(base, descent._replace(levels=levels))[:5]

    chex.assert_trees_all_close(run(layers, Y)[1], expected(params["base"]), atol=1e-5)


def test_a_modulation_that_has_moved_sees_y():
    params, run, gradient, _ = modulated()
    moved = jax.tree.map(lambda p, g: p - 3 * g, params["modulation"], gradient)
    one, other = (run(moved, y)[1] for y in (Y, Y[::-1]))
    assert jnp.abs(one - other).max() > 1e-3


def test_the_encoder_says_other_things_at_other_noise_levels():
    params = modulated()[0]["encoder"]
    encode = jax.jit(jax.vmap(ENCODER.descend, (None, None, 0)))
    for level in encode(params, Y, jnp.array([-1.0, 1.0])).levels[1:]:
        assert jnp.abs(level[0] - level[1]).max() > 1e-5  # rounding is 1e-7


def test_it_is_stored_and_loaded_as_one_network(tmp_path):
    from jaxir.pretrained import load, save_denoiser

    network, params = CONTROLLED, fifty_steps()[1]
    save_denoiser(tmp_path, NetworkDenoiser(VP(), params, network.apply, sees_y=True), network)
    loaded = load(tmp_path)
    chex.assert_trees_all_equal(loaded.params, params)
    assert loaded.apply.__self__ == network


def test_an_optimiser_of_parts_that_are_not_there_is_refused():
    with pytest.raises(
        ValueError, match="no weights are below 'decoder': the parameters have base"
    ):
        only(optax.sgd(1.0), "decoder").init(fifty_steps()[0])


def test_an_optimiser_of_parts_knows_the_norm_of_these_alone():
    params = {"a": {"w": jnp.ones(1)}, "b": {"w": jnp.ones(1)}}
    optimizer = only(optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1.0)), "a")
    gradient = {"a": {"w": jnp.full(1, 3.0)}, "b": {"w": jnp.full(1, 4.0)}}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    chex.assert_trees_all_close(updates, {"a": {"w": -jnp.ones(1)}, "b": {"w": jnp.zeros(1)}})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Controlled(dataclasses.replace(BASE, conditioning=FiLM())), "base sees y already"),
        (
            lambda: Controlled(BASE, Concatenation()).around(KEY, trained()[0]),
            "Concatenation changes a layer of the base",
        ),
        (lambda: Modulated(BASE, dataclasses.replace(ENCODER, patch=4)), r"encoder has \(patch"),
        (
            lambda: MODULATED.apply(modulated()[0], X, CONDITION),
            "y has shape None, expected an image",
        ),
        (
            lambda: CONTROLLED.apply(fifty_steps()[0], X, CONDITION),
            r"y has shape None, expected \(5, 8, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
