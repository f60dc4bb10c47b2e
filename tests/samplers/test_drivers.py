"""Every driver through the door: alone as in a batch, one program for all values, evaluations as reported."""

import chex
import jax
import jax.numpy as jnp
import pytest
from affine import SHAPE, gaussian

from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import IRSDE, VP, Process, brownian_bridge, log_snr_times
from jaxir.samplers import (
    AnnealedLangevin,
    DDBMSampler,
    Discrete,
    EDMSampler,
    NoiseShare,
    PredictorCorrector,
    SignalToNoise,
    Singlestep,
    Travel,
    sample,
)
from jaxir.transitions import Ancestral, Bridge, DPMSolver, MeanODE, ReverseEuler

pytestmark = pytest.mark.usefixtures("quick_compile")


class Asked(Denoiser):
    """Nonlinear, sees y, and tells whoever listens when it is traced and when it is asked."""

    process: Process
    traced: jax.tree_util.Partial
    asked: jax.tree_util.Partial

    @property
    def sees_y(self):
        return True

    def estimate(self, x, t, y=None):
        self.traced()
        jax.debug.callback(self.asked)
        a, _, sigma = self.process.coefficients(t)
        z = a * (x - self.process.centre(t, y)) / (a**2 + sigma**2 + 1e-6)
        return Estimate(jnp.tanh(z), info={"time": t})


def listener(process):
    traces, calls = [], []
    denoiser = Asked(
        process,
        jax.tree_util.Partial(lambda: traces.append(1)),
        jax.tree_util.Partial(lambda: calls.append(1)),
    )
    return denoiser, traces, calls


# a sampler of a hyper-parameter, two values of it, and the evaluations at 4 times
DRIVERS = {
    "DPMSolver": (lambda v: Discrete(DPMSolver(3, Ancestral(v))), 4),
    "ReverseEuler": (lambda v: Discrete(ReverseEuler(v)), 4),
    "MeanODE": (lambda v: Discrete(MeanODE()), 4),
    "EDM": (lambda v: EDMSampler(v), 7),
    "EDM Euler": (lambda v: EDMSampler(v, order=1), 4),
    "Singlestep(2)": (lambda v: Singlestep(), 7),
    "Singlestep(3)": (lambda v: Singlestep(3), 10),
    "AnnealedLangevin": (lambda v: AnnealedLangevin(NoiseShare(v), 3), 13),
    "PredictorCorrector": (lambda v: PredictorCorrector(corrector=SignalToNoise(v), steps=2), 10),
    "DDBM": (lambda v: DDBMSampler(v), 10),
    "Travel": (lambda v: Travel(Ancestral(v), length=2, repeats=3), 8),
}
each_driver = pytest.mark.parametrize("driver", DRIVERS)


@each_driver
def test_a_driver_is_one_program_and_asks_as_often_as_it_says(key, driver):
    """On IR-SDE, with y; eight draws, one of them alone, and another value of what can be set."""
    denoiser, traces, calls = listener(IRSDE())
    make, evaluations = DRIVERS[driver]
    y = jnp.full(SHAPE, 0.2)

    def draw(value, samples):
        calls.clear()
        found = sample(key, denoiser, y, shape=SHAPE, sampler=make(value), times=4, samples=samples)
        jax.effects_barrier()
        assert found.diagnostics["evaluations"] == evaluations
        assert len(calls) == evaluations  # of the batch
        assert 0.9 < found.diagnostics["time"] <= 1
        return found.images

    together = draw(0.3, 8)
    before = len(traces)
    other = draw(0.4, 8)
    assert len(traces) == before
    assert driver in ("MeanODE", "Singlestep(2)", "Singlestep(3)") or jnp.any(other != together)
    chex.assert_trees_all_close(draw(0.3, 1)[0], together[0], atol=1e-5)


@pytest.mark.parametrize("driver", ["DPMSolver", "EDM", "AnnealedLangevin", "Travel"])
def test_windows_one_after_the_other_are_the_whole(x64, key, driver):
    sampler, times = DRIVERS[driver][0](0.3), log_snr_times(VP(), 30)
    denoiser = gaussian(VP())
    windows = sampler.windows(30)
    assert len(windows) > 10
    assert [stop for _, stop in windows[:-1]] == [start for start, _ in windows[1:]]

    @jax.jit
    def run(state, start, stop):
        return sampler.run(key, denoiser, state, times, None, start, stop)

    parts = whole = sampler.init(denoiser, jnp.ones(SHAPE), times, None)
    for window in windows:
        parts = run(parts, *window)
    chex.assert_trees_all_close(parts, run(whole, 0, windows[-1][1]), rtol=1e-12)


@pytest.mark.parametrize("sampler", [EDMSampler(), Singlestep()], ids=repr)
def test_a_solver_of_the_flow_refuses_the_pinned_end(key, sampler):
    denoiser, _, _ = listener(brownian_bridge())
    with pytest.raises(ValueError, match="a continuous solve needs both positive"):
        sample(
            key,
            denoiser,
            jnp.zeros(SHAPE),
            shape=SHAPE,
            sampler=sampler,
            times=jnp.array([1.0, 0.5, 0.1]),
        )


@pytest.mark.parametrize(
    "sampler",
    [Discrete(ReverseEuler()), Discrete(DPMSolver(3)), DDBMSampler(), PredictorCorrector()],
    ids=repr,
)
def test_the_others_begin_there(key, sampler):
    """From y itself, with the noise of the first step."""
    denoiser, _, _ = listener(brownian_bridge())
    y, times = jnp.full(SHAPE, 0.2), jnp.array([1.0, 0.7, 0.4, 0.1])
    found = sample(key, denoiser, y, shape=SHAPE, sampler=sampler, times=times, samples=2).images
    assert jnp.any(found[0] != found[1])


def test_only_travel_over_bridge_steps_needs_no_y():
    assert not Travel(Bridge()).needs_y
    for sampler in (Travel(), EDMSampler(), PredictorCorrector(Bridge()), Discrete(DPMSolver())):
        assert sampler.needs_y
