"""Problems whose exact posterior is known, and how far a method's samples are from it."""

from jaxir.testbeds.gaussian import Calibration, LinearGaussian, stationary_covariance

__all__ = ["Calibration", "LinearGaussian", "stationary_covariance"]
