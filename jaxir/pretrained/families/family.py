"""What a family of published weights is to the rest: a configuration and tensors to a denoiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxir.denoisers import NetworkDenoiser
from jaxir.networks import Network

Config = Mapping[str, Any]
Tensors = Mapping[str, np.ndarray]


class Converted(NamedTuple):
    """What `save_denoiser` takes."""

    denoiser: NetworkDenoiser
    network: Network


class Family(Protocol):
    """Weights of one original library."""

    def recognises(self, config: Config) -> bool:
        """Whether a configuration says that it is of this family."""
        ...

    def convert(self, config: Config, tensors: Tensors) -> Converted:
        """The denoiser of the original's configuration and tensors.

        Raises:
            ConversionError: if the tensors do not fit the configuration.
        """
        ...


def shapes(network: Network) -> Any:
    """What `collect` compares with."""
    return jax.eval_shape(network.init, jax.random.key(0))
