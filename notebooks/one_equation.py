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
# # One equation
#
# Diffusion models, flow matching, mean-reverting SDEs and bridges are usually taught as different things. They are one:
#
# $$x_t = a(t)\,x_0 + b(t)\,y + \sigma(t)\,\varepsilon, \qquad \varepsilon \sim N(0, I)$$
#
# A clean image $x_0$ fades out by $a$, a degraded image $y$ fades in by $b$, noise comes and perhaps goes by
# $\sigma$. Time runs from 0 (clean) to 1. This notebook looks at the curves, at one pixel, at a photograph, and then
# shows without any network that sampling does not care which process it runs on.

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxir
from jaxir.degradations import Degradation, GaussianNoise, motion_blur
from jaxir.denoisers import MixtureDenoiser, on
from jaxir.photos import photo
from jaxir.processes import (
    EDM,
    IRSDE,
    VE,
    VP,
    ConstantRate,
    CosineVP,
    DenoisingSDE,
    Flow,
    Interpolation,
    LinearRate,
    ResShift,
    SubVP,
    Wiener,
    brownian_bridge,
    ddbm_ve,
    ddbm_vp,
    goub,
    i2sb,
)
from jaxir.samplers import Discrete
from jaxir.transitions import DDIM, Ancestral

PURPLE, ROSE, ORANGE, GREY = "#3b0f70", "#de4968", "#fe9f6d", "#8a8a8a"
plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "font.size": 9,
        "legend.frameon": False,
        "figure.dpi": 110,
    }
)

# %% [markdown]
# ## Three curves each
#
# | function | $a$ | $b$ | $\sigma$ |
# |---|---|---|---|
# | `VP()`, $B = \int_0^t \beta$ | $e^{-B/2}$ | 0 | $\sqrt{1 - e^{-B}}$ |
# | `SubVP()` | $e^{-B/2}$ | 0 | $1 - e^{-B}$ |
# | `CosineVP()`, $\varphi = \frac{\pi}{2}\frac{t + o}{1 + o}$ | $\cos\varphi / \cos\varphi_0$ | 0 | $\sqrt{1 - a^2}$ |
# | `Flow()` | $1 - t$ | 0 | $t$ |
# | `VE()` | 1 | 0 | $\sigma_{\min}(\sigma_{\max}/\sigma_{\min})^t$ |
# | `EDM()` | 1 | 0 | $\sigma_{\max} t$ |
# | `Wiener()` | 1 | 0 | $\sqrt{v t}$ |
# | `DenoisingSDE()`, $\bar\theta = \int_0^t \theta$ | 1 | 0 | $\lambda\sqrt{1 - e^{-2\bar\theta}}$ |
# | `IRSDE()`, $\theta$ cosine, constant, linear | $e^{-\bar\theta}$ | $1 - a$ | $\lambda\sqrt{1 - e^{-2\bar\theta}}$ |
# | `ResShift()` | $1 - \eta$ | $\eta$ | $\kappa\sqrt{\eta}$ |
# | `Interpolation()` | $1 - t$ | $t$ | $\sigma_1 t$ |
#
# A bridge is one of these, told to end in $y$. With $r = e^{2(\ell_1 - \ell_t)}$ and $\ell = \log(a/\sigma)$,
# `pin(process)` is
#
# $$a \leftarrow a(1 - r), \qquad b \leftarrow b + \tfrac{a}{a_1} r\,(1 - b_1), \qquad
# \sigma^2 \leftarrow \sigma^2(1 - r)$$
#
# and BBDM, I²SB, DDBM and GOUB are `pin` of a `Wiener`, of a `Wiener` in a slower clock, of `EDM` and `VP`, and of
# `IRSDE`.

# %%
processes = {
    "VP": VP(),
    "sub-VP": SubVP(),
    "VP, cosine": CosineVP(),
    "flow matching": Flow(),
    "VE": VE(),
    "EDM": EDM(),
    "Wiener": Wiener(variance=400.0, span=(1e-6, 1.0)),
    "denoising SDE": DenoisingSDE(std=20.0),
    "IR-SDE": IRSDE(),
    "IR-SDE, constant": IRSDE(rate=ConstantRate()),
    "IR-SDE, linear": IRSDE(rate=LinearRate()),
    "ResShift": ResShift(),
    "interpolation": Interpolation(std=0.5),
    "Brownian bridge": brownian_bridge(),
    "I²SB": i2sb(),
    "DDBM-VE": ddbm_ve(),
    "DDBM-VP": ddbm_vp(),
    "GOUB": goub(),
}
t = jnp.linspace(0.0, 1.0, 201)

fig, axes = plt.subplots(3, 6, figsize=(13, 6), sharex=True, sharey=True, layout="constrained")
for axis, (name, process) in zip(axes.flat, processes.items(), strict=True):
    a, b, sigma = jax.vmap(process.coefficients)(t)
    scale = float(sigma.max()) if sigma.max() > 2.5 else 1
    axis.plot(t, sigma / scale, color=ORANGE, lw=2)
    if process.coupled:
        axis.plot(t, b, color=ROSE, lw=2)
    axis.plot(t, a, color=PURPLE, lw=2)
    axis.set_title(name)
    axis.set(xticks=[0, 1], yticks=[0, 1, 2])
    if scale > 1:
        axis.text(
            0.97, 0.58, f"σ ÷ {scale:.0f}", color=ORANGE, ha="right", transform=axis.transAxes
        )
for axis in axes[-1]:
    axis.set_xlabel("t", labelpad=-8)
handles = [plt.Line2D([], [], color=c, lw=2) for c in (PURPLE, ROSE, ORANGE)]
labels = ["a, the clean image", "b, the degraded image", "σ, the noise"]
fig.legend(handles, labels, loc="outside upper center", ncols=3)
plt.show()

# %% [markdown]
# ## One pixel
#
# From the curves alone follows the law of $x_t$ given an earlier $x_s$, `process.forward(x, s, t, y)`:
#
# $$x_t \mid x_s \sim N\Big(\tfrac{a_t}{a_s}(x_s - b_s y) + b_t y,\; \sigma_t^2 - \tfrac{a_t^2}{a_s^2}\sigma_s^2\Big)$$
#
# so paths can be drawn exactly. Below a pixel starts at $x_0 = 0.6$; the degraded image has $y = -0.5$ there. Some
# processes forget the pixel, some drift to $y$ and stay noisy, and a bridge ends in $y$ itself.

# %%
shown = ["VP", "flow matching", "IR-SDE", "interpolation", "Brownian bridge", "GOUB"]
clean, degraded = jnp.full((1, 1, 1), 0.6), jnp.full((1, 1, 1), -0.5)


@jax.jit
def walk(key, process, times):
    """One path of the pixel through increasing `times`."""

    def move(x, step):
        key, s, t = step
        x = process.forward(x, s, t, degraded).sample(key)
        return x, x.squeeze()

    first, rest = jax.random.split(key)
    x = process.marginal(clean, times[0], degraded).sample(first)
    keys = jax.random.split(rest, len(times) - 1)
    return jax.lax.scan(move, x, (keys, times[:-1], times[1:]))[1]


fig, axes = plt.subplots(1, 6, figsize=(13, 2.6), sharey=True, layout="constrained")
for axis, name in zip(axes, shown, strict=True):
    process = processes[name]
    times = jnp.linspace(*process.span, 200)
    paths = jax.vmap(walk, (0, None, None))(jax.random.split(jax.random.key(0), 24), process, times)
    a, b, sigma = jax.vmap(process.coefficients)(times)
    mean = a * clean.squeeze() + b * degraded.squeeze()
    axis.plot(times[1:], paths.T, color=PURPLE, lw=0.5, alpha=0.35)
    axis.fill_between(times, mean - 2 * sigma, mean + 2 * sigma, color=ORANGE, alpha=0.25, lw=0)
    axis.plot(times, mean, color=ORANGE, lw=2)
    axis.axhline(0.6, color=GREY, lw=0.8, ls=":")
    if process.coupled:
        axis.axhline(-0.5, color=ROSE, lw=0.8, ls=":")
    axis.set_title(name)
    axis.set(xticks=[0, 1], ylim=(-2.4, 2.4), yticks=[-0.5, 0.6], yticklabels=["y", "$x_0$"])
    axis.set_xlabel("t", labelpad=-8)
plt.show()

# %% [markdown]
# ## A photograph
#
# The same for an image, with one and the same noise $\varepsilon$ in all of them: `process.marginal(x0, t, y)`. On
# the left is the photograph; what the last column looks like is where a sampler of that process starts.

# %%
truth = jnp.asarray(photo("cat"))
blurred = Degradation(motion_blur(truth.shape, 15, 30), GaussianNoise(0.1))
y = blurred.sample(jax.random.key(1), truth)
eps = jax.random.normal(jax.random.key(2), truth.shape)
shares = np.array([0, 0.2, 0.4, 0.6, 0.8, 1])
rows = [*shown[:3], "ResShift", *shown[4:]]

fig, axes = plt.subplots(6, 6, figsize=(8.6, 8.7), layout="constrained")
for row, name in zip(axes, rows, strict=True):
    low, high = processes[name].span
    for axis, share in zip(row, shares, strict=True):
        law = processes[name].marginal(truth, jnp.asarray(low + share * (high - low)), y)
        axis.imshow((law.mean + law.scale * eps).clip(-1, 1) / 2 + 0.5)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    row[0].set_ylabel(name, fontweight="bold")
for axis, share in zip(axes[0], shares, strict=True):
    axis.set_title(f"t = {share:.1f}")
plt.show()

# %% [markdown]
# ## Sampling is one thing as well
#
# A denoiser is $D(x, t, y) = E[x_0 \mid x_t, y]$. In the normalised state $\hat x = (x_t - b\,y)/a = x_0 +
# \hat\sigma\,\varepsilon$, with $\hat\sigma = \sigma/a$, no process is left: neither the denoiser nor a step depends
# on it. So a denoiser made for one process runs on any other (`on(process, denoiser)`), and on one grid of
# $\hat\sigma$ all processes must give **the same samples**.
#
# For a mixture of Gaussians $D$ is known exactly, and the claim can be checked without a network. Here the prior has
# three peaks; each process starts from the same 40 draws of noise and takes the deterministic steps of `DDIM()`, $x_s
# = a_s D + b_s y + \sigma_s \hat\varepsilon$.

# %%
weights = jnp.array([0.5, 0.3, 0.2])
peaks = jnp.array([-1.0, 0.3, 1.2]).reshape(3, 1, 1, 1)
prior = MixtureDenoiser(VP(), weights, peaks, 0.02)
levels = jnp.geomspace(14.0, 0.042, 60)  # σ̂, inside the span of every process
transition = DDIM()


@partial(jax.jit, static_argnames="trivial")
def trajectory(process, noise, trivial=False):
    """The states x_t of a deterministic run, and their times."""
    denoiser = on(process, prior)
    times = process.time(-jnp.log(levels))
    start = process.start(noise, times[0], degraded)

    def step(x, pair):
        x = transition.step(denoiser, None, x, *pair, degraded).law.mean
        return x, x

    x = start.mean + start.scale * noise
    return times, jnp.concatenate([x[None], jax.lax.scan(step, x, (times[:-1], times[1:]))[1]])


noises = jax.random.normal(jax.random.key(3), (40, 1, 1, 1))
runs = {n: jax.vmap(trajectory, (None, 0))(p, noises) for n, p in processes.items()}
normalised = {}
for name, process in processes.items():
    times, states = runs[name][0][0], runs[name][1].reshape(40, -1)
    a, b, _ = jax.vmap(process.coefficients)(times)
    normalised[name] = (states - b * degraded.squeeze()) / a
largest = max(float(jnp.abs(x - normalised["VP"]).max()) for x in normalised.values())
print(f"18 processes, 40 runs each: in x̂ they differ by {largest:.0e} at most, starting at ±40")
assert largest < 0.01

# %%
fig = plt.figure(figsize=(13, 3.6), layout="constrained")
grid = fig.add_gridspec(2, 7, width_ratios=[1, 1, 1, 0.15, 1, 1, 1])
for place, name in enumerate(shown):
    axis = fig.add_subplot(grid[place // 3, place % 3])
    axis.plot(runs[name][0][0], runs[name][1].reshape(40, -1).T, color=PURPLE, lw=0.5, alpha=0.5)
    axis.set_title(name)
    axis.set(xticks=[0, 1], yticks=[], xlim=(0, 1), ylim=(-2.4, 2.4))
    axis.set_ylabel("$x_t$", labelpad=2)
axis = fig.add_subplot(grid[:, 4:])
for lines in normalised.values():
    axis.plot(levels, jnp.arcsinh(lines.T), color=PURPLE, lw=0.5, alpha=0.1)
for peak in peaks.ravel():
    axis.axhline(np.arcsinh(peak), color=ROSE, lw=0.8, ls=":")
axis.set(xscale="log", xticks=[0.1, 1, 10], xticklabels=["0.1", "1", "10"], yticks=[])
axis.set_title("all 18, normalised: one set of lines")
axis.set(xlabel=r"$\hat\sigma = \sigma/a$", ylabel=r"$\hat x$ (asinh scale)")
plt.show()

# %% [markdown]
# ## And it is the right law
#
# Now measure: $y = x_0 + 0.5\,n$. The posterior of a mixture is a mixture, so its exact denoiser $E[x_0 \mid x_t, y]$
# is known as well, and the samples of any process can be held against the exact $p(x_0 \mid y)$. Here are the ten
# processes that move towards $y$, each by `jaxir.sample` with stochastic steps on its own default grid, from its own
# start.

# %%
measured, noise = 0.55, 0.5
width = 0.02 * noise**2 / (0.02 + noise**2)
fit = -0.5 * (measured - peaks.ravel()) ** 2 / (0.02 + noise**2)
posterior = {
    "weights": jax.nn.softmax(jnp.log(weights) + fit),
    "means": width * (peaks / 0.02 + measured / noise**2),
    "variance": width,
}
y_pixel = jnp.full((1, 1, 1), measured)
x = np.linspace(-1.7, 1.9, 400)
bumps = np.exp(-0.5 * (x[:, None] - posterior["means"].ravel()) ** 2 / width)
density = (bumps / np.sqrt(2 * np.pi * width)) @ posterior["weights"]
quantiles = np.interp((np.arange(8000) + 0.5) / 8000, np.cumsum(density) / density.sum(), x)

compared = [name for name, process in processes.items() if process.coupled]
fig, axes = plt.subplots(2, 5, figsize=(13, 3.8), sharex=True, sharey=True, layout="constrained")
for axis, name in zip(axes.flat, compared, strict=True):
    denoiser = MixtureDenoiser(processes[name], **posterior)
    drawn = jaxir.sample(
        jax.random.key(4),
        denoiser,
        y_pixel,
        shape=(1, 1, 1),
        sampler=Discrete(Ancestral()),
        times=200,
        samples=8000,
    ).images.ravel()
    distance = np.abs(np.sort(drawn) - quantiles).mean()
    axis.hist(drawn, 90, range=(-1.7, 1.9), density=True, color=ORANGE, alpha=0.7)
    axis.plot(x, density, color=PURPLE, lw=1.5)
    axis.set_title(name)
    axis.text(0.02, 0.85, f"$W_1$ = {distance:.3f}", color=GREY, transform=axis.transAxes)
    axis.set(yticks=[], xticks=[-1, 0, 1])
    assert distance < 0.05
fig.legend(
    [plt.Line2D([], [], color=PURPLE), plt.Rectangle((0, 0), 1, 1, color=ORANGE)],
    ["exact p(x₀ | y)", "8000 samples"],
    loc="outside upper center",
    ncols=2,
)
plt.show()

# %% [markdown]
# What is left of the choice of a process is real but smaller than it looks: where a sampler starts, which noise
# levels it passes, and what a network that was trained along it has seen.
