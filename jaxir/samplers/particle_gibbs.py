"""Forward–backward bridging: exact conditioning of a joint model, by noising and filtering in turn.

A model of z = (x, y) that was trained without a condition also knows x given y. One sweep of the Gibbs sampler:

1. noise the present (x, y) up the times: this gives the path v_K, …, v_0 of y, and of x a reference path;
2. come down the times with N particles for x, one of them the reference. At each level the model's step
   p(u_{k−1}, v_{k−1} | u_k, v_k), a Gaussian with independent entries, weighs a particle by how well it foresaw
   v_{k−1}, the particles choose their parents by weight, and the step proposes u_{k−1}, v_{k−1} being known;
3. one of the particles at the end is the new x.

This leaves the model's p(x | y) unchanged whatever N ≥ 2 is, up to the difference between the forward chain and the
discrete reverse chain, which is of the order of a step. Only the end of a path is kept, since the next sweep noises it
anew: a backward pass would redraw what is thrown away, and the memory is that of N images.

What is observed is told by a mask over z: some channels for a model of pairs, some pixels for a model of images.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxir.denoisers import Denoiser, Estimate
from jaxir.processes import Process
from jaxir.samplers.conditional_resampling import conditional_killing
from jaxir.samplers.mixing import effective_sample_size
from jaxir.samplers.resampling import effective_size
from jaxir.samplers.sampler import Sampler, twentieths
from jaxir.samplers.samples import Samples
from jaxir.transitions import Ancestral, Transition
from jaxir.typing import Image, Key, Scalar, Times


class ParticleGibbs(Sampler):
    """Draws of z given its observed entries; y is an image whose other entries do not matter.

    The clean image is taken for the state at the last time, so let its σ/a be small beside the data's detail.

    Args:
        observed: true where y is observed; of the shape of an image, or one that broadcasts to it.
        transition: a step whose noise is positive and independent from entry to entry. Its variance matters, for the
            weights are its densities: of DDPM's two, the narrow one makes x too narrow and the wide one too wide, and
            their geometric mean is the default.
        particles: N ≥ 2.
        sweeps: sweeps of each chain.
        resample: a rule of `jaxir.samplers.conditional_resampling`.

    Source: [corenflos2024bridging] (Gibbs sampler by conditional SMC); [andrieu2010pmcmc] Sec. 2.4.3;
        [chopin2015gibbs] for the last choice, which is never the reference.
    """

    observed: Bool[Array, ...]
    transition: Transition = Ancestral(mix=0.5)
    particles: int = eqx.field(static=True, default=50)
    sweeps: int = eqx.field(static=True, default=20)
    resample: Callable[[Key, Array], Int[Array, " n"]] = eqx.field(
        static=True, default=conditional_killing
    )

    def __check_init__(self) -> None:
        if self.particles < 2:
            raise ValueError(f"particles is {self.particles}, expected at least 2")
        if self.sweeps < 1:
            raise ValueError(f"sweeps is {self.sweeps}, expected at least 1")

    def sweep(
        self, key: Key, denoiser: Denoiser, z: Image, times: Times, y: Image
    ) -> tuple[Image, Scalar]:
        """The next z, and the effective number of particles at the level where it is smallest.

        Raises:
            ValueError: if the process is coupled.
            TypeError: if the transition's noise mixes entries.
        """
        process = denoiser.process
        if process.coupled:
            raise ValueError(
                f"{type(process).__name__} moves towards a degraded image, but here y is part of the state: "
                "use a model of (x, y) on a process with b = 0"
            )
        noise, top, choice, levels = jax.random.split(key, 4)
        path = noised(noise, process, jnp.where(self.observed, y, z), times)

        def place(particles: Array, reference: Image) -> Array:
            return jnp.where(self.observed, reference, particles).at[0].set(reference)

        def law(z: Image, t: Scalar, s: Scalar) -> tuple[Image, Image]:
            law = self.transition.step(denoiser, self.transition.init(z), z, t, s).law
            if callable(law.scale):
                raise TypeError(
                    f"the noise of {type(self.transition).__name__} is not independent from entry to entry: "
                    "use Ancestral, or DDIM with eta > 0"
                )
            return law.mean, jnp.broadcast_to(law.scale, z.shape)

        def level(particles: Array, now: tuple) -> tuple[Array, Scalar]:
            key, t, s, reference = now
            parent, fresh = jax.random.split(key)
            mean, scale = jax.vmap(law, (0, None, None))(particles, t, s)
            foresight = -0.5 * ((reference - mean) / scale) ** 2 - jnp.log(scale)
            foresight = jnp.sum(foresight, axis=(1, 2, 3), where=self.observed)
            parents = self.resample(parent, foresight)
            xi = jax.random.normal(fresh, particles.shape, particles.dtype)
            particles = mean[parents] + scale[parents] * xi
            return place(particles, reference), effective_size(foresight)

        start = process.start(jnp.zeros((self.particles, *z.shape), z.dtype), times[0])
        particles, ess = jax.lax.scan(
            level,
            place(start.sample(top), path[0]),
            (jax.random.split(levels, len(times) - 1), times[:-1], times[1:], path[1:]),
        )
        return particles[jax.random.randint(choice, (), 1, self.particles)], jnp.min(ess)

    def windows(self, count: int) -> Sequence[tuple[int, int]]:
        """About twenty windows of sweeps."""
        return twentieths(self.sweeps)

    def report(self, times: Times) -> dict[str, float]:
        """Evaluations of the denoiser for each image."""
        return {"evaluations": 1 + self.sweeps * self.particles * (len(times) - 1)}

    def init(self, denoiser: Denoiser, x: Image, times: Times, y: Image) -> PyTree:
        """(z, largest N/ESS); what is not observed begins as the estimate from noise."""
        return jnp.where(self.observed, y, denoiser(x, times[0])), jnp.ones((), x.dtype)

    def run(
        self,
        key: Key,
        denoiser: Denoiser,
        state: PyTree,
        times: Times,
        y: Image,
        start: int | Scalar,
        stop: int | Scalar,
    ) -> PyTree:
        """Sweeps `start` to `stop` − 1; sweep i has the key `fold_in(key, i)`."""

        def sweep(i: Scalar, state: PyTree) -> PyTree:
            z, ess = self.sweep(jax.random.fold_in(key, i), denoiser, state[0], times, y)
            return z, jnp.maximum(state[1], self.particles / ess)

        return jax.lax.fori_loop(start, stop, sweep, state)

    def finish(self, denoiser: Denoiser, state: PyTree, times: Times, y: Image) -> Estimate:
        """z, with the largest N/ESS on the way as `degeneracy`; 1 is none."""
        return Estimate(state[0], info={"degeneracy": state[1]})


class Chains(eqx.Module):
    """What a Markov chain visits.

    Attributes:
        images: (chains, sweeps, H, W, C).
        particle_ess: (chains, sweeps), the effective number of particles at the level where it is smallest.
    """

    images: Float[Array, "m n h w c"]
    particle_ess: Float[Array, "m n"]

    @property
    def mean(self) -> Image:
        """The mean of all draws."""
        return jnp.mean(self.images, axis=(0, 1))

    @property
    def std(self) -> Image:
        """The standard deviation of all draws."""
        return jnp.std(self.images, axis=(0, 1))

    @property
    def effective_sample_size(self) -> Image:
        """How many independent draws they are worth, for each entry."""
        return effective_sample_size(self.images)

    @property
    def samples(self) -> Samples:
        """All draws, with their quantiles, R̂ and `check`."""
        runs, _, *shape = self.images.shape
        return Samples(self.images.reshape(-1, *shape), {}, runs=runs)


@functools.partial(jax.jit, static_argnames=("discard",))
def run_chains(
    key: Key,
    denoiser: Denoiser,
    start: Float[Array, "m h w c"],
    times: Times,
    y: Image,
    *,
    sampler: ParticleGibbs,
    discard: int = 0,
) -> Chains:
    """All that `sampler` visits, for chains side by side.

    Args:
        key: chain i has `fold_in(key, i)`.
        denoiser: of the joint model.
        start: where each chain begins.
        times: decreasing; the clean image is the state at the last.
        y: the observed entries.
        sampler: its `sweeps` are all kept.
        discard: sweeps before those.
    """

    def chain(key: Key, z: Image) -> tuple[Array, Array]:
        def visit(z: Image, i: Scalar) -> tuple[Image, tuple[Image, Scalar]]:
            z, ess = sampler.sweep(jax.random.fold_in(key, i), denoiser, z, times, y)
            return z, (z, ess)

        begin = (jnp.where(sampler.observed, y, z), jnp.ones((), z.dtype))
        z, _ = sampler.run(key, denoiser, begin, times, y, 0, discard)
        return jax.lax.scan(visit, z, jnp.arange(discard, discard + sampler.sweeps))[1]

    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(len(start)))
    return Chains(*jax.vmap(chain)(keys, start))


def noised(key: Key, process: Process, x: Image, times: Times) -> Float[Array, "k h w c"]:
    """The states at decreasing `times` of a forward path that begins as `x` at the last of them."""

    def up(x: Image, i: Scalar) -> tuple[Image, Image]:
        law = process.forward(x, times[i + 1], times[i])
        return law.sample(jax.random.fold_in(key, i)), x

    top, path = jax.lax.scan(up, x, jnp.arange(len(times) - 2, -1, -1))
    return jnp.concatenate([path, top[None]])[::-1]
