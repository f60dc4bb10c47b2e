"""The pinned end of a bridge, wherever its time is and whatever the step from it."""

import chex
import jax.numpy as jnp
import pytest
from affine import MEAN, PINNED, SHAPE, Y

from jaxir.denoisers import Estimate
from jaxir.processes import IRSDE, VP, Flow, Wiener, pin
from jaxir.transitions import DDIM, Ancestral, Bridge, Renoise

pytestmark = pytest.mark.usefixtures("x64")

ELSEWHERE = {
    "VP to 0.7": pin(VP(span=(1e-4, 0.7))),
    "Wiener to 2.5": pin(Wiener(span=(1e-4, 2.5))),
    "IRSDE to 0.4": pin(IRSDE(span=(1e-3, 0.4))),
    "Flow to 0.999": pin(Flow()),
}
"""Bridges whose time does not end at 1."""
BRIDGES = {**PINNED, **ELSEWHERE}
each_bridge = pytest.mark.parametrize("bridge", BRIDGES.values(), ids=BRIDGES)


@each_bridge
def test_a_pinned_end_is_the_degraded_image_exactly(bridge):
    """(a, b, σ) = (0, 1, 0) at the end of the base's span, at T = 1 as elsewhere."""
    found = bridge.coefficients(jnp.asarray(bridge.base.span[1]))
    chex.assert_trees_all_close(tuple(found), (0.0, 1.0, 0.0), atol=1e-12)


@each_bridge
@pytest.mark.parametrize(
    "transition", [DDIM(0.0), DDIM(0.5), Ancestral(), Renoise(0.3), Bridge()], ids=repr
)
def test_the_first_step_of_a_bridge_starts_from_the_degraded_image(bridge, transition):
    """From x_T = y, where there is no old noise to keep, the law of x_s given the true x0 is the marginal."""
    low, high = bridge.base.span
    x0, y = jnp.asarray(MEAN).reshape(SHAPE), jnp.asarray(Y)
    for share in (0.95, 0.3):
        s = jnp.asarray(low + share * (high - low))
        law, _ = transition.advance(bridge, None, y, Estimate(x0), jnp.asarray(high), s, y)
        expected = bridge.marginal(x0, s, y)
        chex.assert_trees_all_close(
            (law.mean, law.scale), (expected.mean, expected.scale), rtol=1e-9, atol=1e-12
        )
