"""Load and save weights; the small ones that ship."""

from jaxir.pretrained.store import (
    WeightsError,
    configuration,
    describe,
    load,
    model_of,
    save_denoiser,
    shipped,
)

__all__ = [
    "WeightsError",
    "configuration",
    "describe",
    "load",
    "model_of",
    "save_denoiser",
    "shipped",
]
