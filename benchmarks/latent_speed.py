"""How much faster a step in latents is than one in pixels, for an image of 64 × 64, alone and with guidance.

    python benchmarks/latent_speed.py [--size 64] [--rounds 20]

The network is the shipped prior's; in latents the same, with as many channels as the latent in and out and without
folding its pixels in blocks, which the prior of pixels does at its door. The autoencoder is that of
experiments/kl_autoencoder.py, a quarter of the side. Weights are random: time does not depend on them. A step is
ancestral; the guided one is DPS, by A in pixels and by A ∘ D in latents, where the step also decodes and pulls the
gradient back through the decoder. The ratio of times is the median of interleaved rounds, with its quartiles;
operations are the compiler's own count, which no other load on the machine disturbs.
"""

import argparse
import dataclasses
import json
import shlex
import statistics
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from sampler_overhead import ratios

from jaxir.codecs import NetworkCodec
from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.denoisers import NetworkDenoiser
from jaxir.guidance import PublishedDPS
from jaxir.networks import UNet
from jaxir.processes import VP
from jaxir.provenance import provenance
from jaxir.transitions import Ancestral, Transition

sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))
from kl_autoencoder import NETWORK as AUTOENCODER

PIXELS = UNet(widths=(48, 96, 192), blocks=(2, 2, 2))
LATENTS = dataclasses.replace(
    PIXELS, in_channels=AUTOENCODER.latent, out_channels=AUTOENCODER.latent, patch=1
)


def step(transition: Transition, network: UNet, shape: tuple[int, int, int]) -> tuple:
    """One step, compiled, and what it is called with."""
    denoiser = NetworkDenoiser(VP(), network.init(jax.random.key(0)), network.apply)
    x, t, s = jax.random.normal(jax.random.key(1), shape), jnp.asarray(0.5), jnp.asarray(0.49)

    def one(transition, denoiser, x, y, key):
        return transition.step(denoiser, None, x, t, s, y).law.sample(key)

    y = None
    if isinstance(transition, PublishedDPS):
        y = transition.degradation.sample(jax.random.key(2), 0.1 * x)
    inputs = (transition, denoiser, x, y, jax.random.key(3))
    return jax.jit(one).lower(*inputs).compile(), inputs


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    shape = (arguments.size, arguments.size, 3)
    params = AUTOENCODER.init(jax.random.key(4))
    codec = NetworkCodec(AUTOENCODER, params, shape)
    degradation = Degradation(area_downsample(shape, 4), GaussianNoise(0.1))
    record = {"size": arguments.size, "rounds": arguments.rounds}
    for name, pixel, latent in (
        ("unguided", Ancestral(), Ancestral()),
        (
            "dps",
            PublishedDPS(Ancestral(), degradation, 1.0),
            PublishedDPS(Ancestral(), codec.through(degradation), 1.0),
        ),
    ):
        programs = [step(pixel, PIXELS, shape), step(latent, LATENTS, codec.latent_shape)]
        calls = [
            lambda program=program, given=given: program(*given) for program, given in programs
        ]
        operations = [program.cost_analysis()["flops"] for program, _ in programs]
        found = ratios(*calls, arguments.rounds)
        quarter = len(found) // 4
        record[name] = {
            "time_ratio_median": round(statistics.median(found), 2),
            "time_ratio_quartiles": [round(found[quarter], 2), round(found[-1 - quarter], 2)],
            "operations_ratio": round(operations[0] / operations[1], 2),
        }
    record |= {"command": shlex.join(["python", *sys.argv]), "provenance": provenance()}
    print(json.dumps(record, indent=2))
    path = Path(__file__).parent / "results" / "latent_speed.json"
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
