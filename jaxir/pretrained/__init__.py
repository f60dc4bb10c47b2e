"""Load and save weights; the small ones that ship."""

from jaxir.pretrained.store import WeightsError, describe, load, save_denoiser, shipped

__all__ = ["WeightsError", "describe", "load", "save_denoiser", "shipped"]
