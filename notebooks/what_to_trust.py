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
# # What to trust
#
# A method of posterior sampling promises draws of $p(x \mid y)$, so that their mean is the best estimate and their
# spread its error bar. On photographs nobody knows $p(x \mid y)$. Here it is a formula, the denoiser is exact as well,
# and so **whatever is wrong is the method's own**. Three problems, seven methods, three questions:
#
# - Is the **mean** right? Its error, in units of the posterior's deviation: a third of it hardly matters.
# - Is the **deviation** right? Its ratio to the true one: below 1 is too sure of itself.
# - Does a **90 % interval** hold 90 %? The posterior probability of the interval from the 5 % to the 95 % quantile of
#   the samples, pixel by pixel.

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxir
from jaxir.degradations import Degradation, GaussianNoise, Mask, area_downsample, box_mask
from jaxir.methods import ddrm, diffpir, dps, mmps, pigdm, tds, tmpd
from jaxir.processes import VP
from jaxir.testbeds import (
    GaussianMixture,
    Iterative,
    LinearGaussian,
    StationaryField,
    field_power,
    stationary_covariance,
)

PARTICLES = 32
METHODS = {
    "DPS": (dps, 100),
    "ΠGDM": (partial(pigdm, variance=0.25), 100),
    "TMPD": (tmpd, 100),
    "DiffPIR": (diffpir, 100),
    "DDRM": (ddrm, 20),  # made for 20 steps
    "MMPS": (partial(mmps, steps=4), 100),
    "TDS": (partial(tds, particles=PARTICLES), 100),
}
COLOURS = {
    "DPS": "#8a8a8a",
    "ΠGDM": "#3b0f70",
    "TMPD": "#8c2981",
    "DiffPIR": "#de4968",
    "DDRM": "#fe9f6d",
    "MMPS": "#1b7837",
    "TDS": "#2166ac",
}
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
# ## The problems
#
# **Gaussian.** A soft random field of 8×8 pixels, as bright and dark as a photograph, seen at half the size. Small
# enough for dense algebra, and what every closure of guidance was derived for.
#
# **Field.** The same kind of field at 24×24, with a hole of 10×10 pixels and noise elsewhere: what is far inside the
# hole is hardly known, and error bars have something to say.
#
# **Mixture.** Two pixels, six narrow peaks, and only the first pixel is seen. The posterior has several peaks too, one
# above the other, and a method has to put the right share of its samples on each.

# %%
small, large, pair = (8, 8, 1), (24, 24, 1), (1, 2, 1)
noise = GaussianNoise(0.1)
gaussian = LinearGaussian(
    jnp.zeros(small),
    0.25 * stationary_covariance(8),
    Degradation(area_downsample(small, 2), noise),
)
field = StationaryField(
    jnp.zeros(large), 0.25 * field_power(24), Degradation(box_mask(large, 10), noise), Iterative()
)
peaks = [(-0.8, -0.7), (-0.8, 0.1), (0.1, 0.7), (0.1, -0.4), (0.9, 0.2), (0.9, -0.8)]
mixture = GaussianMixture(
    jnp.log(jnp.array([0.2, 0.15, 0.2, 0.15, 0.2, 0.1])),
    jnp.array(peaks).reshape(6, *pair),
    Degradation(Mask(jnp.array([[True, False]]), pair), GaussianNoise(0.3)),
    variance=0.01,
)


def draw(bed, number, count):
    """A truth, its measurement, and `count` samples of the posterior by every method, with exact draws before them."""
    truth, y = bed.draw(jax.random.fold_in(jax.random.key(0), number))
    samples = {"exact": bed.posterior(y).sample(jax.random.key(1), count)}
    for name, (method, steps) in METHODS.items():
        runs = count // PARTICLES if name == "TDS" else count
        samples[name] = jaxir.restore(
            y,
            bed.degradation,
            prior=bed.denoiser(VP()),
            method=method,
            steps=steps,
            samples=runs,
            key=jax.random.key(2),
        ).images
    return truth, y, samples


LEVELS = jnp.linspace(0.1, 0.9, 9)


def covered(images, law):
    """The posterior probability of the samples' central intervals, mean over pixels, for each level."""
    n = len(images)

    def quantile(q):
        # interpolated, that of n exact draws covers (q (n − 1) + 1)/(n + 1): ask for the one that covers q
        return jnp.quantile(images, (q * (n + 1) - 1) / (n - 1), axis=0)

    low, high = quantile((1 - LEVELS) / 2), quantile((1 + LEVELS) / 2)
    exact = law.sample(jax.random.key(3), 500)[:, None]
    return jnp.mean((low <= exact) & (exact <= high), axis=(0, 2, 3, 4))


def judge(bed, y, samples):
    """Of each method: the error of the mean, the ratio of deviations, the coverage at each level."""
    law = bed.posterior(y)
    mean, std = law.mean, law.std
    return {
        name: (
            float(jnp.sqrt(jnp.mean(((images.mean(axis=0) - mean) / std) ** 2))),
            float(jnp.mean(images.std(axis=0, ddof=1) / std)),
            np.asarray(covered(images, law)),
        )
        for name, images in samples.items()
    }


# %% [markdown]
# ## Where every closure is at home: a hole in a Gaussian field
#
# A sample and the deviation of each method, beside exact ones. All of them fill the hole with something that could be
# there, and no sample looks wrong. The deviations do: in the truth the middle of the hole is as uncertain as the prior
# itself. DiffPIR is far too sure of it, DPS and DDRM are too sure of what was measured, and the particles of TDS, which
# descend from a few, are patchy.

# %%
truth, y, samples = draw(field, 0, 128)
scores = {"field": [judge(field, y, samples)]}
fig, axes = plt.subplots(2, 9, figsize=(13, 3.3), layout="constrained")
for axis, (name, picture) in zip(axes[:, 0], {"truth": truth, "measured": y}.items(), strict=True):
    axis.imshow(picture[..., 0], cmap="gray", vmin=-1.5, vmax=1.5)
    axis.set_title(name)
for (above, below), (name, images) in zip(axes[:, 1:].T, samples.items(), strict=True):
    above.imshow(images[0, ..., 0], cmap="gray", vmin=-1.5, vmax=1.5)
    drawn = below.imshow(images.std(axis=0, ddof=1)[..., 0], cmap="magma", vmin=0, vmax=0.6)
    above.set_title(name)
    inside = scores["field"][0][name][2][-1]
    below.set_title(f"{inside:.0%} in 90 %", fontsize=8, fontweight="normal")
axes[0, 1].set_ylabel("a sample")
axes[1, 1].set_ylabel("deviation")
fig.colorbar(drawn, ax=axes[1, -1])
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# ## Where no closure is: several answers
#
# The first pixel was measured (dotted), the second was not, and peaks above each other explain the first equally well.
# Grey dots are exact draws, 512 as of every method. A wrong share of samples on a peak, or a few samples on a peak that
# the measurement excludes (ΠGDM, TMPD and MMPS, on the right), is decided early, while the noise still hides the peaks
# and a closure takes the law of $x_0$ given $x_t$ for a Gaussian. Particles with weights mend it.

# %%
several = [draw(mixture, number, 512) for number in range(3)]
scores["mixture"] = [judge(mixture, y, samples) for _, y, samples in several]
_, y, samples = several[0]
exact = samples["exact"].reshape(-1, 2)
fig, axes = plt.subplots(1, 7, figsize=(13, 2.3), sharex=True, sharey=True, layout="constrained")
for axis, name in zip(axes, METHODS, strict=True):
    axis.axvline(float(y[0, 0, 0]), color="#8a8a8a", lw=0.8, ls=":")
    axis.plot(*exact.T, ".", ms=2, color="#c8c8c8")
    axis.plot(*samples[name].reshape(-1, 2).T, ".", ms=2, color=COLOURS[name], alpha=0.6)
    axis.set_title(name)
    axis.set(xlim=(-1.4, 1.5), ylim=(-1.4, 1.4), xticks=[], yticks=[], xlabel="seen")
axes[0].set_ylabel("not seen")
plt.show()

# %% [markdown]
# ## The figures

# %%
_, y, samples = draw(gaussian, 0, 256)
scores = {"Gaussian": [judge(gaussian, y, samples)], **scores}
table = {
    (bed, name): (
        float(np.sqrt(np.mean([score[name][0] ** 2 for score in found]))),
        float(np.mean([score[name][1] for score in found])),
        np.mean([score[name][2] for score in found], axis=0),
    )
    for bed, found in scores.items()
    for name in ("exact", *METHODS)
}
print(f"{'':10}" + "".join(f"{bed:^30}" for bed in scores))
print(f"{'':10}" + f"{'mean':>10}{'deviation':>10}{'in 90 %':>10}" * len(scores))
for name in ("exact", *METHODS):
    row = (table[bed, name] for bed in scores)
    print(f"{name:10}" + "".join(f"{e:10.2f}{r:10.2f}{c[-1]:10.0%}" for e, r, c in row))

fig, axes = plt.subplots(1, 3, figsize=(13, 3), sharey=True, layout="constrained")
places = np.arange(len(METHODS))[::-1]
titles = {"error of the mean (sd)": 0.0, "deviation / exact": 1.0, "held by a 90 % interval": 0.9}
for column, (axis, (title, right)) in enumerate(zip(axes, titles.items(), strict=True)):
    axis.axvline(right, color="#8a8a8a", lw=0.8, ls=":")
    for bed, marker in zip(scores, "osD", strict=True):
        values = [table[bed, name][column] for name in METHODS]
        values = [value[-1] if column == 2 else value for value in values]
        axis.scatter(values, places, marker=marker, s=36, c=list(COLOURS.values()), label=bed)
    axis.set(title=title, yticks=places, yticklabels=list(METHODS))
    axis.grid(axis="y", lw=0.3)
axes[2].legend(loc="upper left")
plt.show()

# %% [markdown]
# Any level, not only 90 %: a line on the diagonal keeps its promises, one below it is too sure of itself.

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharex=True, sharey=True, layout="constrained")
for axis, bed in zip(axes, scores, strict=True):
    axis.plot([0, 1], [0, 1], color="#8a8a8a", lw=0.8, ls=":")
    for name in METHODS:
        axis.plot(LEVELS, table[bed, name][2], color=COLOURS[name], lw=1.5, label=name)
    axis.set(title=bed, xlabel="promised", xlim=(0, 1), ylim=(0, 1), aspect="equal")
axes[0].set_ylabel("held")
axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# ## So
#
# | method | an estimate costs | good for | not to be believed |
# |---|---|---|---|
# | DiffPIR | one evaluation | the mean, cheaply: nobody's is much better | deviations: a third too small |
# | DDRM | one evaluation, 20 in all | a fast look, with a fast singular basis | deviations |
# | ΠGDM | and one pullback | error bars at half the price of MMPS | its one number, a guess on photographs |
# | TMPD | and two pullbacks | the same without a number | blurs: row sums stand for a diagonal |
# | MMPS | and three to five | error bars, where there is one peak | the shares of several peaks |
# | TDS | and one, for each particle | several peaks, in few dimensions | images: 32 particles for 576 pixels |
# | DPS | and one pullback | any operator and any noise | deviations |
#
# On photographs one error comes on top, and nothing here shows it: the prior's own. `Samples.check` sees what can be
# seen without a truth; a handful of images of your kind whose truth you know, spoiled by your own operator, shows the
# rest (`your_own_operator.py`). A method of yours takes its place in `METHODS`, or in `jaxir bench exact`.

# %%
assert table["field", "DiffPIR"][1] < 0.8 < 0.85 < table["field", "MMPS"][2][-1] < 0.93
assert table["mixture", "TDS"][0] < 0.5 * table["mixture", "MMPS"][0]
