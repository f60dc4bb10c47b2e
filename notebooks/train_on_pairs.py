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
# # Train a restorer on your pairs
#
# You have two folders: clean images, and the same images as they come from the field. Here is the whole way, small
# enough for a minute of one core: make pairs, train, be interrupted, go on, judge, restore. With more steps and more
# pictures it is the way of a real run, and every line stays.
#
# ## Pairs
#
# A bad sensor: dull, with a cast of colour and coarse noise. Two of the photographs that come with jaxir go through it,
# and are what we train on; the third is kept for judging. Yours are two folders with the same names.

# %%
import dataclasses
import json
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

import jaxir
from jaxir.data import PairFolder, write_image
from jaxir.denoisers import Residual
from jaxir.metrics import psnr
from jaxir.networks import Concatenation, UNet
from jaxir.photos import photo
from jaxir.processes import IRSDE
from jaxir.samplers import Discrete
from jaxir.training import Experiment, stacked, train
from jaxir.transitions import DDIM

folder = Path(tempfile.mkdtemp())
jax.config.update(
    "jax_compilation_cache_dir", str(folder / "compiled")
)  # what starts again need not compile


def sensor(key, image):
    """What the camera makes of a scene."""
    cast = jnp.array([0.25, 0.05, -0.2])
    return jnp.clip(0.7 * image + cast + 0.2 * jax.random.normal(key, image.shape), -1, 1)


for number, name in enumerate(["astronaut", "coffee", "cat"]):
    clean = jnp.asarray(photo(name))
    part = "test" if name == "cat" else "train"
    for kind, image in {"gt": clean, "lq": sensor(jax.random.key(number), clean)}.items():
        (folder / part / kind).mkdir(parents=True, exist_ok=True)
        write_image(folder / part / kind / f"{name}.png", image)

pairs = PairFolder(folder / "train" / "gt", folder / "train" / "lq")
print(f"{len(pairs)} pairs of {pairs[0].shape}: the clean image's channels, then the other's")

# %% [markdown]
# ## A run is one value
#
# An `Experiment` names its objects: the data, a network that sees $y$ beside the state, the process (here IR-SDE, which
# moves from the clean image to the degraded one), what the network says, and an optimiser. Another process or another
# network is another object, and nothing else changes. In a file of its own, returned by `experiment()`, it is what
# `jaxir train` takes.

# %%


def adam(steps):
    """Adam with a constant rate, on gradients of length 1 at most; the average of the weights does the rest."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(3e-3))


experiment = Experiment(
    name="sensor",
    source=lambda: pairs,
    network=UNet(widths=(16, 32), blocks=(1, 1), conditioning=Concatenation()),
    process=IRSDE(std=30 / 255),
    optimizer=adam,
    pairing=stacked,
    prediction=Residual(),
    data_std=0.2,
    steps=1200,
    batch=8,
    crop=32,
    ema=0.99,
)

# %% [markdown]
# ## Train, stop, go on
#
# A run is an experiment and a folder. Called again with the same two it goes on at the last checkpoint, bit for bit;
# Ctrl-C and the signals of a scheduler save first. Here the first call gets only half of the steps, as if it had been
# stopped.

# %% tags=["remove-cell"]
import warnings

warnings.filterwarnings("ignore", "install .ipywidgets.")  # for a bar that moves

# %%
run = folder / "run"


def log():
    """The lines of its log so far."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "loss" in line]


train(dataclasses.replace(experiment, steps=600), run, log_every=50, save_every=200)
print(
    f"stopped after step {log()[-1]['step']}, in {run.name}/: {sorted(p.name for p in run.iterdir())}"
)
train(experiment, run, log_every=50, save_every=200)
print(f"gone on from there to step {log()[-1]['step']}")

# %%
fig, axis = plt.subplots(figsize=(6, 2.4), layout="constrained")
axis.semilogy([line["step"] for line in log()], [line["loss"] for line in log()], color="#5b2a86")
axis.set(xlabel="step", ylabel="loss")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Judge
#
# `run/model` holds the averaged weights with their settings; `jaxir.load` makes the denoiser of it, which carries its
# process, so that a mismatched schedule cannot happen. One step is the posterior's mean, the best by PSNR; more steps
# draw a sample, with its grain.

# %%
denoiser = jaxir.load(run / "model")
test = PairFolder(folder / "test" / "gt", folder / "test" / "lq")
truth, y = jnp.split(jnp.asarray(test[0], jnp.float32) / 127.5 - 1, 2, axis=-1)
pictures = {"as it comes": y}
for name, steps, eta in [("one step", 1, 0.0), ("ten steps, a sample", 10, 1.0)]:
    drawn = jaxir.sample(
        jax.random.key(0), denoiser, y, shape=truth.shape, sampler=Discrete(DDIM(eta)), times=steps
    )
    pictures[name] = drawn.images[0]
pictures["truth"] = truth

fig, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
    score = "" if name == "truth" else f", {psnr(picture, truth):.1f} dB"
    axis.imshow((picture.clip(-1, 1) + 1) / 2)
    axis.set_title(f"{name}{score}", fontsize=10)
    axis.axis("off")
plt.show()

# %%
assert psnr(pictures["one step"], truth) > psnr(y, truth) + 3

# %% [markdown]
# ## The same in the shell
#
# With the experiment in a file, on one CPU core or on every device of a machine:
#
# ```bash
# jaxir train sensor.py --check                            # first: what makes runs fail
# jaxir train sensor.py --workdir runs/sensor              # again, and it goes on
# jaxir evaluate runs/sensor --data test --steps 1 --eta 0 # a folder with gt/ and lq/
# ```
#
# Any field is an option (`--batch 32 --network.widths 32,64`). Clean images alone are enough where you can say how they
# are spoiled: a function `(key, crop) -> (x0, y)` for `stacked` draws it anew for every crop, on the device. The same
# on [many devices](../many_devices.md).
