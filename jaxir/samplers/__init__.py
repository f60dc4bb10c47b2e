"""Many steps: from noise to images."""

from jaxir.samplers.continuous import ProbabilityFlow, ReverseSDE
from jaxir.samplers.discrete import Discrete
from jaxir.samplers.sample import Callback, Samples, sample
from jaxir.samplers.sampler import Sampler

__all__ = [
    "Callback",
    "Discrete",
    "ProbabilityFlow",
    "ReverseSDE",
    "Sampler",
    "Samples",
    "sample",
]
