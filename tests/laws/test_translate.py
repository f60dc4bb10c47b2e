"""Translation between two Gaussians: the flow's own map, the optimal one in the limit, and back again."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affine import BASIS, MEAN, SHAPE, VARIANCES, affine, gaussian

from jaxir.denoisers import GaussianDenoiser
from jaxir.processes import EDM, VE, VP, log_snr_times
from jaxir.samplers import decode, encode, translate

pytestmark = pytest.mark.usefixtures("quick_compile", "x64")
OTHER_MEAN, OTHER_VARIANCES = np.array([-0.3, 0.4, 1.0]), np.array([0.5, 0.02, 1.0])


def other(process):
    """Another Gaussian with the same axes, so that the covariances commute."""
    mean = jnp.asarray(OTHER_MEAN).reshape(SHAPE)
    return GaussianDenoiser(process, mean, jnp.asarray(BASIS), jnp.asarray(OTHER_VARIANCES))


def of_flow(x, first, last):
    """Along each axis x̂ − m grows by √((p + σ̂₁²)/(p + σ̂₀²)) into the noise and shrinks by the other's out of it."""
    noise = MEAN @ BASIS + (x @ BASIS - MEAN @ BASIS) * np.sqrt(
        (VARIANCES + first**2) / (VARIANCES + last**2)
    )
    ratio = np.sqrt((OTHER_VARIANCES + last**2) / (OTHER_VARIANCES + first**2))
    return (OTHER_MEAN @ BASIS + (noise - OTHER_MEAN @ BASIS) * ratio) @ BASIS.T


X = np.array([0.7, -0.2, 1.5])


def test_the_translation_of_gaussians_is_the_flows_own_map():
    times = log_snr_times(VP(), 2)
    sigmas = np.exp(-np.asarray(VP().log_snr(times)))
    run = jax.jit(lambda x: translate(gaussian(VP()), other(VP()), x, times, tolerance=1e-6))
    found = run(jnp.asarray(X).reshape(SHAPE)).ravel()
    np.testing.assert_allclose(found, of_flow(X, *sigmas), atol=1e-4)


def test_from_much_noise_it_is_the_optimal_transport_and_its_cycle_the_identity():
    """m' + √(p'/p)(x − m): what the first noise leaves of it is (m − m') √p'/σ̂ < 1e-3 at σ̂ = 10⁴."""
    process = VE(1e-3, 1e4)
    times = log_snr_times(process, 2)

    def there_and_back(x):
        there = translate(gaussian(process), other(process), x, times, tolerance=1e-6)
        return there, translate(other(process), gaussian(process), there, times, tolerance=1e-6)

    there, back = jax.jit(there_and_back)(jnp.asarray(X).reshape(SHAPE))
    stretch = np.sqrt(OTHER_VARIANCES / VARIANCES)
    optimal = OTHER_MEAN + BASIS @ (stretch * (BASIS.T @ (X - MEAN)))
    np.testing.assert_allclose(there.ravel(), optimal, atol=1e-3)
    np.testing.assert_allclose(back.ravel(), X, atol=1e-3)


def test_the_cycle_in_fixed_steps_of_heun_is_of_third_order():
    """Its error of second order, even in the step, is undone by the same steps the other way; that of third is not."""
    losses = []
    for steps in (100, 200):
        times = log_snr_times(VP(), steps + 1)

        def cycle(x, times=times):
            denoiser = gaussian(VP())
            return decode(
                denoiser, encode(denoiser, x, times, tolerance=None), times, tolerance=None
            )

        matrix, _ = jax.jit(lambda: affine(cycle))()
        losses.append(np.abs(matrix - np.eye(3)).max())
    np.testing.assert_allclose(np.log2(losses[0] / losses[1]), 3.0, atol=0.25)


def test_the_noise_of_one_process_is_that_of_another():
    """The same σ̂ at both ends of two processes: encode with one, decode with the other."""
    levels = jnp.log(jnp.array([1 / 50.0, 100.0]))
    x = jnp.asarray(X).reshape(SHAPE)
    latents = [
        encode(gaussian(process), x, process.time(levels), tolerance=1e-7)
        for process in (VP(), EDM())
    ]
    chex.assert_trees_all_close(latents[0], latents[1], atol=1e-5)
    back = decode(gaussian(VP()), latents[1], VP().time(levels), tolerance=1e-7)
    np.testing.assert_allclose(back, x, atol=1e-4)
