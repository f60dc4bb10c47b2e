"""What a student is told, against the published formula and against what is known of Gaussians in closed form."""

import dataclasses

import affine
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import EVERY, Y, gaussian
from jaxtyping import Array
from tiny_training import tiny

from jaxir.data import Synthetic, crop_batch
from jaxir.denoisers import (
    AngleVelocity,
    Consistent,
    Denoiser,
    Estimate,
    GaussianDenoiser,
    NetworkDenoiser,
    Prediction,
    Times,
)
from jaxir.losses import (
    ConsistencyDistillation,
    Distillation,
    Halved,
    StepAhead,
    output_weight,
    truncated_snr_weight,
)
from jaxir.processes import VE, VP, Interpolation, Process, goub, grid_law, log_snr_times
from jaxir.training import consistency, halving, halvings, initial_state, train_step
from jaxir.transitions import DDIM, Ancestral, Bridge
from jaxir.typing import Image, Scalar

pytestmark = pytest.mark.usefixtures("quick_compile")

X = np.array([[[0.7, -1.3, 0.2]]])
STEPS = 4


def walked(denoiser, times, transition=DDIM()):
    """The states of a sampler from X on, and its estimates at them, the last of which is the image."""

    def visit(x, pair):
        step = transition.step(denoiser, None, x, *pair, jnp.asarray(Y))
        return step.law.mean, (x, step.estimate.x0_hat)

    following = jnp.append(times[1:], times[-1])
    return jax.lax.scan(visit, jnp.asarray(X), (times, following))[1]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "label",
    [
        pytest.param(label, marks=() if label in ("VP", "Interpolation") else pytest.mark.slow)
        for label in EVERY
    ],
)
def test_what_is_told_is_the_published_target_and_samples_what_the_teacher_does(label):
    """x̃ of Algorithm 2 in [salimans2022distillation], b y taken off; N/2 such steps end where N of the teacher do."""
    process = EVERY[label]
    teacher, times = gaussian(process), log_snr_times(process, STEPS)

    @jax.jit
    def run(times):
        student = walked(Halved(teacher, times), times[::2])
        return walked(teacher, times), student, jax.vmap(process.coefficients)(times)

    (states, estimates), (half, told), coefficients = jax.device_get(run(times))
    np.testing.assert_allclose(told[-1], estimates[-1], rtol=0, atol=1e-10)
    for i in range(STEPS // 2 - 1):
        (a, b, sigma), (a_s, b_s, sigma_s) = (
            [c[j] for c in coefficients] for j in (2 * i, 2 * i + 2)
        )
        k = sigma_s / sigma
        target = (states[2 * i + 2] - b_s * Y - k * (half[i] - b * Y)) / (a_s - k * a)
        np.testing.assert_allclose(told[i], target, rtol=1e-8, atol=1e-10)


@pytest.mark.usefixtures("x64")
def test_halved_twice_where_there_is_no_noise_four_bridge_steps_are_one():
    """Of cold diffusion, whose k is b_s/b_t."""
    teacher = _Shrinking(Interpolation(std=0.0))

    @jax.jit
    def run(times):
        half = Halved(teacher, times, Bridge())
        quarter = Halved(half, times[::2], Bridge())
        return [
            walked(denoiser, grid, Bridge())[1][-1]
            for denoiser, grid in ((teacher, times), (half, times[::2]), (quarter, times[::4]))
        ]

    image, *found = run(jnp.linspace(0.99, 0.01, 2 * STEPS))
    np.testing.assert_allclose(found, [image, image], atol=1e-12)


class _Shrinking(Denoiser):
    """Something smooth that is no conditional mean of anything."""

    process: Process

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        return Estimate(jnp.tanh(x) * (1 - t) + 0.1 * y)


class _Consistency(Denoiser):
    """The exact consistency function of `affine.prior()`: the probability flow to the clean end in closed form."""

    inner: GaussianDenoiser

    @property
    def process(self) -> Process:
        return self.inner.process

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        process, basis = self.process, self.inner.basis
        low = jnp.asarray(process.span[0])
        now, least = (jnp.exp(-process.log_snr(time)) for time in (t, low))
        scale = jnp.sqrt((self.inner.variances + least**2) / (self.inner.variances + now**2))
        z = basis.T @ (x / process.coefficients(t).a - self.inner.mean).ravel()
        return Estimate(self.inner.mean + (basis @ (scale * z)).reshape(x.shape))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "process", [VP(), pytest.param(VE(), marks=pytest.mark.slow)], ids=affine.name
)
def test_what_the_exact_consistency_function_is_told_differs_by_the_square_of_the_step(process):
    """DDIM's error in one step is of second order, so at half of it there is a quarter: 4 within a fifth."""
    exact, t, low = _Consistency(gaussian(process)), jnp.asarray(0.5), process.span[0]

    @jax.jit
    @jax.vmap
    def gap(length):
        times = jnp.stack([t, process.time(process.log_snr(t) + length), jnp.asarray(low)])
        ahead = StepAhead(exact.inner, exact, times)
        return jnp.abs(ahead(jnp.asarray(X), t) - exact(jnp.asarray(X), t)).max()

    full, half = gap(jnp.asarray([0.2, 0.1]))
    assert 3.2 < full / half < 4.8


@pytest.mark.usefixtures("x64")
def test_a_consistency_function_is_the_state_at_the_clean_end_and_a_row_elsewhere():
    """c_skip and c_out of App. C in [song2023consistency] on VE, whose noise level is their t."""
    process, p, x = VE(), jnp.asarray(X[..., ::-1]), jnp.asarray(X)
    row, low = Consistent(0.4), jnp.asarray(process.span[0])
    np.testing.assert_allclose(row.x0(process, p, x, low), x, rtol=1e-12)
    for time in (0.01, 0.5, 1.0):
        t = jnp.asarray(time)
        noise, least = process.coefficients(t).sigma, process.coefficients(low).sigma
        total = (noise - least) ** 2 + 0.16
        expected = 0.16 / total * x + 0.4 * (noise - least) / np.sqrt(0.16 + noise**2) * p
        np.testing.assert_allclose(row.x0(process, p, x, t), expected, rtol=1e-10)
        np.testing.assert_allclose(Prediction.x0(row, process, p, x, t), expected, rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_the_weights_are_those_of_the_paper(key):
    """max(‖x − x̂‖², ‖ε − ε̂‖²) and, as the plain error of v, the sum of the two: Sec. 4 of the paper."""
    process, x0 = VP(), jnp.asarray(X)
    student = NetworkDenoiser(
        process, jnp.asarray(0.7), lambda w, x, c: w * jnp.tanh(x + c), AngleVelocity()
    )
    teacher = gaussian(process)

    @jax.jit
    @jax.vmap
    def run(t):
        x = process.marginal(x0, t).sample(key)
        errors = [
            jnp.mean((f(teacher(x, t)) - f(student(x, t))) ** 2)
            for f in (lambda clean: clean, lambda clean: process.eps(x, t, clean))
        ]
        losses = [
            Distillation(teacher, weight)(key, student, x0, t)
            for weight in (truncated_snr_weight, output_weight)
        ]
        return errors, losses

    (clean, noise), (truncated, both) = run(jnp.asarray([0.05, 0.4, 0.9]))
    assert not np.array_equal(clean > noise, [clean[0] > noise[0]] * 3)  # either is the larger
    np.testing.assert_allclose(truncated, np.maximum(clean, noise), rtol=1e-8)
    np.testing.assert_allclose(both, clean + noise, rtol=1e-8)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda times: Halved(gaussian(VP()), times[1:]), "times has 7 entries, expected an even"),
        (lambda times: Halved(gaussian(VP()), times, DDIM(0.5)), "DDIM draws noise on these times"),
        (
            lambda times: StepAhead(gaussian(VP()), gaussian(VP()), times, Ancestral()),
            "Ancestral draws noise on these times",
        ),
        pytest.param(
            lambda times: Halved(gaussian(goub()), times.at[0].set(1.0)),
            "begin inside of a pinned end",
            marks=pytest.mark.slow,
        ),
        (
            lambda times: StepAhead(gaussian(VP()), gaussian(VP()), times[:-1]),
            r"times end at .*, expected 0.0001, the clean end",
        ),
        (lambda times: halvings(times, 3), "evaluations is 3, expected the 8 times of the teacher"),
        (lambda times: halvings(times, 8), "evaluations is 8, expected the 8 times of the teacher"),
    ],
)
def test_what_cannot_be_distilled_is_refused(make, text):
    with pytest.raises(ValueError, match=text) as error:
        make(log_snr_times(VP(), 8))
    assert "\n" not in str(error.value)


def test_halvings_are_every_other_time():
    times = np.arange(12.0)[::-1]
    expected = [times, times[::2], times[::4]]
    for found, grid in zip(halvings(times, 3), expected, strict=True):
        np.testing.assert_array_equal(found, grid)


@pytest.mark.slow
def test_every_time_of_a_grid_is_drawn_as_often(key):
    times = log_snr_times(VP(), 4)
    drawn = jax.jit(lambda key: grid_law(key, VP(), 40, times=times))(key)
    assert [int(jnp.sum(drawn == t)) for t in times] == pytest.approx([10] * 4, abs=1)


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """A network of three weights that is never asked."""

    sees_y, stride, out_channels = False, 1, 3

    def init(self, key):
        return {"w": jnp.arange(3.0)}

    def apply(self, params, x, condition):
        raise NotImplementedError


class _Gap(eqx.Module):
    """How far the weights are from their average."""

    def following(self, average):
        def loss(key, denoiser, x0, t, y):
            gaps = jax.tree.map(lambda p, q: jnp.sum((p - q) ** 2), denoiser.params, average.params)
            return sum(jax.tree.leaves(gaps))

        return loss


def test_an_objective_that_follows_is_shown_the_average():
    experiment = tiny(objective=_Gap(), network=_Numbers())
    transform = experiment.optimizer(1)
    state = initial_state(experiment, transform)
    state = dataclasses.replace(state, ema=(jax.tree.map(lambda w: w + 1, state.params),))
    images = crop_batch(Synthetic(8, 24), seed=0, step=0, batch=2, size=16)
    _, metrics = jax.jit(lambda s, i: train_step(experiment, transform, s, i))(state, images)
    np.testing.assert_allclose(metrics.loss, 3, rtol=1e-5)


def test_a_student_has_process_and_prediction_of_its_teacher():
    network = tiny().network
    params = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(network.init, jax.random.key(0))
    )
    teacher = NetworkDenoiser(
        VE(), params, network.apply, AngleVelocity(), 0.4, inlet=Times(1000.0)
    )
    times = log_snr_times(teacher.process, 8)
    student = halving(tiny(), teacher, times)
    assert (student.process, student.prediction, student.data_std) == (VE(), AngleVelocity(), 0.4)
    assert student.denoiser(params).inlet == teacher.inlet
    assert student.name == "tiny-4"
    function = consistency(tiny(), teacher, times)
    assert (function.prediction, function.data_std) == (Consistent(0.4), 0.4)
    assert isinstance(function.objective, ConsistencyDistillation)
