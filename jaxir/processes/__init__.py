"""How an image is corrupted in time: x_t = a x0 + b y + σ ε."""

from jaxir.processes.clocks import (
    karras_times,
    log_normal_law,
    log_snr_times,
    uniform_law,
    uniform_times,
)
from jaxir.processes.noising import VE, VP, CosineVP, Flow
from jaxir.processes.process import SDE, Coefficients, Process
from jaxir.processes.simulate import simulate

__all__ = [
    "SDE",
    "VE",
    "VP",
    "Coefficients",
    "CosineVP",
    "Flow",
    "Process",
    "karras_times",
    "log_normal_law",
    "log_snr_times",
    "simulate",
    "uniform_law",
    "uniform_times",
]
