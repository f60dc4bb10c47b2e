"""The figures of `jaxir bench exact`: draws on several problems of one bed, against their exact posteriors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxir import testbeds
from jaxir.processes import log_snr_times
from jaxir.report.table import column
from jaxir.samplers import Samples, sample

if TYPE_CHECKING:
    from jaxir.cli.contenders import Contender
    from jaxir.processes import Process
    from jaxir.processes.pinned import Lift
    from jaxir.testbeds import Law, Testbed
    from jaxir.typing import Image, Images, Key, Measurement, Scalar

DENSE = 100
"""The most entries of an image of which a covariance is judged: it needs as many samples and more."""


@dataclass(frozen=True)
class Exact:
    """One method on one bed; None is what the bed has no exact value for."""

    bed: str = column("bed")
    process: str = column("process")
    method: str = column("method")
    mean_error: float = column("mean error (sd)", ".3f")
    covariance_low: float | None = column("cov min", ".2f")
    covariance_high: float | None = column("cov max", ".2f")
    w1: float = column("sliced W1", ".3f")
    w2: float | None = column("Gauss W2", ".3f")
    weights: float | None = column("wrong mode", ".1%")
    coverage: float = column("cover 90 %", ".0%")
    coverage_low: float = column("from", ".0%")
    coverage_high: float = column("to", ".0%")
    uniformity: float = column("SBC p", ".3f")
    evaluations: int | None = column("evaluations", "d")
    seconds: float | None = column("seconds", ".1f")


class Case(NamedTuple):
    """One problem: the bed, a truth with its measurement, what is known of it, and the keys of what is drawn."""

    bed: Testbed
    truth: Image
    y: Measurement
    posterior: Law
    key: Key


class Scores(NamedTuple):
    """What is measured on one problem."""

    mean_error: Scalar
    whitened: Float[Array, "d d"] | None
    w1: Scalar
    w2: Scalar | None
    weights: Scalar | None
    rank: Scalar


def cases(key: Key, make: Callable[[Key], Testbed], problems: int) -> list[Case]:
    """The problems, the same for every method."""

    def case(key: Key) -> Case:
        built, drawn, rest = jax.random.split(key, 3)
        bed = make(built)
        truth, y = bed.draw(drawn)
        return Case(bed, truth, y, bed.posterior(y), rest)

    return [case(jax.random.fold_in(key, i)) for i in range(problems)]


def floor(case: Case, samples: int) -> Samples:
    """Draws of the exact posterior."""
    return Samples(case.posterior.sample(jax.random.fold_in(case.key, 1), samples), {})


def prior(case: Case, samples: int) -> Samples:
    """Draws that have not seen the measurement."""
    return Samples(case.bed.prior.sample(jax.random.fold_in(case.key, 1), samples), {})


def sampled(
    case: Case,
    samples: int,
    *,
    contender: Contender,
    process: Callable[[Lift], Process],
    steps: int,
) -> Samples:
    """A method's draws: of one with particles, all of those of as few runs as give that many."""
    denoiser, sampler = contender(case.bed, process(case.bed.lift))
    times = log_snr_times(denoiser.process, steps)
    first = sampler.start(denoiser, jnp.zeros(case.bed.shape), times, case.y).mean
    population = len(first) if first.ndim == 4 else 1
    drawn = sample(
        jax.random.fold_in(case.key, 1),
        denoiser,
        case.y,
        shape=case.bed.shape,
        sampler=sampler,
        times=times,
        samples=-(-samples // population),
    )
    return Samples(drawn.images[:samples], drawn.diagnostics)


def judge(
    label: str,
    process: str,
    method: str,
    problems: Sequence[Case],
    draw: Callable[[Case, int], Samples],
    *,
    samples: int,
    moved: Callable[[], None] = lambda: None,
) -> Exact:
    """A row of the table.

    Args:
        label: of the bed.
        process: its name.
        method: its name.
        problems: what is drawn from.
        draw: the method.
        samples: for each problem.
        moved: called after each problem.
    """
    began, found = time.perf_counter(), []
    for case in problems:
        drawn = jax.block_until_ready(draw(case, samples))
        found.append(_measure(jax.random.fold_in(case.key, 2), drawn.images, case))
        moved()
    seconds, evaluations = time.perf_counter() - began, drawn.diagnostics.get("evaluations")
    scores: Scores = jax.tree.map(lambda *values: jnp.stack(values), *found)
    spectrum = None if scores.whitened is None else jnp.linalg.eigvalsh(scores.whitened.mean(0))
    cover = testbeds.coverage(scores.rank, samples)
    return Exact(
        bed=label,
        process=process,
        method=method,
        mean_error=float(jnp.sqrt(jnp.mean(scores.mean_error**2))),
        covariance_low=None if spectrum is None else max(0.0, float(spectrum[0])),
        covariance_high=None if spectrum is None else float(spectrum[-1]),
        w1=float(scores.w1.mean()),
        w2=None if scores.w2 is None else float(scores.w2.mean()),
        weights=None if scores.weights is None else float(scores.weights.mean()),
        coverage=float(cover.value),
        coverage_low=float(cover.low),
        coverage_high=float(cover.high),
        uniformity=float(testbeds.uniformity(scores.rank, samples)),
        evaluations=None if evaluations is None else int(evaluations),
        seconds=seconds,
    )


@jax.jit
def _measure(key: Key, images: Images, case: Case) -> Scores:
    slices, direction, others = jax.random.split(key, 3)
    law, n = case.posterior, len(images)
    covariance = law.covariance if case.truth.size <= DENSE else None
    own = images.reshape(n, -1)
    return Scores(
        testbeds.mean_error(images, law.mean, law.std),
        None if covariance is None else testbeds.whitened_covariance(images, covariance),
        testbeds.sliced_w1(slices, images, law.sample(others, n)),
        None
        if covariance is None
        else testbeds.gaussian_w2(
            law.mean, covariance, images.mean(axis=0), jnp.cov(own, rowvar=False)
        ),
        testbeds.weight_error(jax.vmap(law.responsibilities)(images), law.weights)
        if isinstance(law, testbeds.MixtureLaw | testbeds.StoredLaw)
        else None,
        testbeds.rank(direction, case.truth, images),
    )
