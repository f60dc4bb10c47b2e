"""One image at a time: alone equals in-a-batch, and a new value of a hyper-parameter is not a new program."""

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxir.degradations import Degradation, GaussianNoise, random_mask
from jaxir.denoisers import Denoiser, NetworkDenoiser
from jaxir.guidance import DDNM, DPS, MMPS, DiffPIR, PiGDM, PublishedDPS
from jaxir.networks import UNet
from jaxir.processes import VP, Process
from jaxir.samplers import Discrete, ProbabilityFlow, ReverseSDE, sample
from jaxir.transitions import DDIM, Ancestral, Renoise

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE = (16, 16, 3)
NETWORK = UNet(widths=(8, 16), blocks=(1, 1), embedding=16)


def network():
    """A denoiser whose weights are drawn, and of which none is zero."""
    leaves, tree = jax.tree.flatten(NETWORK.init(jax.random.key(1)))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    rough = [
        p + 0.03 * jax.random.normal(k, p.shape, p.dtype) for p, k in zip(leaves, keys, strict=True)
    ]
    return NetworkDenoiser(VP(), tree.unflatten(rough), NETWORK.apply)


def degradation(sigma=0.1):
    return Degradation(random_mask(jax.random.key(3), SHAPE, missing=0.5), GaussianNoise(sigma))


def measurement():
    return degradation().sample(
        jax.random.key(4), jnp.tanh(jax.random.normal(jax.random.key(5), SHAPE))
    )


WAYS = {
    "DDIM": lambda d: (d, Discrete(DDIM(0.5))),
    "Ancestral": lambda d: (d, Discrete(Ancestral(1.0))),
    "Renoise": lambda d: (d, Discrete(Renoise(0.3))),
    "ODE": lambda d: (d, ProbabilityFlow()),
    "adaptive ODE": lambda d: (d, ProbabilityFlow(tolerance=1e-4)),
    "SDE": lambda d: (d, ReverseSDE()),
    "DPS": lambda d: (DPS(d, degradation(), 0.01), Discrete(DDIM(1.0))),
    "published DPS": lambda d: (d, Discrete(PublishedDPS(Ancestral(), degradation(), 0.3))),
    "PiGDM": lambda d: (PiGDM(d, degradation()), Discrete()),
    "DDNM": lambda d: (DDNM(d, degradation()), Discrete(Renoise(0.7))),
    "DiffPIR": lambda d: (DiffPIR(d, degradation()), Discrete(Renoise(0.3))),
    "MMPS": lambda d: (MMPS(d, degradation(), 2), Discrete()),
}


@pytest.mark.parametrize("way", WAYS)
def test_alone_equals_in_a_batch(key, way):
    """Draw i depends on the key and on i: eight together, one alone, and eight in chunks of one."""
    denoiser, sampler = WAYS[way](network())
    y = measurement()  # the unguided do not look at it

    def draw(**how):
        return sample(key, denoiser, y, shape=SHAPE, sampler=sampler, times=4, **how).images

    together = draw(samples=8)
    tolerance = 1e-5 * max(1.0, float(jnp.abs(together).max()))
    chex.assert_trees_all_close(draw(samples=1)[0], together[0], atol=tolerance)
    chex.assert_trees_all_close(draw(samples=8, chunk=1), together, atol=tolerance)
    assert jnp.abs(together[0] - together[1]).max() > 1e-2


class Tracing(Denoiser):
    """A denoiser without weights that counts how often it is traced."""

    process: Process
    count: jax.tree_util.Partial

    def estimate(self, x, t, y=None):
        self.count()
        return NetworkDenoiser(self.process, None, lambda _, x, c: jnp.tanh(x) * c).estimate(x, t)


VALUES = {
    "eta": lambda d, v: (d, Discrete(DDIM(v))),
    "mix": lambda d, v: (d, Discrete(Ancestral(v))),
    "zeta": lambda d, v: (d, Discrete(Renoise(v))),
    "noise": lambda d, v: (d, ReverseSDE(noise=v)),
    "tolerance": lambda d, v: (d, ProbabilityFlow(tolerance=v)),
    "scale of DPS": lambda d, v: (DPS(d, degradation(), v), Discrete()),
    "scale of published DPS": lambda d, v: (d, Discrete(PublishedDPS(DDIM(), degradation(), v))),
    "variance": lambda d, v: (PiGDM(d, degradation(), v), Discrete()),
    "weight": lambda d, v: (DiffPIR(d, degradation(), v), Discrete()),
    "sigma": lambda d, v: (MMPS(d, degradation(v)), Discrete()),
}


@pytest.mark.parametrize("field", VALUES)
def test_a_new_value_does_not_retrace(key, field):
    traces = []
    denoiser = Tracing(VP(), jax.tree_util.Partial(lambda: traces.append(1)))
    y = measurement()
    images, counts = [], []
    for value in (0.1, 0.2, 0.3):
        guided, sampler = VALUES[field](denoiser, value)
        images.append(sample(key, guided, y, shape=SHAPE, sampler=sampler, times=3).images)
        counts.append(len(traces))
    assert counts[0] > 0
    assert counts[1] == counts[2] == counts[0]
    assert field == "tolerance" or jnp.any(images[0] != images[1])


def test_a_new_process_of_one_kind_new_weights_and_new_times_do_not_retrace(key):
    traces = []

    def counted(params, x, condition):
        traces.append(1)
        return params * jnp.tanh(x)

    for top, weight, times in [(20.0, 0.1, (0.9, 0.5)), (15.0, 0.2, (0.8, 0.1))]:
        denoiser = NetworkDenoiser(VP(beta_max=top), jnp.asarray(weight), counted)
        sample(key, denoiser, shape=SHAPE, times=jnp.asarray(times))
        seen = len(traces)
        counted.first = getattr(counted, "first", seen)
    assert counted.first == seen > 0
