"""The experiment's time grid as specified, and what its stored results show."""

import json

import mcgdiff_table as experiment
import numpy as np
from _scoreboard import result


def test_the_levels_are_those_of_decreasing_rates():
    """ᾱ_1 = 1 − 0.02, and log ᾱ at the end is −∫β to second order: −10.04 − Σβ²/2."""
    table = experiment.alpha_bar()
    assert len(table) == 1000
    assert table[0] == 1
    np.testing.assert_allclose(table[1], 0.98)
    np.testing.assert_allclose(table[-1] / table[-2], 1 - 1e-4)
    expected = -999 * 0.01005 - 0.5 * 999 * (0.01005**2 + 0.0199**2 / 12)
    np.testing.assert_allclose(np.log(table[-1]), expected, rtol=1e-3)


def test_twenty_levels_are_visited_with_those_that_match_the_measurement():
    """From the last level to 0; in each is, where it has √ᾱ above 0.01, the one with σ̂ nearest to σ_y/s."""
    rng, table = np.random.default_rng(0), experiment.alpha_bar()
    for _ in range(200):
        values = np.sort(rng.uniform(size=rng.integers(1, 5)))[::-1]
        sigma = rng.uniform() * values[0]
        found = experiment.visited(values, sigma)
        assert len(found) == 20
        assert (found[0], found[-1]) == (999, 0)
        assert np.all(np.diff(found) < 0)
        for s in values:
            match = np.argmin(np.abs(sigma**2 * table - (1 - table) * s**2))
            assert match in found or table[match] ** 0.5 < 0.01
        gaps = -np.diff(np.sqrt(table[found]))
        assert gaps.max() < 2 / 14  # uniform would be 1/19, and up to four of them match


def test_the_stored_results_hold_every_cell_and_show_what_was_to_be_shown():
    results = json.loads(result(experiment.NAME).read_text())
    assert "quoted, not re-read" in experiment.page(results)
    assert {(c["dimension"], c["observed"]) for c in results["cells"]} >= {
        (d, m) for d in (8, 80) for m in (1, 2, 4)
    }
    assert all(len(v) == 20 for c in results["cells"] for v in c["distances"].values())
    failed = [statement for statement, _, holds in experiment.claims(results) if not holds]
    # TMPD's row sums are no variance where they are not positive, and its samples are not finite there
    assert set(failed) <= {"TMPD is below DPS"}
