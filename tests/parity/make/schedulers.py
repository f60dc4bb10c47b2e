"""Trajectories of huggingface/diffusers' schedulers under one analytic model.

Made with diffusers 0.42.1 (from the package registry), torch 2.13.0, numpy 2.4.6:

    PYTHONPATH=tests/parity python tests/parity/make/schedulers.py

Each pixel of a clean image is N(m, v), m = 0.3, v = 0.25, so that at x = a x₀ + s ε the model is

    r = (x − a m) / (a² v + s²),   ε̂ = s r,   x̂₀ = m + a v r,   v̂ = a ε̂ − s x̂₀.

It is evaluated in float64 at the scheduler's own level (a, s) of each step: √ᾱ and √(1 − ᾱ) at the timestep, or with
σ = s/a, a = 1/√(1 + σ²). Schedulers that keep sigmas have states x/a (Euler, Heun), or x (DPM-Solver++).

A fixture holds for each CASE: `CASE/timesteps`, `CASE/sigmas` or `CASE/abar` (ᾱ at each timestep), `CASE/states` (the
first is the initial one), and `CASE/noise` where the scheduler draws any, a row for each step. `config` maps CASE to
what `scheduler_config.json` holds, and to `eta` where `step` has that argument.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)
from fixture import normal, write
from torch import Tensor

MEAN, VARIANCE, STEPS = 0.3, 0.25, 10
SHAPE = (1, 1, 4, 4)

SCHEDULES = {
    "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    "scaled": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
}
GRID = {
    f"{name}_{spacing}": {**schedule, "timestep_spacing": spacing}
    for name, schedule in SCHEDULES.items()
    for spacing in ("leading", "trailing", "linspace")
}
# From σ = 2e4, where the cosine table begins, float32 loses more than is compared: in x/a, and in x̂₀ from ε̂.
STABLE = {
    name: case for name, case in GRID.items() if name not in ("cosine_trailing", "cosine_linspace")
}
VELOCITY = {**GRID["scaled_leading"], "prediction_type": "v_prediction"}
CLEAN = {**GRID["scaled_leading"], "prediction_type": "sample"}
KARRAS = {
    f"{name}_karras": {**schedule, "use_karras_sigmas": True}
    for name, schedule in SCHEDULES.items()
}


def model(x: Tensor, a: float, s: float, kind: str) -> Tensor:
    """What a network that predicts `kind` gives at x = a x₀ + s ε."""
    residual = (x.double() - a * MEAN) / (a**2 * VARIANCE + s**2)
    noise, clean = s * residual, MEAN + a * VARIANCE * residual
    predictions = {"epsilon": noise, "sample": clean, "v_prediction": a * noise - s * clean}
    return predictions[kind].to(x.dtype)


def discrete(scheduler: Any, **arguments: Any) -> dict[str, Any]:
    """DDPM or DDIM, with the noise drawn in `step` drawn once more to be written."""
    scheduler.set_timesteps(STEPS)
    x = normal(*SHAPE) * scheduler.init_noise_sigma
    states, noises, abars = [x], [], []
    for index, t in enumerate(scheduler.timesteps):
        abar = scheduler.alphas_cumprod[t].double().item()
        output = model(x, abar**0.5, (1 - abar) ** 0.5, scheduler.config.prediction_type)
        seeded = torch.Generator().manual_seed(index + 10)
        x = scheduler.step(output, t, x, generator=seeded, **arguments).prev_sample
        states.append(x)
        noises.append(normal(*SHAPE, seed=index + 10))
        abars.append(abar)
    return {
        "timesteps": scheduler.timesteps,
        "abar": np.array(abars),
        "states": torch.stack(states),
        "noise": torch.stack(noises),
    }


def continuous(scheduler: Any) -> dict[str, Any]:
    """A scheduler that keeps sigmas."""
    scheduler.set_timesteps(STEPS)
    scheduler.set_begin_index(0)
    x = normal(*SHAPE) * scheduler.init_noise_sigma
    states = [x]
    for t, sigma in zip(scheduler.timesteps, scheduler.sigmas.double().tolist(), strict=False):
        a = (1 + sigma**2) ** -0.5
        scaled = scheduler.scale_model_input(x, t)
        output = model(scaled, a, a * sigma, scheduler.config.prediction_type)
        x = scheduler.step(output, t, x).prev_sample
        states.append(x)
    return {
        "timesteps": scheduler.timesteps,
        "sigmas": scheduler.sigmas,
        "states": torch.stack(states),
    }


def ancestral() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """DDPM: both fixed variances, and with clipping."""
    for name, arguments in GRID.items():
        for variance in ("small", "large"):
            yield (
                f"{name}_{variance}",
                DDPMScheduler(**arguments, clip_sample=False, variance_type=f"fixed_{variance}"),
                {},
            )
    yield "clipped", DDPMScheduler(**GRID["linear_leading"], clip_sample=True), {}
    yield "velocity", DDPMScheduler(**VELOCITY, clip_sample=False), {}


def implicit() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """DDIM: without noise and with all of it; the ends of the table that published models ask for."""
    for name, arguments in GRID.items():
        for eta in (0.0, 1.0):
            scheduler = DDIMScheduler(**arguments, clip_sample=False)
            yield f"{name}_eta{eta:.0f}", scheduler, {"eta": eta}
    for name, arguments in {
        "velocity": VELOCITY,
        "clean": CLEAN,
        "offset": {**GRID["scaled_leading"], "steps_offset": 1, "set_alpha_to_one": False},
        "zero_snr": {
            **VELOCITY,
            "timestep_spacing": "trailing",
            "rescale_betas_zero_snr": True,
        },
    }.items():
        yield name, DDIMScheduler(**arguments, clip_sample=False), {"eta": 0.0}
    yield "clipped", DDIMScheduler(**GRID["linear_leading"], clip_sample=True), {"eta": 1.0}


CONTINUOUS = {
    "euler": (EulerDiscreteScheduler, {**STABLE, **KARRAS, "velocity": VELOCITY}),
    "heun": (HeunDiscreteScheduler, {**STABLE, **KARRAS, "velocity": VELOCITY}),
    "dpmpp": (
        DPMSolverMultistepScheduler,
        {
            **STABLE,
            **KARRAS,
            "velocity": VELOCITY,
            "clean": CLEAN,
            "second_order_final": {
                **GRID["scaled_linspace"],
                "lower_order_final": False,
                "final_sigmas_type": "sigma_min",
            },
            "sigma_min": {**GRID["scaled_linspace"], "final_sigmas_type": "sigma_min"},
            "first_order": {**GRID["scaled_linspace"], "solver_order": 1},
        },
    ),
}


def save(name: str, runs: dict[str, dict[str, Any]], configs: dict[str, Any]) -> None:
    """One fixture for each scheduler."""
    arrays = {f"{case}/{key}": value for case, run in runs.items() for key, value in run.items()}
    write(f"scheduler_{name}", configs, **arrays)


if __name__ == "__main__":
    for name, cases in {"ddpm": ancestral, "ddim": implicit}.items():
        runs, configs = {}, {}
        for case, scheduler, arguments in cases():
            runs[case] = discrete(scheduler, **arguments)
            configs[case] = {**json.loads(scheduler.to_json_string()), **arguments}
        save(name, runs, configs)
    for name, (kind, settings) in CONTINUOUS.items():
        schedulers = {case: kind(**arguments) for case, arguments in settings.items()}
        save(
            name,
            {case: continuous(scheduler) for case, scheduler in schedulers.items()},
            {
                case: json.loads(scheduler.to_json_string())
                for case, scheduler in schedulers.items()
            },
        )
