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
from jaxir.denoisers.inlet import Inlet, Levels, LogSNR, Times, WholeState
from jaxir.denoisers.network import NetworkDenoiser
from jaxir.denoisers.prediction import (
    AngleVelocity,
    CleanImage,
    Consistent,
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
from jaxir.denoisers.tile_size import in_tiles
from jaxir.denoisers.tiled import Tiled

__all__ = [
    "AngleVelocity",
    "BlindGaussianDenoiser",
    "CleanImage",
    "Consistent",
    "Denoiser",
    "Displacement",
    "Estimate",
    "GaussianDenoiser",
    "Inlet",
    "Levels",
    "LogSNR",
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
    "Times",
    "Velocity",
    "WholeState",
    "gaussian_denoiser",
    "in_tiles",
    "on",
]
