"""What estimates the clean image."""

from jaxir.denoisers.denoiser import Denoiser, Estimate, on
from jaxir.denoisers.exact import GaussianDenoiser, MixtureDenoiser, gaussian_denoiser
from jaxir.denoisers.network import NetworkDenoiser
from jaxir.denoisers.prediction import (
    AngleVelocity,
    CleanImage,
    Noise,
    Preconditioned,
    Prediction,
    Row,
    Score,
    Velocity,
)

__all__ = [
    "AngleVelocity",
    "CleanImage",
    "Denoiser",
    "Estimate",
    "GaussianDenoiser",
    "MixtureDenoiser",
    "NetworkDenoiser",
    "Noise",
    "Preconditioned",
    "Prediction",
    "Row",
    "Score",
    "Velocity",
    "gaussian_denoiser",
    "on",
]
