"""What restoration did before it learnt: the baselines that a method must beat.

Each is `(y, degradation, *, weights) -> image`:

blur               wiener, total_variation
downsampling       bicubic, total_variation
missing pixels     total_variation
"""

from jaxir.classical.bicubic import bicubic
from jaxir.classical.tv import total_variation
from jaxir.classical.wiener import wiener

__all__ = ["bicubic", "total_variation", "wiener"]
