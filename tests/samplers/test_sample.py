"""The door of sampling: what it returns, whom it tells, what it refuses, and that the inside can be differentiated."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import SHAPE, gaussian

from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import VE, VP, Flow, Process, log_snr_times
from jaxir.samplers import Discrete, ProbabilityFlow, ReverseSDE, Samples, sample
from jaxir.transitions import DDIM, Ancestral


def test_statistics_of_samples_are_those_of_numpy(key):
    images = jax.random.normal(key, (7, 4, 5, 3))
    samples, plain = Samples(images, {}), np.asarray(images)
    np.testing.assert_allclose(samples.mean, plain.mean(0), atol=1e-6)
    np.testing.assert_allclose(samples.std, plain.std(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(samples.quantile(0.05), np.quantile(plain, 0.05, axis=0), atol=1e-6)
    both = samples.quantile(jnp.array([0.1, 0.9]))
    np.testing.assert_allclose(both, np.quantile(plain, [0.1, 0.9], axis=0), atol=1e-6)


def test_the_deviation_of_one_sample_is_refused():
    with pytest.raises(ValueError, match="deviation of 1 sample is not defined: draw samples=2"):
        _ = Samples(jnp.zeros((1, *SHAPE)), {}).std


def test_the_callback_counts_up_to_the_total(key):
    seen = []
    sample(
        key,
        gaussian(VP()),
        shape=SHAPE,
        times=50,
        samples=3,
        chunk=2,
        callback=lambda done, total: seen.append((done, total)),
    )
    totals = {total for _, total in seen}
    assert len(totals) == 1
    assert [done for done, _ in seen] == list(range(1, totals.pop() + 1))
    assert len(seen) > 20  # it moves often enough for a progress bar


def test_the_callback_can_cancel(key):
    class Cancelled(Exception):
        pass

    seen = []

    def stop(done, total):
        seen.append(done)
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(key, gaussian(VP()), shape=SHAPE, times=50, callback=stop)
    assert seen == [1, 2, 3]


def test_a_last_chunk_that_is_not_full_is_cut(key):
    whole = sample(key, gaussian(VP()), shape=SHAPE, times=5, samples=5).images
    cut = sample(key, gaussian(VP()), shape=SHAPE, times=5, samples=5, chunk=2).images
    chex.assert_trees_all_close(cut, whole, atol=1e-5)


def test_a_callback_changes_nothing(key):
    plain, watched = (
        sample(key, gaussian(VP()), shape=SHAPE, times=50, callback=callback).images
        for callback in (None, lambda done, total: None)
    )
    chex.assert_trees_all_equal(plain, watched)


def test_diagnostics_say_what_was_spent(key):
    found = sample(key, gaussian(VP()), shape=SHAPE, times=7).diagnostics
    assert found["evaluations"] == 7
    assert found["seconds"] > 0


@pytest.mark.parametrize(
    "sampler", [Discrete(), Discrete(Ancestral()), ProbabilityFlow(), ReverseSDE()], ids=repr
)
def test_one_time_is_one_evaluation_at_the_noisy_end(key, sampler):
    found = sample(key, gaussian(VP()), shape=SHAPE, sampler=sampler, times=1, samples=2)
    chex.assert_shape(found.images, (2, *SHAPE))
    other = sample(key, gaussian(VP()), shape=SHAPE, times=1, samples=2)
    chex.assert_trees_all_close(found.images, other.images, atol=1e-5)


def test_another_process_remaps_the_denoiser(x64, key):
    """Deterministic sampling on a flow with the denoiser of VP is that with the flow's own."""
    how = {"shape": SHAPE, "times": jnp.linspace(0.98, 0.02, 9), "samples": 2}
    moved = sample(key, gaussian(VP()), process=Flow(), **how).images
    own = sample(key, gaussian(Flow()), **how).images
    chex.assert_trees_all_close(moved, own, atol=1e-10)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"times": 0}, "steps is 0, expected at least 1"),
        ({"samples": 0}, "samples is 0, expected at least 1"),
        ({"chunk": 0}, "chunk is 0, expected at least 1"),
        ({"times": jnp.array([0.1, 0.5])}, "expected a strictly decreasing list of times"),
        ({"times": jnp.array([0.5, 0.5])}, "expected a strictly decreasing list of times"),
        ({"times": jnp.array([[0.5, 0.1]])}, r"times has shape \(1, 2\)"),
        ({"times": jnp.array([])}, r"times has shape \(0,\)"),
        ({"times": jnp.array([1.5, 0.1])}, r"times run from 1.5 to .* between 1 and 0.0001"),
        ({"times": jnp.array([0.5, 0.0])}, r"to 0.0, expected them between 1 and 0.0001"),
    ],
)
def test_what_cannot_be_sampled_is_refused(key, how, text):
    with pytest.raises(ValueError, match=text):
        sample(key, gaussian(VP()), shape=SHAPE, **how)


class Broken(Denoiser):
    """Not finite for one draw in some."""

    process: Process

    def estimate(self, x, t, y=None):
        return Estimate(jnp.where(x.ravel()[0] > 0, jnp.nan, x))


def test_images_that_are_not_finite_are_reported_and_not_returned(key):
    with pytest.raises(FloatingPointError, match=r"\d+ of 16 samples are not finite"):
        sample(key, Broken(VE()), shape=SHAPE, times=2, samples=16)


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_the_discrete_driver_can_be_differentiated(x64, key, eta):
    """With Python bounds: the derivative of the image in its start and in the grid, against differences."""
    denoiser, grid = gaussian(VP()), log_snr_times(VP(), 6)
    x = jax.random.normal(key, SHAPE)

    @jax.jit
    def loss(x, times):
        sampler = Discrete(DDIM(eta))
        state = sampler.init(denoiser, x, times, None)
        state = sampler.run(key, denoiser, state, times, None, 0, len(grid))
        return jnp.sum(sampler.finish(denoiser, state, times, None).x0_hat ** 2)

    in_x, in_times = jax.grad(loss, (0, 1))(x, grid)
    towards, shift, gap = jnp.ones(SHAPE), jnp.arange(1.0, 7.0) * grid, 1e-6
    slope = (loss(x + gap * towards, grid) - loss(x - gap * towards, grid)) / (2 * gap)
    np.testing.assert_allclose(jnp.vdot(in_x, towards), slope, rtol=1e-5)
    slope = (loss(x, grid + gap * shift) - loss(x, grid - gap * shift)) / (2 * gap)
    np.testing.assert_allclose(jnp.vdot(in_times, shift), slope, rtol=1e-5)
    assert jnp.all(in_times != 0)
