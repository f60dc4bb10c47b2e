"""Predictor and corrector: a transition to the next time, then Langevin steps that repair its law there."""

from __future__ import annotations

import jax
from jaxtyping import Array, PyTree

from jaxir import expect
from jaxir.denoisers import Denoiser
from jaxir.samplers.intervals import Intervals, Moved, worst
from jaxir.samplers.langevin import SignalToNoise, StepSize, langevin
from jaxir.transitions import Ancestral, Transition
from jaxir.typing import Image, Key, Scalar, Times


class PredictorCorrector(Intervals):
    """Any transition, with Langevin steps after it at the new time. (N − 1)(1 + steps) + 1 evaluations.

    With the published ratio of 0.16 the corrector's own error is larger than a good predictor's: compare with the
    predictor alone at as many evaluations.

    Args:
        predictor: the transition; as published `Ancestral(1.0)` on VE, which is the paper's reverse diffusion.
        corrector: the size of the Langevin steps; `NoiseShare(2 snr²)` is the "ald" variant.
        steps: of the corrector, at each time.

    Source: [song2021score] Algorithms 1 to 5.
    """

    predictor: Transition = Ancestral(1.0)
    corrector: StepSize = SignalToNoise()
    steps: int = 1

    def __check_init__(self) -> None:
        expect.positive("steps", self.steps)

    @property
    def evaluations(self) -> int:
        """One of the predictor, and the corrector's."""
        return 1 + self.steps

    def first(self, x: Image) -> PyTree:
        """The predictor's history."""
        return self.predictor.init(x)

    def move(
        self,
        key: Key,
        denoiser: Denoiser,
        carry: PyTree,
        x: Image,
        times: Times,
        i: Scalar,
        y: Array | None,
    ) -> Moved:
        """Predict, then correct."""
        t, s = times[i], times[i + 1]
        predict, correct = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        step = self.predictor.step(denoiser, carry, x, t, s, y)
        x = step.law.sample(predict)
        x, info = langevin(correct, denoiser, x, s, y, step_size=self.corrector, steps=self.steps)
        return Moved(x, step.carry, worst(step.estimate.info, info))
