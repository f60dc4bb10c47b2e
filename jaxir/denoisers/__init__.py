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
    Displacement,
    Noise,
    PairedPreconditioned,
    Preconditioned,
    Prediction,
    Residual,
    Row,
    Score,
    Velocity,
)
from jaxir.denoisers.tiled import Tiled

__all__ = [
    "AngleVelocity",
    "BlindGaussianDenoiser",
    "CleanImage",
    "Denoiser",
    "Displacement",
    "Estimate",
    "GaussianDenoiser",
    "MixtureDenoiser",
    "NetworkDenoiser",
    "Noise",
    "PairedGaussianDenoiser",
    "PairedPreconditioned",
    "Preconditioned",
    "Prediction",
    "Residual",
    "Row",
    "Score",
    "SpectralGaussianDenoiser",
    "Tiled",
    "Velocity",
    "gaussian_denoiser",
    "on",
]
