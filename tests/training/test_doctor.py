"""The training doctor names what was made wrong on purpose, and nothing else."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
import pytest
from tiny_training import tiny

from jaxir.denoisers import Preconditioned
from jaxir.training import diagnose

pytestmark = pytest.mark.usefixtures("quick_compile")


def scaled(deviation):
    """An experiment that takes its images to have this deviation; that of smooth waves is 0.4."""
    return tiny(data_std=deviation, prediction=Preconditioned(deviation))


def frozen(steps):
    """Adam on all but the first array of the weights."""

    def first(tree):
        leaves, structure = jax.tree.flatten(tree)
        return structure.unflatten([number == 0 for number in range(len(leaves))])

    return optax.chain(optax.adam(1e-2), optax.masked(optax.set_to_zero(), first))


CASES = {
    "healthy": (scaled(0.4), []),
    "range": (scaled(0.4), ["range of x0"]),
    "deviation": (scaled(4.0), ["data_std"]),
    "rate": (scaled(0.4), ["one batch by heart"]),
    "dead": (scaled(0.4), ["dead layers"]),
}
CHANGES = {
    "range": {"pairing": lambda key, crop: ((crop + 1) / 2, None)},
    "rate": {"optimizer": lambda steps: optax.adam(1e-6)},
    "dead": {"optimizer": frozen},
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "healthy")) for name in CASES]
)
def test_it_finds_what_is_wrong_and_nothing_else(name):
    experiment, expected = CASES[name]
    experiment = dataclasses.replace(experiment, **CHANGES.get(name, {}))
    assert [f.check for f in diagnose(experiment, steps=60) if f.advice] == expected


@pytest.mark.slow
def test_pairs_that_are_not_degraded_and_numbers_that_are_not_finite_are_named():
    same = dataclasses.replace(scaled(0.4), pairing=lambda key, crop: (crop, crop))
    assert "pairs" in [f.check for f in diagnose(same, steps=1) if f.advice]
    broken = dataclasses.replace(scaled(0.4), pairing=lambda key, crop: (jnp.log(crop), None))
    found = {f.check: f.found for f in diagnose(broken, steps=3) if f.advice}
    assert found["range of x0"] == "not finite"
    assert found["one batch by heart"] == "3 steps were not finite"
