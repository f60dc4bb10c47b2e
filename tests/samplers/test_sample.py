"""The door of sampling: what it returns, whom it tells, what it refuses, and that the inside can be differentiated."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import SHAPE, gaussian

from jaxir.degradations import Degradation, GaussianNoise, Identity, Mask
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import VE, VP, Flow, Process, log_snr_times
from jaxir.samplers import Discrete, ProbabilityFlow, ReverseSDE, Samples, Twisted, sample
from jaxir.testbeds import LinearGaussian
from jaxir.transitions import DDIM, Ancestral

pytestmark = pytest.mark.usefixtures("quick_compile")


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


def test_r_hat_is_that_of_gelman_and_rubin_over_the_halves_of_the_runs(key):
    """Their formula in numpy, chain by chain; a pixel that is known agrees with itself."""
    runs, length = 3, 11
    chains = np.array(jax.random.normal(key, (runs, length, 2, 2, 1)))
    chains += np.arange(runs)[:, None, None, None, None] / 2
    chains[:, :, 0, 0] = 0.7
    samples = Samples(jnp.asarray(chains).reshape(-1, 2, 2, 1), {}, runs=runs)
    np.testing.assert_array_equal(samples.chains, chains)

    parts = [part for chain in chains for part in (chain[:5], chain[-5:])]
    within = np.mean([part.var(axis=0, ddof=1) for part in parts], axis=0)
    between = 5 * np.var([part.mean(axis=0) for part in parts], axis=0, ddof=1)
    varies = within > 1e-6
    ratio = np.where(varies, ((4 / 5) * within + between / 5) / np.where(varies, within, 1), 1)
    np.testing.assert_allclose(samples.r_hat, np.sqrt(ratio), rtol=1e-5)
    assert samples.r_hat[0, 0, 0] == 1
    assert samples.effective_sample_size[0, 0, 0] == runs * length


def test_a_chain_that_drifts_disagrees_with_itself(key):
    drift = jnp.linspace(-2, 2, 100)[:, None, None, None]
    drifting = Samples(drift + jax.random.normal(key, (100, 3, 3, 1)), {}, runs=1)
    assert jnp.all(drifting.r_hat > 1.2)


def test_independent_draws_are_worth_their_number_and_have_no_r_hat(key):
    samples = Samples(jax.random.normal(key, (40, 2, 2, 1)), {})
    np.testing.assert_array_equal(samples.effective_sample_size, 40)
    with pytest.raises(ValueError, match="R̂ needs chains of 4 draws or more, got 1"):
        _ = samples.r_hat


@pytest.mark.parametrize(("runs", "length"), [(1, 4), (8, 2), (3, 4), (2, 8)])
def test_short_runs_of_independent_draws_are_worth_about_their_number(key, runs, length):
    """In the middle to a factor of 2; none less than nothing, and none more than the bound of many draws.

    `check` is silent on them, and would be of one number alone but for one time in sixteen.
    """
    shape, count = (20, 20, 1), runs * length
    samples = Samples(0.1 * jax.random.normal(key, (count, *shape)), {}, runs=runs)
    worth = np.asarray(samples.effective_sample_size)
    assert np.all((worth > 0) & (worth <= count * max(1, np.log10(count)) * (1 + 1e-6)))
    assert count / 2 <= np.median(worth) <= 2 * count
    assert length < 4 or np.mean(worth < count / 4) < 0.1  # 0.06 and what 400 numbers leave open
    if count > 10:
        degradation = Degradation(Identity(shape), GaussianNoise(0.1))
        assert samples.check(degradation, jnp.zeros(shape)) == []


@pytest.mark.parametrize(("runs", "length"), [(4, 16), (1, 64)])
def test_a_check_believes_runs_that_agree_and_says_when_they_do_not(key, runs, length):
    """Exact draws of N(y, σ²), then the same with a deviation between the runs as large as that within them."""
    degradation, y = Degradation(Identity((8, 8, 1)), GaussianNoise(0.1)), jnp.zeros((8, 8, 1))
    images = 0.1 * jax.random.normal(key, (runs, length, 8, 8, 1))
    assert Samples(images.reshape(-1, 8, 8, 1), {}, runs=runs).check(degradation, y) == []
    apart = 0.1 * jax.random.normal(jax.random.key(1), (2 * runs, 1, 8, 8, 1))
    moved = (images.reshape(2 * runs, -1, 8, 8, 1) + apart).reshape(-1, 8, 8, 1)
    words = " ".join(Samples(moved, {}, runs=runs).check(degradation, y))
    assert f"runs of {length} images disagree: R̂ is" in words
    alike = jnp.repeat(images[:, :2], length // 2, axis=1).reshape(-1, 8, 8, 1)
    words = " ".join(Samples(alike, {}, runs=runs).check(degradation, y))
    assert f"{runs * length} images are worth" in words


def test_the_effective_size_of_particles_tells_the_error_of_their_mean(key):
    """Between 64 runs the mean of 32 particles differs as that of so many independent draws would, to a factor of 2.

    Particles lie beside those of the same ancestor, so that their correlation along the run is what they share.
    """
    shape, covariance = (1, 2, 1), jnp.array([[1.0, 0.6], [0.6, 0.8]])
    degradation = Degradation(Mask(jnp.array([[1, 0]]), shape), GaussianNoise(0.3))
    bed = LinearGaussian(jnp.zeros(shape), covariance, degradation)
    y = jnp.array([1.0, 0.0]).reshape(shape)
    found = sample(
        key,
        bed.denoiser(VP()),
        y,
        shape=shape,
        sampler=Twisted(degradation, 32, 1.0),
        times=20,
        samples=64,
    )
    assert found.runs == 64
    chex.assert_shape(found.chains, (64, 32, *shape))
    between = jnp.var(found.chains.mean(axis=1), axis=0, ddof=1)
    worth = jnp.var(found.images, axis=0) / between  # of one run
    assert jnp.all(worth < 28)  # less than 32: it matters
    ratio = found.effective_sample_size / 64 / worth
    assert jnp.all((ratio > 0.5) & (ratio < 2))


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
