"""Load and save weights; the small ones that ship."""

from jaxir.pretrained.store import WeightsError, load, save_denoiser, shipped

__all__ = ["WeightsError", "load", "save_denoiser", "shipped"]
