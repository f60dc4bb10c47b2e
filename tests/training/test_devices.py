"""Eight devices give the numbers of one: eight CPU devices, in a process of their own."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.devices

CODE = """
from pathlib import Path
import jax, jax.numpy as jnp, numpy as np
from tiny_training import tiny
from jaxir.degradations import Degradation, GaussianNoise, Mask
from jaxir.denoisers import gaussian_denoiser
from jaxir.processes import VP
from jaxir.samplers import Discrete, Twisted, sample
from jaxir.mesh import FullyShard
from jaxir.training import train
from jaxir.transitions import Ancestral

folder = Path("FOLDER")
state = train(tiny(steps=4), folder, log_every=1)
if jax.device_count() > 1:
    split = train(tiny(steps=4), folder / "split", log_every=1, rule=FullyShard(least=64))
    held = sum(v.addressable_shards[0].data.nbytes for v in jax.tree.leaves(split))
    np.save(folder / "share.npy", held / sum(v.nbytes for v in jax.tree.leaves(split)))
root = np.random.default_rng(0).normal(size=(16, 16)) / 4
covariance = jnp.asarray(root @ root.T, jnp.float32)
denoiser = gaussian_denoiser(VP(), jnp.full((4, 4, 1), 0.2), covariance)
found = sample(
    jax.random.key(3), denoiser, shape=(4, 4, 1), samples=8, times=10, sampler=Discrete(Ancestral())
)
np.save(folder / "images.npy", found.images)
seen = Degradation(Mask(np.eye(4)[..., None], (4, 4, 1)), GaussianNoise(0.2))
run = sample(
    *(jax.random.key(4), denoiser, seen.operator(jnp.ones((4, 4, 1)))),
    **dict(shape=(4, 4, 1), times=10, sampler=Twisted(seen, particles=16)),
)
np.save(folder / "particles.npy", run.images)
assert len(run.images.addressable_shards[0].data) == 16 // jax.device_count(), "not shared out"
print(*(len(x.sharding.device_set) for x in (state.step, found.images, run.images)))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, run_python):
    """Number of devices -> (log, images, particles, share of the state on a device, log of the split run)."""

    def run(devices):
        folder: Path = tmp_path_factory.mktemp(f"devices{devices}")
        code = CODE.replace("FOLDER", str(folder))
        printed = run_python(code, devices=devices, JAX_DISABLE_MOST_OPTIMIZATIONS="1")
        assert (
            printed.split()[-3:] == [str(devices)] * 3
        )  # the state, the draws and the particles lie on all of them
        names = ("images", "particles", *(["share"] if devices > 1 else []))
        found = [np.load(folder / f"{name}.npy") for name in names]
        logs = sorted(folder.glob("**/metrics.jsonl"), key=lambda path: len(path.parts))
        lines = [[json.loads(line) for line in path.read_text().splitlines()] for path in logs]
        return lines[0], *found, lines[-1]

    return functools.cache(run)


@pytest.mark.parametrize("name", ["loss", "gradient"])
@pytest.mark.parametrize("devices", [pytest.param(2, marks=pytest.mark.slow), 8])
@pytest.mark.parametrize("which", [0, -1], ids=["replicated", "fully sharded"])
def test_training_on_many_devices_has_the_numbers_of_1(runs, name, devices, which):
    one, many = ([line[name] for line in log] for log in (runs(1)[0], runs(devices)[which]))
    assert len(set(one)) == 4
    np.testing.assert_allclose(many, one, rtol=1e-5)


def test_fully_sharded_a_device_of_8_holds_less_than_a_sixth_of_the_state(runs):
    assert runs(8)[3] < 1 / 6


def test_the_operations_of_a_step_are_counted_on_all_devices(runs):
    one, eight = (
        line["tflop_per_s"] / line["images_per_s"]
        for line in (runs(devices)[0][-1] for devices in (1, 8))
    )
    assert 0.9 < eight / one < 2  # each device repeats the optimiser's share


@pytest.mark.parametrize("which", [1, 2], ids=["draws", "particles of one run"])
def test_images_on_8_devices_equal_those_on_1(runs, which):
    one, eight = (runs(devices)[which] for devices in (1, 8))
    assert np.std(one, axis=0).min() > 100 * 1e-5
    np.testing.assert_allclose(eight, one, atol=1e-5)
