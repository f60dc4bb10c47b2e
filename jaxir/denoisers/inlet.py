"""How a network is asked: what its input is scaled by, and which number tells it the noise level.

p = network(c_in (x − b y), c_noise). Ours are trained on a function of the log-SNR; published networks keep the
indices, times or noise levels of their training, which are read off the process, so that those too run on any grid and,
translated by `on`, on any process.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp

from jaxir import expect
from jaxir.processes import Process
from jaxir.typing import Image, Measurement, Scalar


class Inlet(eqx.Module):
    """c_in and c_noise."""

    def centre(self, process: Process, t: Scalar, y: Measurement | None) -> Image | float:
        """What is taken from the state where the network sees y: b y, unless an inlet says otherwise."""
        return process.centre(t, y)

    def c_in(self, process: Process, t: Scalar, data_std: float) -> Scalar:
        """What x − b y is multiplied by: 1, unless an inlet says otherwise."""
        return jnp.ones_like(t)

    @abc.abstractmethod
    def c_noise(self, process: Process, t: Scalar) -> Scalar:
        """The number that tells the noise level."""


class LogSNR(Inlet):
    """c_in = 1/√(σ² + a² σ_d²), which gives the input a deviation of 1, and c_noise = −ℓ/4, kept within ±1.75.

    Source: [karras2022edm] Table 1 (c_noise = ln(σ/a)/4).
    """

    def c_in(self, process: Process, t: Scalar, data_std: float) -> Scalar:
        """1/√(σ² + a² σ_d²)."""
        a, _, sigma = process.coefficients(t)
        return 1 / jnp.hypot(sigma, a * data_std)

    def c_noise(self, process: Process, t: Scalar) -> Scalar:
        """−ℓ/4."""
        return jnp.clip(-process.log_snr(t) / 4, -1.75, 1.75)


class Times(Inlet):
    """The state as it is, and c_noise = scale · t + shift.

    The index in a table of N steps, counted from 0, is N t − 1; a network of the continuous VP was trained on 999 t.

    Args:
        scale: of the time, > 0.
        shift: added to it.

    Source: [ho2020ddpm]; [song2021score] (999 t, as its published networks were trained).
    """

    scale: float = 1000.0
    shift: float = -1.0

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)

    def c_noise(self, process: Process, t: Scalar) -> Scalar:
        """scale · t + shift."""
        return self.scale * t + self.shift


class WholeState(Inlet):
    """The state as it is, b y with it, and c_noise = scale · t: the network takes y off it, and t = i/N is its step i.

    Args:
        scale: N of a network that was trained on N steps.

    Source: [luo2023irsde] (how its published networks are asked).
    """

    scale: float = 100.0

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)

    def centre(self, process: Process, t: Scalar, y: Measurement | None) -> Image | float:
        """0."""
        return 0.0

    def c_noise(self, process: Process, t: Scalar) -> Scalar:
        """scale · t."""
        return self.scale * t


class Levels(Inlet):
    """The noisy image x/a = x0 + (σ/a) ε as it is, and c_noise = log(scale · σ/a).

    Args:
        scale: 1/2 where the network was trained on images in [0, 1] with this noise.

    Source: [song2021score] (NCSN++).
    """

    scale: float = 1.0

    def __check_init__(self) -> None:
        expect.positive("scale", self.scale)

    def c_in(self, process: Process, t: Scalar, data_std: float) -> Scalar:
        """1/a."""
        return 1 / process.coefficients(t).a

    def c_noise(self, process: Process, t: Scalar) -> Scalar:
        """log(scale · σ/a)."""
        return jnp.log(self.scale) - process.log_snr(t)
