"""EDM's and score_sde's networks against the originals' own outputs, alone and as the denoisers that they make."""

import functools

import jax
import jax.numpy as jnp
import pytest
from parity.parity import case, expect_parity

from jaxir.pretrained.families import KarrasEDM, ScoreSDE
from jaxir.processes import VP, SubVP

pytestmark = pytest.mark.usefixtures("quick_compile")
EDMS = ["edm_ncsnpp", "edm_ddpmpp", "edm_skip", "edm_adm"]


def labels(of):
    """The classes of one-hot rows, or nothing."""
    return [jnp.argmax(of.arrays["label"], axis=-1)] if "label" in of.arrays else []


@pytest.mark.parametrize("name", EDMS)
def test_a_network_of_edm_is_the_original(name):
    of = case(name)
    denoiser, network = KarrasEDM().convert(of.config, of.tensors)
    apply = functools.partial(network.apply, denoiser.params)
    expect_parity(apply, of, jnp.asarray(of.arrays["t"]), *labels(of))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("EDMPrecond", "edm_ncsnpp"),
        ("VEPrecond", "edm_ncsnpp"),
        ("VPPrecond", "edm_ddpmpp"),  # Gaussian waves of times up to 999 are rounding errors alone
    ],
)
def test_under_each_preconditioning_the_denoiser_is_the_originals(kind, name):
    """D(x; σ) of the original takes x0 + σ ε; ours is asked on its own process, at the same σ/a."""
    of = case(name)
    denoiser, _ = KarrasEDM().convert(of.config | {"precond": kind}, of.tensors)

    def found(x, sigma, *y):
        t = denoiser.process.time(-jnp.log(sigma))
        return denoiser(denoiser.process.coefficients(t).a * x, t, *y)

    out = jax.jit(jax.vmap(found))(of.images("x"), jnp.asarray(of.arrays["sigma"]), *labels(of))
    expected = of.images(kind)
    assert jnp.max(jnp.abs(out - expected)) < 2e-4 * jnp.max(jnp.abs(expected))


def test_what_is_not_here_of_score_sde_is_refused():
    assert not ScoreSDE().recognises(case("score_sde_ddpm").config)
    of = case("score_sde_ncsnpp_cat")
    with pytest.raises(ValueError, match=r"is .*, which jaxir's network does not have"):
        ScoreSDE().convert(of.config, of.tensors)


def test_a_network_of_score_sde_is_on_the_process_of_its_training():
    of = case("score_sde_ddpmpp")
    for sde, kind in (("vpsde", VP), ("subvpsde", SubVP)):
        config = of.config | {"training": {"sde": sde}}
        assert isinstance(ScoreSDE().convert(config, of.tensors).denoiser.process, kind)
    with pytest.raises(ValueError, match="sde is 'vesde'"):
        ScoreSDE().convert(of.config | {"training": {"sde": "vesde"}}, of.tensors)


def test_ddpmpp_of_score_sde_is_the_original():
    of = case("score_sde_ddpmpp")
    denoiser, network = ScoreSDE().convert(of.config, of.tensors)
    apply = functools.partial(network.apply, denoiser.params)
    expect_parity(apply, of, jnp.asarray(of.arrays["t"]))


@pytest.mark.parametrize("name", ["score_sde_ncsnpp", "score_sde_ncsnpp_skip"])
def test_ncsnpp_of_score_sde_is_the_score_of_images_in_0_to_1(name):
    """In [-1, 1] the noise is twice as large, and the score per unit of it half as much."""
    of = case(name)
    denoiser, network = ScoreSDE().convert(of.config, of.tensors)

    def score(x, sigma):
        return -network.apply(denoiser.params, 2 * x - 1, jnp.log(sigma)) / sigma

    expect_parity(score, of, jnp.asarray(of.arrays["t"]))
    x, sigma = 2 * of.images("x")[0] - 1, 2 * jnp.asarray(of.arrays["t"])[0]
    whole = 2 * denoiser.process.score(
        x, (t := denoiser.process.time(-jnp.log(sigma))), denoiser(x, t)
    )
    expected = of.images("out")[0]
    assert jnp.max(jnp.abs(whole - expected)) < 2e-4 * jnp.max(jnp.abs(expected))
