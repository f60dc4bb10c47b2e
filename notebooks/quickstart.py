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
# # Quickstart: a restored photograph and its uncertainty
#
# A blurred and noisy photograph of a cat, the prior that ships with jaxir, four samples of the posterior:
# their mean is the estimate, their deviation says where not to trust it.

# %%
import jax
import matplotlib.pyplot as plt

import jaxir
from jaxir.degradations import Degradation, GaussianNoise, motion_blur
from jaxir.metrics import psnr
from jaxir.photos import photo

truth = jax.numpy.asarray(photo("cat"))
degradation = Degradation(motion_blur(truth.shape, 11, 30), GaussianNoise(0.1))
y = degradation.sample(jax.random.key(0), truth)
restored = jaxir.restore(y, degradation, steps=30, samples=4)

# %%
images = {
    f"input {psnr(y, truth):.1f} dB": y,
    "one sample": restored.images[0],
    f"mean of 4, {psnr(restored.mean, truth):.1f} dB": restored.mean,
    "truth": truth,
}
fig, axes = plt.subplots(1, 5, figsize=(15, 3.4))
for axis, (title, image) in zip(axes, images.items(), strict=False):
    axis.imshow((image.clip(-1, 1) + 1) / 2)
    axis.set_title(title)
spread = axes[-1].imshow(restored.std.mean(axis=-1) / 2, cmap="magma")
axes[-1].set_title("deviation, of [0, 1]")
fig.colorbar(spread, ax=axes[-1])
for axis in axes:
    axis.axis("off")
plt.show()

# %% [markdown]
# The restoration beats the input, and it explains the measurement: the residual is close to the noise of 0.1.

# %%
assert psnr(restored.mean, truth) > psnr(y, truth)
residual = (y - degradation(restored.mean)).std()
print(f"residual {residual:.3f} for a noise of 0.100")

# %% [markdown]
# Another method, with its own hyper-parameters, is another argument; any JAX function is an operator.

# %%
from functools import partial

from jaxir.degradations import from_linear_function
from jaxir.methods import mmps

half = from_linear_function(lambda x: x[::2, ::2], truth.shape)
every_second = Degradation(half, GaussianNoise(0.1))
y = every_second.sample(jax.random.key(1), truth)
restored = jaxir.restore(y, every_second, method=partial(mmps, steps=3), steps=20, samples=2)
print(
    f"{psnr(restored.mean, truth):.1f} dB, worst residual of the solve {restored.diagnostics['residual']:.2f}"
)
