"""How an image is corrupted in time: x_t = a x0 + b y + σ ε."""

from jaxir.processes.clocks import (
    cosine_times,
    grid_law,
    karras_times,
    log_normal_law,
    log_snr_times,
    quadratic_times,
    respaced_times,
    uniform_law,
    uniform_times,
)
from jaxir.processes.exploding import EDM, VE, DenoisingSDE, SymmetricWiener, Wiener
from jaxir.processes.noising import VP, CosineVP, Flow, SubVP
from jaxir.processes.pinned import Pinned, brownian_bridge, ddbm_ve, ddbm_vp, goub, i2sb, pin
from jaxir.processes.process import SDE, AsItIs, Coefficients, Coupled, Process
from jaxir.processes.rates import ConstantRate, CosineRate, CosineSteps, LinearRate, Rate
from jaxir.processes.reverting import IRSDE, Interpolation, ResShift
from jaxir.processes.simulate import simulate
from jaxir.processes.tables import CosineTable, LinearTable, ScaledLinearTable, Table

__all__ = [
    "EDM",
    "IRSDE",
    "SDE",
    "VE",
    "VP",
    "AsItIs",
    "Coefficients",
    "ConstantRate",
    "CosineRate",
    "CosineSteps",
    "CosineTable",
    "CosineVP",
    "Coupled",
    "DenoisingSDE",
    "Flow",
    "Interpolation",
    "LinearRate",
    "LinearTable",
    "Pinned",
    "Process",
    "Rate",
    "ResShift",
    "ScaledLinearTable",
    "SubVP",
    "SymmetricWiener",
    "Table",
    "Wiener",
    "brownian_bridge",
    "cosine_times",
    "ddbm_ve",
    "ddbm_vp",
    "goub",
    "grid_law",
    "i2sb",
    "karras_times",
    "log_normal_law",
    "log_snr_times",
    "pin",
    "quadratic_times",
    "respaced_times",
    "simulate",
    "uniform_law",
    "uniform_times",
]
