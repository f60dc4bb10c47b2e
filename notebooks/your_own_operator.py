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
# # Your own instrument
#
# A scientist has a forward model that no library ships. Here are two: a camera that takes a colour picture in **one
# exposure of a monochrome sensor**, and a **detector that saturates**. Each is a function of a few lines. The rest is
# the same for both: check the operator, draw samples of what the image may have been, and ask whether to believe them.

# %%
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxir
from jaxir.degradations import (
    Degradation,
    GaussianNoise,
    Linear,
    check_operator,
    defocus_blur,
    from_function,
    from_linear_function,
)
from jaxir.methods import dps, mmps
from jaxir.metrics import psnr
from jaxir.photos import photo

prior = jaxir.load("natural-prior")
truth = jnp.asarray(photo("coffee"))[16:80, 16:80]


def show(pictures, spread=None, worst=None):
    """Images in [-1, 1] in a row; deviations and errors behind them, of [0, 1], on one scale."""
    count = len(pictures) + len(spread or {})
    fig, axes = plt.subplots(1, count, figsize=(2.5 * count, 2.8), layout="constrained")
    for axis, (title, picture) in zip(axes, pictures.items(), strict=False):
        axis.imshow(np.clip(picture / 2 + 0.5, 0, 1), cmap="gray")
        axis.set_title(title, fontsize=9)
    for axis, (title, picture) in zip(axes[len(pictures) :], (spread or {}).items(), strict=True):
        drawn = axis.imshow(picture / 2, cmap="magma", vmin=0, vmax=worst)
        axis.set_title(title, fontsize=9)
    if spread:
        fig.colorbar(drawn, ax=axes[-1], fraction=0.05)
    for axis in axes:
        axis.axis("off")
    plt.show()


# %% [markdown]
# ## A colour picture in one grey exposure
#
# Behind the lens a mask blocks half of the light, pixel by pixel and by chance; a prism then shifts each colour by
# another distance; a sensor that sees no colour adds them up. Three numbers for each pixel become one. This is coded
# aperture spectral imaging, and the forward model is what was just said:


# %%
def exposure(mask, x, shift=6):
    coded = mask * x
    return sum(jnp.roll(coded[..., colour], shift * colour, axis=1) for colour in range(3))


mask = jax.random.bernoulli(jax.random.key(0), 0.5, (64, 64, 1)).astype(float)
camera = from_linear_function(jax.tree_util.Partial(exposure, mask), truth.shape)

# %% [markdown]
# `from_linear_function` says that it is linear; the adjoint, the pseudo-inverse and the solves follow from JAX.
# (`Partial` hands the mask over as data, so that another mask of this size compiles nothing anew.) Said is not yet
# true, and `check_operator` measures it: the values are finite, two images of a batch do not mix, A is linear, the
# adjoint is the adjoint. A norm far from 1 would be a reason to choose other units.

# %%
print(check_operator(camera))

# %% [markdown]
# What the sensor sees, with noise of 0.05, and what linear algebra makes of it: the adjoint is the classical first
# look, the pseudo-inverse the image of least norm that explains the exposure exactly, noise and all.

# %%
instrument = Degradation(camera, GaussianNoise(0.05))
y = instrument.sample(jax.random.key(1), truth)
least = camera.pinv(y)
show(
    {
        "truth": truth,
        "the exposure": y / jnp.abs(y).max(),
        "adjoint": camera.adjoint(y),
        f"pseudo-inverse, {psnr(least, truth):.1f} dB": least,
    }
)

# %% [markdown]
# ## Samples of the posterior
#
# Two thirds of the numbers were not measured, and whatever the camera cannot see could be added to an image. A prior
# chooses: here the network that ships with jaxir, which has seen photographs, but neither this one nor a coded
# aperture. `mmps` is the guidance with the most honest error bars (`what_to_trust.py` measures that), with three
# iterations of its solve for each estimate.

# %%
restored = jaxir.restore(
    y, instrument, prior=prior, method=partial(mmps, steps=3), steps=32, samples=12
)
error = jnp.sqrt(jnp.mean((restored.mean - truth) ** 2, axis=-1))
deviation = jnp.sqrt(jnp.mean(restored.std**2, axis=-1))
show(
    {
        "truth": truth,
        f"one sample, {psnr(restored.images[0], truth):.1f} dB": restored.images[0],
        f"another, {psnr(restored.images[1], truth):.1f} dB": restored.images[1],
        f"mean of 12, {psnr(restored.mean, truth):.1f} dB": restored.mean,
    },
    {"deviation over the samples": deviation, "error of the mean": error},
    worst=0.15,
)
assert psnr(restored.mean, truth) > psnr(least, truth) + 5

# %% [markdown]
# ## Shall I believe it?
#
# **Does it explain the data?** The residual $\lVert y - A x\rVert$ of each sample, in units of the noise: a draw of the
# posterior has about 1. Below ½ the image explains the noise as well, above 1½ it does not explain the measurement.

# %%
residual = restored.residual(instrument, y)
print(f"residual: {residual.min():.2f} to {residual.max():.2f} σ")
for line in restored.check(instrument, y) or ["nothing is wrong to see"]:
    print("-", line)

# %% [markdown]
# `check` looks at what can be seen without the truth, and says it in words. What it says of the solve is the worst
# estimate on the way: at some noise level, three iterations leave half of the system unsolved. That is a reason to look
# further.
#
# **Is the deviation the error?** On a picture whose truth is known it can be seen: pixels are put into ten groups by
# their deviation, and in each the error should be as large (with 12 samples 4 % larger, for the mean has an error too).
# It does grow with the deviation, so the map shows where to look twice; where it is large it is too small by a fifth.
# Error bars hold what the method and the prior do not know, and not that the prior may be wrong.

# %%
groups = np.array_split(np.argsort(np.ravel(deviation)), 10)
said, found = (
    [np.sqrt(np.mean(np.ravel(picture)[group] ** 2)) / 2 for group in groups]
    for picture in (deviation, error)
)
inside = (restored.images.min(axis=0) <= truth) & (truth <= restored.images.max(axis=0))
print(
    f"{inside.mean():.0%} of the numbers lie between the extremes of 12 samples; of exact draws 85 %"
)
fig, axis = plt.subplots(figsize=(3.6, 3), layout="constrained")
axis.plot([0, max(said)], [0, max(said)], color="#8a8a8a", lw=0.8, ls=":")
axis.plot(said, found, "o-", color="#3b0f70")
axis.set(xlabel="deviation, of [0, 1]", ylabel="error, of [0, 1]", xlim=0, ylim=0)
plt.show()

# %% [markdown]
# ## Two ways to be wrong
#
# **A wrong adjoint** is the classical mistake: written by hand, a conjugate or a direction missed, it still gives
# pictures, only worse ones. `restore` measures an operator that jaxir does not ship, once, before it samples, and this
# one does not get through:


# %%
class ByHand(Linear):
    """The camera again, by somebody who has the prism turn the same way on the way back."""

    mask: jax.Array
    shape: tuple[int, int, int] = eqx.field(static=True)

    def apply(self, x):
        return exposure(self.mask, x)

    def adjoint(self, y):
        back = [jnp.roll(y, 6 * colour, axis=1) for colour in range(3)]
        return self.mask * jnp.stack(back, axis=-1)


try:
    jaxir.restore(y, Degradation(ByHand(mask, truth.shape), GaussianNoise(0.05)), prior=prior)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# **A model that is not the instrument's** is sound as an operator, and only the data can tell. Here the prism is
# thought to shift by 7 pixels, where it shifts by 6.

# %%
askew = from_linear_function(jax.tree_util.Partial(partial(exposure, shift=7), mask), truth.shape)
thought = Degradation(askew, GaussianNoise(0.05))
mistaken = jaxir.restore(y, thought, prior=prior, steps=20, samples=4)
show({"truth": truth, f"shift 7, {psnr(mistaken.mean, truth):.1f} dB": mistaken.mean})
for line in mistaken.check(thought, y):
    print("-", line)
assert any("do not explain" in line for line in mistaken.check(thought, y))

# %% [markdown]
# ## A detector that saturates
#
# Nothing above was special to linear operators except the method. The second instrument is out of focus, and its counts
# level off, $y = 1 - e^{-2u}$ of the light $u = (x + 1)/2$ that arrives: bright is compressed, and the blur comes
# before the curve. `from_function` takes any differentiable function, and `dps` any operator.


# %%
def counts(lens, x):
    light = (lens(x) + 1) / 2
    return 1 - jnp.exp(-2 * light)


lens = defocus_blur(truth.shape, 3.0)
detector = from_function(jax.tree_util.Partial(counts, lens), truth.shape)
print(check_operator(detector))

# %% [markdown]
# It is far from linear, and need not be. A method that asks for linearity would refuse it and say that number.

# %%
saturated = Degradation(detector, GaussianNoise(0.02))
y = saturated.sample(jax.random.key(2), truth)
inverted = (
    -jnp.log(jnp.clip(1 - y, 0.02, 1)) - 1
)  # the curve alone: the blur stays, and the noise grows
unsaturated = jaxir.restore(y, saturated, prior=prior, method=dps, steps=100, samples=4)
show(
    {
        "truth": truth,
        "counts": 2 * y - 1,
        f"curve inverted, {psnr(inverted, truth):.1f} dB": inverted,
        f"one sample, {psnr(unsaturated.images[0], truth):.1f} dB": unsaturated.images[0],
        f"mean of 4, {psnr(unsaturated.mean, truth):.1f} dB": unsaturated.mean,
    }
)
print(f"residual {float(jnp.median(unsaturated.residual(saturated, y))):.2f} σ")
for line in unsaturated.check(saturated, y):
    print("-", line)
assert psnr(unsaturated.mean, truth) > psnr(inverted, truth) + 1

# %% [markdown]
# Your instrument goes where `exposure` and `counts` are. If it is code of another library, subclass `Linear` with
# `apply` and `adjoint` around `jax.pure_callback`: DiffPIR, MMPS, TMPD, FPS and EnKG never differentiate through it,
# where DPS, DAPS, RED-diff and TDS would need a derivative that it has not. If the noise is not Gaussian,
# `jaxir.degradations` has photons, outliers and speckle, and `dps` takes any noise with a likelihood.
