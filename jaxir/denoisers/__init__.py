"""What estimates the clean image."""

from jaxir.denoisers.denoiser import Denoiser, Estimate, on
from jaxir.denoisers.exact import (
    BlindGaussianDenoiser,
    GaussianDenoiser,
    MixtureDenoiser,
    PairedGaussianDenoiser,
    SpectralGaussianDenoiser,
    gaussian_denoiser,
)
from jaxir.denoisers.network import NetworkDenoiser
from jaxir.denoisers.prediction import (
    AngleVelocity,
    CleanImage,
    Noise,
    Preconditioned,
    Prediction,
    Residual,
    Row,
    Score,
    Velocity,
)

__all__ = [
    "AngleVelocity",
    "BlindGaussianDenoiser",
    "CleanImage",
    "Denoiser",
    "Estimate",
    "GaussianDenoiser",
    "MixtureDenoiser",
    "NetworkDenoiser",
    "Noise",
    "PairedGaussianDenoiser",
    "Preconditioned",
    "Prediction",
    "Residual",
    "Row",
    "Score",
    "SpectralGaussianDenoiser",
    "Velocity",
    "gaussian_denoiser",
    "on",
]
