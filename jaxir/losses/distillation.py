"""Fewer steps by training: a student is to say at once what takes a teacher several evaluations.

The published methods differ in what the student is told, and that is a denoiser made of others: `Halved` makes one
step of a teacher's two, `StepAhead` has what the student itself says one step of the teacher nearer to the image. So
there is one loss, the distance of two denoisers at a noisy image, and what is told can be sampled and proven before
anything is trained: a student of no error samples exactly what `Halved` samples.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxir import expect
from jaxir.denoisers import Denoiser, Estimate, NetworkDenoiser
from jaxir.losses.matching import Weighting, truncated_snr_weight, uniform_weight
from jaxir.processes import Process
from jaxir.transitions import DDIM, Correlated
from jaxir.typing import Image, Key, Scalar, Times


class Halved(Denoiser):
    """The estimate with which one step from t to s arrives where two of the teacher do, t to u to s:

        x̃ = w D(x_t, t) + (1 − w) D(x_u, u),    w = k_us g_tu/(k_us g_tu + g_us)

    Steps are x_s = k x_t + g D + …, with g = a_s − k a_t, and k_ts = k_tu k_us. Then it is (x_s − k x_t − …)/g, as it
    was published for k = σ_s/σ_t, in a form that divides no difference. Behind the last time comes the image itself,
    k = 0, and x̃ is the later estimate. Halved again it has four steps in one.

    Args:
        teacher: D.
        times: t_1 > … > t_N of the teacher, N even. The student's are `times[::2]`, where alone it is asked.
        transition: a rule that draws no noise and whose k are those of the two steps multiplied, as of `DDIM()`, and of
            `Bridge()` where σ = 0.

    Source: [salimans2022distillation] Algorithm 2.
    """

    teacher: Denoiser
    times: Times
    transition: Correlated = DDIM()

    def __check_init__(self) -> None:
        if len(self.times) % 2 or not len(self.times):
            raise ValueError(
                f"times has {len(self.times)} entries, expected an even number: a student makes one step of two"
            )
        _expect_no_noise(self.transition, self.process, self.times)

    @property
    def process(self) -> Process:
        """The teacher's."""
        return self.teacher.process

    @property
    def sees_y(self) -> bool:
        """As the teacher."""
        return self.teacher.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """x̃, two evaluations of the teacher."""
        place = 2 * jnp.argmin(jnp.abs(self.times[::2] - t))
        last = place + 2 == len(self.times)
        u, s = self.times[place + 1], self.times[jnp.where(last, place + 1, place + 2)]
        step = self.transition.step(self.teacher, None, x, t, u, y)
        first = self.transition.weights(self.process, t, u)
        second = self.transition.weights(self.process, u, s)
        share = second.keep * first.gain / (second.keep * first.gain + second.gain)
        later = self.teacher(step.law.mean, u, y)
        moved = jnp.where(last, 0, share) * (step.estimate.x0_hat - later)
        return Estimate(later + moved)


class StepAhead(Denoiser):
    """f⁻(x_s, s), x_s where a step of the teacher leads from x_t: what a consistency function says at x_t too.

    Args:
        teacher: D of the step.
        student: f⁻, whose answer at the last time is the state, as `Consistent` has it.
        times: t_1 > … > t_N, down to the clean end of the span; s is the time behind t.
        transition: a rule that draws no noise.

    Source: [song2023consistency] Algorithm 2.
    Differs from the paper: the step is the transition's, first of all DDIM's, which is Euler's in the noise level; the
        paper finds Heun's better.
    """

    teacher: Denoiser
    student: Denoiser
    times: Times
    transition: Correlated = DDIM()

    def __check_init__(self) -> None:
        low = self.process.span[0]
        if expect.known(self.times) and not jnp.isclose(self.times[-1], low, atol=0):
            raise ValueError(
                f"times end at {self.times[-1]}, expected {low}, the clean end of the span, where a consistency "
                "function is the identity"
            )
        _expect_no_noise(self.transition, self.process, self.times)

    @property
    def process(self) -> Process:
        """The teacher's."""
        return self.teacher.process

    @property
    def sees_y(self) -> bool:
        """As the teacher."""
        return self.teacher.sees_y

    def estimate(self, x: Image, t: Scalar, y: Array | None = None) -> Estimate:
        """One evaluation of each."""
        place = jnp.argmin(jnp.abs(self.times - t))
        s = self.times[jnp.minimum(place + 1, len(self.times) - 1)]
        law = self.transition.step(self.teacher, None, x, t, s, y).law
        return self.student.estimate(law.mean, s, y)


class Distillation(eqx.Module):
    """w(t) · mean over pixels of (D(x_t, t, y) − D*(x_t, t, y))² at x_t = a x0 + b y + σ ε, for one image.

    An `Objective` of any prediction row. What D* is made of is arrays of this value, so that a teacher's weights are
    arguments of the training step.

    Args:
        target: D*, of the student's process; no derivative goes through it.
        weighting: w.

    Source: [salimans2022distillation] Algorithm 2.
    """

    target: Denoiser
    weighting: Weighting = eqx.field(static=True, default=truncated_snr_weight)

    def __call__(
        self, key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
    ) -> Scalar:
        """The loss of one image; the key draws ε."""
        x = denoiser.process.marginal(x0, t, y).sample(key)
        told = jax.lax.stop_gradient(self.target(x, t, y))
        return self.weighting(denoiser, t) * jnp.mean((denoiser(x, t, y) - told) ** 2)


class ConsistencyDistillation(eqx.Module):
    """`Distillation` towards `StepAhead`: f(x_t, t) = f⁻(x_s, s) along the paths of a teacher.

    In training f⁻ has the first average of the weights; called as it is, f⁻ = f. The few steps that f is then sampled
    with are `Renoise(1.0)`.

    Args:
        teacher: D of the steps.
        times: down to the clean end of the span.
        transition: a rule that draws no noise.
        weighting: λ(t), 1 as published.

    Source: [song2023consistency] Algorithm 2 and, for the average, Eq. 8.
    Differs from the paper: the distance is the mean square, one of those that it compares.
    """

    teacher: Denoiser
    times: Times
    transition: Correlated = DDIM()
    weighting: Weighting = eqx.field(static=True, default=uniform_weight)

    def __check_init__(self) -> None:
        StepAhead(
            self.teacher, self.teacher, self.times, self.transition
        )  # refuses what it refuses

    def following(self, average: NetworkDenoiser) -> Distillation:
        """The objective of a step whose f⁻ this is."""
        ahead = StepAhead(self.teacher, average, self.times, self.transition)
        return Distillation(ahead, self.weighting)

    def __call__(
        self, key: Key, denoiser: NetworkDenoiser, x0: Image, t: Scalar, y: Image | None = None
    ) -> Scalar:
        """The loss of one image; the key draws ε."""
        return self.following(denoiser)(key, denoiser, x0, t, y)


def _expect_no_noise(transition: Correlated, process: Process, times: Times) -> None:
    """Refuse steps that draw: one that is repeated would arrive elsewhere.

    Raises:
        ValueError: if one does.
    """
    noise = jax.vmap(lambda t, s: transition.weights(process, t, s).noise)(times[:-1], times[1:])
    if expect.known(noise) and jnp.any(noise > 0):
        raise ValueError(
            f"{type(transition).__name__} draws noise on these times, expected steps that draw none: use DDIM(), and "
            "times that begin inside of a pinned end"
        )
