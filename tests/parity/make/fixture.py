"""What the scripts of this folder share: an original filled with drawn weights, run, and written down.

A fixture holds

- `config`, JSON: the arguments with which the original was made;
- `names`, JSON: [name, shape] of each tensor of its state_dict;
- `x` in the original's layout (N, C, H, W), the other inputs, and `out`;
- `grad`, the gradient of Σ out · probe with respect to `x`, and `probe`;
- `kept/NAME`: tensors that are not trained (filters, Fourier frequencies, tables), as the original makes them, and the
  few that the script sets because drawn ones would hide a part of the network.

All other weights are drawn from their names where the fixture is read. The last image of a batch is faint, so that the
ε of the first norm shows in what comes of it: compare image by image. Norms have at least two channels a group, for one
alone would hide every shift before it, the time's too.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from drawn import drawn
from torch import Tensor, nn

FIXTURES = Path(__file__).parents[1] / "fixtures"


def weight(name: str, value: Tensor) -> Tensor:
    """The drawn value of a tensor."""
    return torch.from_numpy(drawn(name, tuple(value.shape)))


def fill(module: nn.Module, given: Mapping[str, Tensor] | None = None) -> dict[str, Any]:
    """Gives each trained tensor its drawn value or the given one; what is to be written of the module."""
    given = given or {}
    trained = {name for name, value in module.named_parameters() if value.requires_grad}
    state = module.state_dict()
    for name in trained & state.keys():
        state[name].copy_(given[name] if name in given else weight(name, state[name]))
    kept = {name: value for name, value in state.items() if name not in trained - given.keys()}
    module.eval()
    names = [[name, list(value.shape)] for name, value in state.items()]
    return {
        "names": np.array(json.dumps(names)),
        **{f"kept/{name}": value for name, value in kept.items()},
    }


def normal(*shape: int, seed: int = 0) -> Tensor:
    """White noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def images(*shape: int, seed: int = 0) -> Tensor:
    """White noise, of which the last image is faint."""
    x = normal(*shape, seed=seed)
    x[-1] *= 0.02
    return x


def measure(call: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, Tensor]:
    """`x`, what comes of it, and the gradient along a probe."""
    x = x.detach().clone().requires_grad_()
    out = call(x)
    probe = normal(*out.shape, seed=1)
    (grad,) = torch.autograd.grad((out * probe).sum(), x)
    return {"x": x.detach(), "out": out.detach(), "probe": probe, "grad": grad}


def rounding(call: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """How far the last bit of `x` moves output and gradient, relative to the largest of each image."""
    a, b = measure(call, x), measure(call, x * (1 + 6e-8 * normal(*x.shape, seed=2).sign()))
    moved = {
        key: ((a[key] - b[key]).flatten(1).abs().amax(1) / a[key].flatten(1).abs().amax(1)).max()
        for key in ("out", "grad")
    }
    return ", ".join(f"{key} {value:.1e}" for key, value in moved.items())


def write(name: str, config: dict[str, Any], **arrays: Any) -> None:
    """Writes a fixture and says so."""
    FIXTURES.mkdir(exist_ok=True)
    path = FIXTURES / f"{name}.npz"
    np.savez_compressed(
        path,
        config=np.array(json.dumps(config)),
        **{key: np.asarray(value) for key, value in arrays.items()},
    )
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def record(
    name: str,
    config: dict[str, Any],
    module: nn.Module,
    call: Callable[[Tensor], Tensor],
    x: Tensor,
    given: Mapping[str, Tensor] | None = None,
    **inputs: Any,
) -> None:
    """Fills a module, measures it, and writes the fixture."""
    filled = fill(module, given)
    print(f"{name}: the last bit moves {rounding(call, x)}")
    write(name, config, **filled, **measure(call, x), **inputs)
