"""Runs that make a sampler shorter: an experiment and a teacher to the experiment of a student.

What a student has from its teacher (process, prediction, data, network) is not said twice; the rest (images,
optimiser, number of steps) is the experiment's own. `train(student, folder, initial=teacher)` begins at the weights of
the teacher, as both methods do.
"""

from __future__ import annotations

import dataclasses
import functools

from jaxir.denoisers import Consistent, NetworkDenoiser
from jaxir.losses import ConsistencyDistillation, Distillation, Halved
from jaxir.processes import grid_law
from jaxir.training.experiment import Experiment
from jaxir.typing import Times


def halvings(times: Times, evaluations: int) -> list[Times]:
    """The grids of progressive distillation: a teacher's, and those of the students that follow each other.

    Args:
        times: of the teacher.
        evaluations: of the last student: the number of times halved once or more.

    Raises:
        ValueError: if halving the times never gives that many.

    Source: [salimans2022distillation] Algorithm 2.
    """
    count, grids = len(times), [times]
    while len(grids[-1]) > evaluations and not len(grids[-1]) % 2:
        grids.append(grids[-1][::2])
    if len(grids) == 1 or len(grids[-1]) != evaluations:
        raise ValueError(
            f"evaluations is {evaluations}, expected the {count} times of the teacher halved once or more"
        )
    return grids


def halving(experiment: Experiment, teacher: NetworkDenoiser, times: Times) -> Experiment:
    """The run of a student that makes one step of two: it samples on `times[::2]` what its teacher does on `times`.

    Args:
        experiment: images, network and optimiser.
        teacher: its process, prediction, `data_std` and inlet are the student's too.
        times: of the teacher, an even number.
    """
    return dataclasses.replace(
        experiment,
        name=f"{experiment.name}-{len(times) // 2}",
        process=teacher.process,
        prediction=teacher.prediction,
        data_std=teacher.data_std,
        inlet=teacher.inlet,
        objective=Distillation(Halved(teacher, times)),
        times=functools.partial(grid_law, times=times[::2]),
    )


def consistency(experiment: Experiment, teacher: NetworkDenoiser, times: Times) -> Experiment:
    """The run of a consistency function of a teacher, which is sampled in one step or with `Renoise(1.0)` in a few.

    Args:
        experiment: images, network and optimiser; its `ema` is that of the function's own target, 0.9 to 0.999943 in
            the paper.
        teacher: its process, `data_std` and inlet are the student's too; its prediction is `Preconditioned`.
        times: of the steps, down to the clean end of the span, such as `karras_times(process, 18)`.

    Source: [song2023consistency] Algorithm 2.
    """
    return dataclasses.replace(
        experiment,
        name=f"{experiment.name}-consistency",
        process=teacher.process,
        prediction=Consistent(teacher.data_std),
        data_std=teacher.data_std,
        inlet=teacher.inlet,
        objective=ConsistencyDistillation(teacher, times),
        times=functools.partial(grid_law, times=times[:-1]),
    )
