"""What every comparison with an original does: its fixture, its drawn weights, and the two tolerances.

Outputs agree to 2e-4 of the largest, derivatives with respect to the image to 1e-3: float32 sums of a few thousand
terms in another order, through a dozen layers, stay an order of magnitude below.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from parity.drawn import drawn

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Case:
    """A configuration of an original, its tensors, and what it made of which input."""

    config: dict
    tensors: dict
    arrays: dict

    def images(self, name):
        """An array of images as jaxir has them, (N, H, W, C)."""
        return jnp.asarray(self.arrays[name]).transpose(0, 2, 3, 1)


def case(name):
    with np.load(FIXTURES / f"{name}.npz") as file:
        arrays = dict(file)
    config = json.loads(str(arrays.pop("config")))
    names = json.loads(str(arrays.pop("names")))
    kept = {key[5:]: arrays.pop(key) for key in [*arrays] if key.startswith("kept/")}
    tensors = {n: kept[n] if n in kept else drawn(n, tuple(shape)) for n, shape in names}
    return Case(config, tensors, arrays)


def expect_parity(function, case, *arguments):
    """`function(x, *arguments)` of each image has the original's output and its derivative along the probe."""

    def value(x, probe, *rest):
        out = function(x, *rest)
        return jnp.vdot(out, probe), out

    x, probe = case.images("x"), case.images("probe")
    gradient, out = jax.jit(jax.vmap(jax.grad(value, has_aux=True)))(x, probe, *arguments)
    for found, name, tolerance in ((out, "out", 2e-4), (gradient, "grad", 1e-3)):
        expected = case.images(name)
        largest = [jnp.max(jnp.abs(of), axis=(1, 2, 3)) for of in (found - expected, expected)]
        difference = jnp.max(largest[0] / largest[1])
        assert difference < tolerance, f"{name} differs by {difference:.2g}, allowed {tolerance}"
