"""One trial of `jaxir demo` and `jaxir bench`: what is not admitted is told, and the rest goes on."""

import jax
import jax.numpy as jnp
import pytest

from jaxir.cli.tasks import TASKS
from jaxir.cli.trial import trial
from jaxir.denoisers import gaussian_denoiser
from jaxir.methods import diffpir
from jaxir.processes import VP

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE = (12, 12, 3)
WHITE = gaussian_denoiser(VP(), jnp.zeros(SHAPE), jnp.eye(432))


def refuses(denoiser, degradation):
    raise TypeError("needs another operator")


def run(**more):
    return trial(
        *(jax.random.key(0), "label", TASKS["denoise"], jnp.zeros(SHAPE)),
        **dict(denoiser=WHITE, chosen={"no": refuses, "yes": diffpir}, steps=3, samples=2, **more),
    )


def test_a_method_that_does_not_admit_the_task_is_told_and_the_others_go_on():
    told = []
    outcomes = list(run(refused=lambda *what: told.append(what)))
    assert [outcome.result.method for outcome in outcomes] == ["input", "TV", "yes"]
    ((method, error),) = told
    assert method == "no"
    assert str(error) == "needs another operator"
    result = outcomes[-1].result
    assert result.single < result.psnr  # the mean of two is nearer than they are


def test_without_a_listener_the_error_is_raised():
    with pytest.raises(TypeError, match="another operator"):
        list(run())
