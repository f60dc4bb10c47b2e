"""The configuration of a diffusers scheduler as a process, a prediction and the way its network is asked."""

from __future__ import annotations

from typing import NamedTuple

from jaxir.denoisers import AngleVelocity, CleanImage, Inlet, Noise, Prediction, Times
from jaxir.pretrained.families.family import Config
from jaxir.pretrained.families.switches import refuse_all_but
from jaxir.processes import CosineTable, LinearTable, Process, ScaledLinearTable


class Schedule(NamedTuple):
    """What a denoiser takes of it."""

    process: Process
    prediction: Prediction
    inlet: Inlet


_PREDICTIONS: dict[str, Prediction] = {
    "epsilon": Noise(),
    "sample": CleanImage(),
    "v_prediction": AngleVelocity(),
}


def schedule(config: Config) -> Schedule:
    """The table of `scheduler_config.json`; diffusers' own defaults where it says nothing.

    Raises:
        ValueError: for a table or a prediction that is not known here.
    """
    if "_class_name" in config and "beta_schedule" not in config:
        raise ValueError(
            f"the scheduler is {config['_class_name']}, which has no beta_schedule: networks that were not trained on "
            "a table of DDPM are not read here"
        )
    refuse_all_but(config, rescale_betas_zero_snr=(False,), trained_betas=(None,))
    steps = int(config.get("num_train_timesteps", 1000))
    ends = float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    tables: dict[str, Process] = {
        "linear": LinearTable(*ends, steps),
        "scaled_linear": ScaledLinearTable(*ends, steps),
        "squaredcos_cap_v2": CosineTable(steps=steps),
    }
    table = config.get("beta_schedule", "linear")
    prediction = config.get("prediction_type", "epsilon")
    for what, name, known in (
        ("beta_schedule", table, tables),
        ("prediction_type", prediction, _PREDICTIONS),
    ):
        if name not in known:
            raise ValueError(f"{what} is {name!r}, expected one of {', '.join(known)}")
    return Schedule(tables[table], _PREDICTIONS[prediction], Times(float(steps), -1.0))
