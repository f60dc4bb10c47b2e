"""Restorers learnt from pairs, with the denoiser that they would have learnt: which law do their images have?

The pair is Gaussian and the network's answer exact, so laws propagate exactly, from the point or the noise that a
sampler starts with. What draws at random is to draw from p(x0 | y); the thresholds are those measured of an independent
implementation at a noise of about 0.2 with grids that are dense at both ends: eigenvalues of the whitened covariance
0.8 to 1.15 at 100 steps and 0.9 to 1.1 at 400, the mean within 0.03 deviations. What does not has a closed form.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from affine import BASIS, MEAN, SHAPE, VARIANCES, Law, Y, prior, sampled

from jaxir.processes import (
    IRSDE,
    VP,
    ConstantRate,
    Flow,
    Interpolation,
    ResShift,
    brownian_bridge,
    ddbm_ve,
    ddbm_vp,
    goub,
    i2sb,
    log_snr_times,
)
from jaxir.testbeds import PairedGaussian
from jaxir.transitions import DDIM, Ancestral, Bridge, MeanODE

pytestmark = pytest.mark.usefixtures("x64", "quick_compile")

STOCHASTIC = {
    "sr3": (VP(), Ancestral()),  # and Palette: what differs is y
    "irsde": (IRSDE(std=0.2), Ancestral()),
    "goub": (goub(std=0.2), Ancestral()),
    "bbdm": (brownian_bridge(variance=0.16), Ancestral()),
    "i2sb": (i2sb(), Bridge()),
    "ddbm-ve": (ddbm_ve(sigma_max=0.4), Ancestral()),
    "ddbm-vp": (ddbm_vp(), Ancestral()),
    # a start without the (1 − η) x0 = 0.02 x0 that is left at its end: an error of 0.02/κ of its noise
    "resshift": (ResShift(gain=0.4), Bridge()),
    "flow-from-noise": (Flow(), DDIM(0.0)),
    "flow-from-degraded": (Interpolation(std=0.2), DDIM(0.0)),
}


def bed() -> PairedGaussian:
    """A pair of which x0 given `Y` has the law `prior()`."""
    rng = np.random.default_rng(0)
    gain, mean_y = rng.normal(size=(3, 3)), rng.normal(size=SHAPE)
    covariance_y = 0.3 * np.eye(3) + 0.1
    cross = gain @ covariance_y
    mean = MEAN - gain @ (Y - mean_y).ravel()
    joint = (np.asarray(prior().covariance) + cross @ gain.T, cross, covariance_y)
    return PairedGaussian(jnp.asarray(mean.reshape(SHAPE)), jnp.asarray(mean_y), *joint)


def padded(times):
    """The grid with steps of no length at its end, so that all grids are one program."""
    return jnp.pad(times, (0, 400 - len(times)), mode="edge")


def started(process, t):
    """The law that a sampler starts from at `t`: it knows y and not x0."""
    law = process.start(jnp.zeros(SHAPE), t, jnp.asarray(Y))
    return Law(law.mean.ravel(), law.scale**2 * jnp.eye(3))


def test_the_bed_has_the_posterior_that_is_compared_with():
    law = bed().posterior(jnp.asarray(Y))
    np.testing.assert_allclose(law.mean.ravel(), MEAN, atol=1e-12)
    np.testing.assert_allclose(law.covariance, prior().covariance, atol=1e-12)


@pytest.mark.parametrize(
    "method",
    [pytest.param(m, marks=pytest.mark.slow if m == "goub" else ()) for m in STOCHASTIC],
)
def test_what_is_drawn_at_random_follows_the_posterior(method):
    process, transition = STOCHASTIC[method]
    denoiser = bed().conditional(process)
    for steps, low, high in ((100, 0.8, 1.15), (400, 0.9, 1.1)):
        times = padded(log_snr_times(process, steps))
        law = sampled(transition, denoiser, times, started(process, times[0]))
        error = np.abs(BASIS.T @ (np.asarray(law.mean) - MEAN)) / np.sqrt(VARIANCES)
        white = BASIS.T @ np.asarray(law.covariance) @ BASIS
        spectrum = np.linalg.eigvalsh(white / np.sqrt(np.outer(VARIANCES, VARIANCES)))
        assert np.max(error) < 0.03
        assert low < spectrum[0]
        assert spectrum[-1] < high


def straight(denoiser, steps):
    """The law of the image after so many steps from y along the path without noise, the last of them to t = 0."""
    point = Law(jnp.asarray(Y).ravel(), jnp.zeros((3, 3)))
    return sampled(Bridge(), denoiser, padded(jnp.linspace(1, 1 / steps, steps)), point)


@pytest.mark.parametrize("steps", [1, 9])
def test_the_ot_ode_gives_the_posterior_mean_after_any_number_of_steps(steps):
    """Its path from y to E[x0 | y] is straight: x_s = s y + (1 − s) E[x0 | y], of which the network tells E[x0 | y]."""
    law = straight(bed().conditional(Interpolation(std=0.0)), steps)
    np.testing.assert_allclose(law.mean, MEAN, atol=1e-10)
    np.testing.assert_allclose(law.covariance, 0, atol=1e-20)


def test_indi_goes_from_regression_to_optimal_transport():
    """One step of a network without y is E[x0 | y]; many are m + √(C/C_yy) (y − m_y), which has the law of x0.

    Along an axis that x0 and y share, S = Var x_t and E[y − x0 | x_t] = ½ S'/S (x_t − E x_t), so that the flow
    dx/dt = E[y − x0 | x_t] keeps (x_t − E x_t)/√S; here from t = 1 to 0, with the error of Euler's method.
    """
    clean, degraded, cross = VARIANCES, np.array([0.3, 0.2, 1.0]), np.array([0.04, 0.2, 1.1])
    mean, mean_y = np.array([0.1, -0.3, 0.2]), np.array([0.0, 0.2, 0.5])
    parts = (jnp.asarray(BASIS @ np.diag(v) @ BASIS.T) for v in (clean, cross, degraded))
    images = (jnp.asarray(v.reshape(SHAPE)) for v in (mean, mean_y))
    blind = PairedGaussian(*images, *parts).denoiser(Interpolation(std=0.0))
    gap = BASIS.T @ (Y.ravel() - mean_y)
    np.testing.assert_allclose(
        straight(blind, 1).mean, mean + BASIS @ (cross / degraded * gap), rtol=1e-10
    )
    transported = mean + BASIS @ (np.sqrt(clean / degraded) * gap)
    coarse, fine = (straight(blind, n).mean - transported for n in (200, 400))
    assert np.max(np.abs(fine)) < 0.02
    np.testing.assert_allclose(2 * fine - coarse, 0, atol=5e-4)  # what is left is of second order


@pytest.mark.parametrize(
    "process",
    [IRSDE(std=0.2, rate=ConstantRate()), pytest.param(goub(std=0.2), marks=pytest.mark.slow)],
    ids=["irsde", "goub"],
)
def test_the_mean_ode_shrinks_what_it_starts_with(process):
    """Its images are E[x0 | y] + p a/(a² p + σ²) e, e how far from its mean the state was that it started with.

    A deviation follows e' = (f + g²/V) e with V = a² p + σ² and V' = 2 f V + g², so that e a/V stays; D then takes
    p a/V of it. From the marginal, where Var e = V, the variance p² a²/V is left of p.
    """
    left = []
    for steps in (200, 400):
        times = padded(log_snr_times(process, steps, sigma_max=1.0))
        law = sampled(MeanODE(), bed().conditional(process), times)
        np.testing.assert_allclose(law.mean, MEAN, atol=0.01)
        variances = np.diagonal(BASIS.T @ np.asarray(law.covariance) @ BASIS)
        left.append(variances * (VARIANCES + 1) / VARIANCES**2 - 1)
    assert np.max(np.abs(left[1])) < 0.1
    np.testing.assert_allclose(
        2 * left[1] - left[0], 0, atol=5e-3
    )  # what is left is of second order
