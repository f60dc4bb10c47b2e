"""Processes that move towards the degraded image, with a denoiser that sees it: the posterior after so many steps.

The thresholds are those measured of an independent implementation at λ about 0.2 with grids that are dense at both
ends: eigenvalues of the whitened covariance 0.8 to 1.15 at 100 steps and 0.9 to 1.1 at 400, mean error below 0.03.
"""

import jax
import numpy as np
import pytest
from affine import BASIS, MEAN, VARIANCES, gaussian, sampled

from jaxir.processes import (
    IRSDE,
    brownian_bridge,
    goub,
    i2sb,
    log_snr_times,
)
from jaxir.transitions import Ancestral

pytestmark = pytest.mark.usefixtures("x64")
PROCESSES = {
    "IRSDE": IRSDE(std=0.2),
    "GOUB": goub(std=0.2),
    "BrownianBridge": brownian_bridge(variance=0.16),
    "I2SB": i2sb(),
}


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
@pytest.mark.parametrize(("steps", "low", "high"), [(100, 0.8, 1.15), (400, 0.9, 1.1)])
def test_the_posterior_is_right_to_the_published_tolerances(process, steps, low, high):
    """With the natural posterior, exactly propagated: the law of the samples against the law of x0 given y."""
    law = jax.jit(lambda times: sampled(Ancestral(), gaussian(process), times))(
        log_snr_times(process, steps)
    )
    error = np.abs(BASIS.T @ (np.asarray(law.mean) - MEAN)) / np.sqrt(VARIANCES)
    white = BASIS.T @ np.asarray(law.covariance) @ BASIS / np.sqrt(np.outer(VARIANCES, VARIANCES))
    spectrum = np.linalg.eigvalsh(white)
    assert np.max(error) < 0.03
    assert low < spectrum[0]
    assert spectrum[-1] < high
