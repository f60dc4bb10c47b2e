"""What to trust: the same methods where the exact posterior is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.processes import VP
from jaxir.report.table import column
from jaxir.restoration import restore
from jaxir.testbeds import LinearGaussian, stationary_covariance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jaxir.methods import Method
    from jaxir.typing import Key


@dataclass(frozen=True)
class Trust:
    """How far a method's samples are from the exact posterior."""

    method: str = column("method")
    mean_error: float = column("mean error (sd)", ".2f")
    std_ratio: float = column("sd / exact sd", ".2f")
    coverage: float = column("coverage of 90 %", ".0%")


def bed(side: int = 8) -> LinearGaussian:
    """A soft random field with a photograph's variance of 0.25, seen at half the size with noise of 0.1."""
    shape = (side, side, 1)
    degradation = Degradation(area_downsample(shape, 2), GaussianNoise(0.1))
    return LinearGaussian(jnp.zeros(shape), 0.25 * stationary_covariance(side), degradation)


def trust(key: Key, chosen: Mapping[str, Method], *, steps: int, samples: int) -> Iterator[Trust]:
    """Exact draws first, then every method on the exact denoiser."""
    problem = bed()
    problem_key, exact_key, sample_key = jax.random.split(key, 3)
    _, y = problem.draw(problem_key)
    mean, covariance = problem.posterior(y)
    exact = jax.random.multivariate_normal(exact_key, mean.ravel(), covariance, (samples,))
    yield Trust("exact draws", *problem.calibration(exact.reshape(-1, *mean.shape), y))
    for label, method in chosen.items():
        drawn = restore(
            y,
            problem.degradation,
            prior=problem.denoiser(VP()),
            method=method,
            steps=steps,
            samples=samples,
            key=sample_key,
        )
        yield Trust(label, *problem.calibration(drawn.images, y))
