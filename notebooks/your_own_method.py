# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own guidance rule: is it right?
#
# You have a rule that bends a denoiser with a measurement. Before any photograph there are three questions, each of
# which takes seconds, because here the right answer is a formula:
#
# 1. Is it the **exact** conditional denoiser where it should be?
# 2. How far from it is it elsewhere, at every noise level, beside the built-in rules?
# 3. Are its **samples** the posterior's?
#
# ## The rule, in fifteen lines
#
# It takes $p(y \mid x_t) \approx N(A D, \sigma_y^2 I + r^2 A A^\top)$, as ΠGDM does, but for any linear $A$ without a
# solve: the matrix $A A^\top$ is replaced by its row sums. By Tweedie's formula the estimate moves by
#
# $$\frac{\sigma_t^2}{a_t}\,\nabla_{x_t} \log p(y \mid x_t), \qquad r^2 = \frac{v\,\hat\sigma^2}{v + \hat\sigma^2}.$$

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import jaxir
from jaxir.degradations import Degradation, GaussianNoise, area_downsample
from jaxir.denoisers import Denoiser, Estimate
from jaxir.guidance import DPS, MMPS, Guided, PiGDM
from jaxir.processes import VP
from jaxir.samplers import Discrete
from jaxir.testbeds import LinearGaussian, mean_error, stationary_covariance
from jaxir.transitions import DDIM


class RowSums(Guided):
    """D + (σ²/a) Jᵀ Aᵀ (y − A D)/(σ_y² + r² A Aᵀ 1)."""

    denoiser: Denoiser
    degradation: Degradation
    variance: float = 0.25
    power: float = 1.0  # of a in σ²/a: there to be got wrong below

    def estimate(self, x, t, y=None):
        operator, noise = self.degradation.operator, self.degradation.noise.sigma
        x0_hat, pull = jax.vjp(lambda x: self.denoiser(x, t), x)
        level = self.snr_scale(t) ** 2
        r2 = self.variance * level / (self.variance + level)
        rows = operator(operator.adjoint(jnp.ones_like(y)))
        back = operator.adjoint(self.residual(x0_hat, y) / (noise**2 + r2 * rows))
        a, _, sigma = self.process.coefficients(t)
        return Estimate(x0_hat + sigma**2 / a**self.power * pull(back)[0])


# %% [markdown]
# `Guided` brings what every rule shares: its process, that it sees $y$, the refusal of processes on which it makes no
# sense. It is a value whose numbers are leaves, so that `jit`, `vmap` and `grad` pass through, and it works with every
# sampler.
#
# A mistake that is easily made: the factor $\sigma^2$, right on the variance-exploding process where $a = 1$, is kept
# on another, where it should be $\sigma^2/a$. That is `power=0`.

# %%
noise = GaussianNoise(0.1)
shape = (8, 8, 1)
degradation = Degradation(area_downsample(shape, 2), noise)
process = VP()


def rules(bed):
    """The rules to compare, each a denoiser of p(x0 | y)."""
    prior = bed.denoiser(process)
    return {
        "DPS": DPS(prior, bed.degradation),
        "ΠGDM": PiGDM(prior, bed.degradation, variance=0.25),
        "MMPS": MMPS(prior, bed.degradation, steps=4),
        "row sums": RowSums(prior, bed.degradation),
        "row sums, wrong factor": RowSums(prior, bed.degradation, power=0.0),
    }


@jax.jit
def gaps(rule, exact, prior, states, times, y):
    """How much of the exact correction is missed at each time: 0 is right, 1 is as bad as no guidance."""

    def gap(x, t):
        wanted, plain = exact(x, t, y), prior(x, t)
        return jnp.linalg.norm(rule(x, t, y) - wanted) / jnp.linalg.norm(plain - wanted)

    return jax.lax.map(lambda pair: gap(*pair), (states, times))


def missed(bed, count=25):
    """The gaps of all rules along the noise levels, at states as they come."""
    x0, y = bed.draw(jax.random.key(0))
    times = process.time(jnp.linspace(-2.5, 3.0, count))
    keys = jax.random.split(jax.random.key(1), count)
    states = jax.vmap(lambda key, t: process.marginal(x0, t).sample(key))(keys, times)
    exact, prior = bed.conditional(process), bed.denoiser(process)
    found = {name: gaps(rule, exact, prior, states, times, y) for name, rule in rules(bed).items()}
    return jnp.exp(-process.log_snr(times)), found


# %% [markdown]
# ## 1. Where it must be exact
#
# Pixels that are independent with variance $v$: there $r^2 I$ **is** the covariance of $x_0$ given $x_t$, and for means
# of 2 × 2 pixels $A A^\top = I/4$ is its row sums. So the rule has to agree with the exact conditional denoiser to
# rounding, and no sampler, no seed and no tolerance come between.

# %%
white = LinearGaussian(jnp.zeros(shape), 0.25 * jnp.eye(64), degradation)
levels, found = missed(white)
for name, gap in found.items():
    print(f"{name:24} misses at most {gap.max():8.1e} of the correction")

# %% [markdown]
# The right factor misses nothing but rounding; the wrong one is caught at once. It is a mistake that pictures hide: the
# guidance still pulls towards the measurement, only too weakly where the noise is high.

# %%
assert found["row sums"].max() < 1e-3 < 0.1 < found["row sums, wrong factor"].max()

# %% [markdown]
# ## 2. Where nobody's closure is exact
#
# A smooth field, as bright and dark as a photograph: neighbours tell of each other, and the covariance of $x_0$ given
# $x_t$ is not $r^2 I$ any more.

# %%
field = LinearGaussian(jnp.zeros(shape), 0.25 * stationary_covariance(8), degradation)
levels, found = missed(field)
colours = ["#8a8a8a", "#3b0f70", "#1b7837", "#de4968", "#fe9f6d"]
fig, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
for (name, gap), colour in zip(found.items(), colours, strict=True):
    axis.loglog(levels, gap, color=colour, lw=1.8, label=name)
axis.axhline(1, color="#c8c8c8", lw=0.8, ls=":")
axis.set(
    xlabel="noise of the state, σ/a",
    ylabel="missed of the correction",
    xlim=(levels.max(), levels.min()),
)
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# Noise falls from left to right, as in sampling. MMPS takes the covariance from the denoiser's Jacobian and is right up
# to its four steps of a solver. The row sums hide the line of ΠGDM: for this operator they are the same rule, without
# the solve. The wrong factor looks no worse, even better for a while: where the closure is wrong too, two errors may
# cancel, and no distance tells them apart.
#
# ## 3. Its samples
#
# The same rules through a sampler, against draws of the posterior: the error of the mean in units of the posterior's
# deviation, the ratio of deviations, and what a 90 % interval holds.

# %%
x0, y = field.draw(jax.random.key(2))
law = field.posterior(y)
exact = law.sample(jax.random.key(3), 256)


def row(name, images):
    """One line of the table."""
    error = mean_error(images, law.mean, law.std)
    ratio = jnp.mean(images.std(axis=0, ddof=1) / law.std)
    low, high = jnp.quantile(images, jnp.array([0.05, 0.95]), axis=0)
    held = jnp.mean((low <= exact) & (exact <= high))
    print(f"{name:24}{error:12.2f}{ratio:12.2f}{held:12.0%}")


print(f"{'':24}{'mean error':>12}{'deviation':>12}{'in 90 %':>12}")
row("exact draws", law.sample(jax.random.key(4), 256))
errors = {}
for name, rule in rules(field).items():
    restored = jaxir.restore(
        y,
        field.degradation,
        prior=field.denoiser(process),
        method=lambda denoiser, degradation, rule=rule: (rule, Discrete(DDIM(1.0))),
        steps=50,
        samples=256,
    )
    row(name, restored.images)
    errors[name] = float(mean_error(restored.images, law.mean, law.std))

# %% [markdown]
# Look at the last two lines: **the wrong factor passes**. Where the noise is low $a$ is almost 1, the factor is right,
# and the late steps mend what the early ones spoilt. On a problem with several answers the early steps decide, and
# nothing mends it. That is why the identity comes first: samples that look right prove little.
#
# Many problems, other processes and a mixture with several answers are one command; a rule of your own is named as
# `module:object` and stands in one table with the built-in ones, exact draws and the prior:
#
# ```bash
# jaxir bench exact --bed gaussian mixture --process vp ve --method dps pigdm mmps my_module:RowSums
# ```
#
# What is left is a home: a published method is one file in `jaxir/guidance`, a line in `jaxir.methods` makes it a name
# in the shell, and the identity of question 1 is its test ([how to contribute](../contributing.md)).

# %%
assert max(errors.values()) < 0.3
