"""The parts of the experiments on medical slices that can be wrong without being seen, and what they store."""

import json
from functools import partial

import _medical
import ct
import jax
import jax.numpy as jnp
import mri
import numpy as np
import pytest
from _scoreboard import result

import jaxir
from jaxir import methods
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    MultiCoil,
    grey,
    parallel_beam,
)
from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import VP, Process

pytestmark = pytest.mark.usefixtures("quick_compile")


class Shrinkage(Denoiser):
    """E[x0 | x] of a standard normal image: no network to compile."""

    process: Process = VP()

    def estimate(self, x, t, y=None):
        a, _, sigma = self.process.coefficients(t)
        return Estimate(a / (a**2 + sigma**2) * x)


def test_the_noise_of_coils_is_found_beyond_the_signal_and_made_white():
    """4,000 points of 4 coils: a covariance is known to 1/√4000 of a variance, 1.6 %; 5 % is three of them."""
    rng = np.random.default_rng(0)
    shape, mixture = (4, 230, 180), np.tril(rng.normal(size=(4, 4)) + 3 * np.eye(4))
    unit = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    noise = np.einsum("jk,khw->jhw", mixture, unit)
    signal = 1e3 * np.exp(-((mri.radius(230, 180) / 0.2) ** 2))
    measured = mri.radius(230, 180) <= 1
    found = mri.whitened(np.where(measured, noise + signal, 0))
    far = found[:, measured & (mri.radius(230, 180) > mri.NOISE)]
    np.testing.assert_allclose(far.real.std(axis=1), 1, rtol=0.05)
    clean = mri.whitened(np.where(measured, noise, 0))
    inner = clean[:, mri.radius(230, 180) < 0.5]  # points that the estimate has not seen
    np.testing.assert_allclose(inner @ inner.conj().T / 2 / inner.shape[1], np.eye(4), atol=0.05)


def test_fewer_points_are_a_part_of_those_measured_with_the_square(key):
    measured = jax.random.uniform(key, (60, 48)) < 0.4
    middle = mri.middle((mri.SQUARE, mri.SQUARE), measured.shape)
    measured = measured.at[middle].set(True)
    few, fewer = (mri.thinned(key, measured, a) for a in (3.5, 4.0))
    assert int(few.sum()) == round(60 * 48 / 3.5)
    assert int(fewer.sum()) == 60 * 48 // 4
    assert fewer[middle].all()
    assert not (fewer & ~few).any()
    assert not (few & ~measured).any()


def test_black_is_no_signal_and_the_magnitude_is_that_of_the_complex_image(key):
    shape = (2, 32, 32)
    kspace, maps = (jax.random.normal(k, shape, complex) for k in jax.random.split(key))
    scan = mri.Scan(kspace, maps, 0.5)
    degradation, y = scan.seen(jnp.ones((32, 32), bool))
    operator = degradation.operator
    z = jax.random.normal(key, (32, 32, 2))
    np.testing.assert_allclose(
        operator(scan.scale * z + scan.black) - y,
        scan.scale * (operator(z) - kspace),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        mri.magnitude(z + scan.black) + 1, jnp.hypot(*z.T).T[..., None], rtol=1e-5
    )
    grey_photograph = jnp.broadcast_to(z[..., :1], (32, 32, 3))
    np.testing.assert_allclose(
        mri.colours((32, 32, 3))(grey_photograph), z.at[..., 1].set(0), atol=1e-6
    )


def test_hounsfield_units_become_attenuations_in_that_of_water():
    found = ct.windowed(np.array([[-2000, -1000, 0, 500, 3000]]))
    np.testing.assert_allclose(found[0, :, 0] + 1, [0, 0, 1, 1.5, 2])


@pytest.fixture(scope="module")
def few():
    return ct.scanner(12, 6, 2)


def test_the_matrix_is_the_scanner_and_solves_its_systems(few, key):
    shape = few.coloured.shape
    operator = few.views @ grey(shape)
    x, v = jax.random.normal(key, (2, *shape))
    y = few.coloured(x)
    np.testing.assert_allclose(y.reshape(6, -1)[::2], operator(x)[..., 0], atol=1e-4)
    np.testing.assert_array_equal(y.reshape(6, -1)[1::2], 0)
    np.testing.assert_allclose(few.coloured.adjoint(y), operator.adjoint(operator(x)), atol=1e-3)
    rhos = jnp.array([0.1, 10.0])
    mine, theirs = (jax.vmap(partial(a.solve, v))(rhos) for a in (few.coloured, operator))
    np.testing.assert_allclose(mine, theirs, atol=2e-3)
    np.testing.assert_allclose(few.coloured(few.coloured.pinv(y)), y, atol=2e-3)


def scanners(key):
    """An operator of each kind with a mixture of channels inside, 8 × 8."""
    shape = (8, 8, 3)
    maps = jax.random.normal(key, (3, 8, 8), complex)
    maps /= jnp.sqrt(jnp.sum(jnp.abs(maps) ** 2, axis=0))
    mask = jnp.arange(64).reshape(8, 8) % 3 > 0
    return {
        "coils": MultiCoil(maps, mask, (8, 8, 2)) @ mri.colours(shape),
        "beams": parallel_beam((8, 8, 1), 3) @ grey(shape),
    }


@pytest.mark.parametrize("name", ["coils", "beams"])
def test_what_a_scanner_sees_of_colours_is_explained_with_a_solve_and_with_a_gradient(name, key):
    """A draw of the posterior leaves 1 σ of y; a factor lost between mixture and scanner leaves many."""
    degradation = Degradation(scanners(key)[name], GaussianNoise(0.3))
    x = jax.random.normal(key, (8, 8, 3))
    y = degradation.sample(key, x)
    for method in (methods.diffpir, methods.dps):
        samples = jaxir.restore(y, degradation, prior=Shrinkage(), method=method, check=False)
        assert 0.5 < float(samples.residual(degradation, y).mean()) < 1.5, method
    with pytest.raises(TypeError, match="singular basis"):
        methods.ddrm(Shrinkage(), degradation)


def test_row_sums_are_refused_for_a_complex_measurement(key):
    degradation = Degradation(scanners(key)["coils"], GaussianNoise(0.3))
    y = degradation.sample(key, jnp.zeros((8, 8, 3)))
    with pytest.raises(TypeError, match="complex measurement"):
        jaxir.restore(y, degradation, prior=Shrinkage(), method=methods.tmpd, steps=2)


def test_without_the_data_an_experiment_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("JAXIR_DATA", str(tmp_path / "nowhere"))
    for smoke, code in ((True, 0), (False, 1)):
        with pytest.raises(SystemExit) as end:
            _medical.slices(smoke)
        assert end.value.code == code
        assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("experiment", [mri, ct], ids=lambda module: module.NAME)
def test_the_stored_results_hold_a_row_or_a_reason_for_every_method(experiment):
    path = result(experiment.NAME)
    if not path.is_file():
        pytest.skip(f"{path} is not there: run experiments/{experiment.NAME}.py where the data are")
    results = json.loads(path.read_text())
    assert len(results["boards"]) == 2
    for board in results["boards"].values():
        assert set(board) >= {*_medical.METHODS, "TV"}
        assert all(("psnr" in row) != ("refused" in row) for row in board.values())
    assert (path.parents[2] / "docs" / "scoreboards" / f"{experiment.NAME}.png").is_file()
