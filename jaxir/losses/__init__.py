"""What training minimises."""

from jaxir.losses.matching import (
    Weighting,
    edm_weight,
    matching_loss,
    min_snr_weight,
    output_weight,
    simple_weight,
    vlb_weight,
)

__all__ = [
    "Weighting",
    "edm_weight",
    "matching_loss",
    "min_snr_weight",
    "output_weight",
    "simple_weight",
    "vlb_weight",
]
