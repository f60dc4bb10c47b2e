"""Files as PyTorch writes them, a few kB in all; needs torch: `python tests/parity/make/torch_files.py`.

What the tensors hold is drawn by name: `expected()` in tests/pretrained/test_torch_file.py draws it again.
"""

import collections
import pathlib
import sys

import numpy as np
import torch

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from drawn import drawn

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures" / "torch_files"


def values(name, shape, dtype):
    return torch.from_numpy(10 * drawn(name, shape)).to(dtype)


def state_dict():
    """Every dtype, views and sharing, as a network's state_dict is: ordered, with a version."""
    large = values("large", (6, 8), torch.float32)
    state = collections.OrderedDict(
        float32=values("float32", (2, 3, 4), torch.float32),
        bfloat16=values("bfloat16", (3, 5), torch.bfloat16),
        float16=values("float16", (4,), torch.float16),
        float64=values("float64", (2, 2), torch.float64),
        int64=values("int64", (5,), torch.int64),
        int8=values("int8", (5,), torch.int8),
        bool=values("bool", (5,), torch.float32) > 0,
        scalar=torch.tensor(7),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(values("parameter", (3,), torch.float32)),
        transposed=large.T,
        strided=large[1::2, 2:7:3],
        tied=large,
    )
    state._metadata = {"": {"version": 1}}
    return state


class Reduced:
    """Asks whoever unpickles it to run something."""

    def __reduce__(self):
        return eval, ("__import__('os').system('touch executed')",)


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    state = state_dict()
    torch.save(state, FIXTURES / "zip.pt")
    torch.save(state, FIXTURES / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(state, FIXTURES / "protocol5.pt", pickle_protocol=5)
    small = {"layer.weight": values("layer.weight", (2, 3), torch.float32)}
    prefixed = {f"model.{name}": value for name, value in small.items()} | {
        "model.layer.bias": values("model.layer.bias", (2,), torch.float32)
    }
    optimizer = torch.optim.Adam([torch.nn.Parameter(small["layer.weight"].clone())])
    optimizer.param_groups[0]["params"][0].sum().backward()
    optimizer.step()
    torch.save(
        {
            "epoch": 3,
            "state_dict": prefixed,
            "optimizer": optimizer.state_dict(),
            "dtype": torch.bfloat16,
            "size": torch.Size([2, 3]),
            "loss": [0.5, None, True],
            "callbacks": {"scores": [torch.ones(2)]},
        },
        FIXTURES / "lightning.ckpt",
    )
    frozen = {"sigmas": torch.ones(4), "0.W": torch.ones(2), "1.weight": torch.ones(2, 3)}
    torch.save(
        {
            "model": collections.OrderedDict(frozen | {"1.bias": torch.ones(3)}),
            "ema": {"decay": 0.999, "shadow_params": [torch.zeros(2, 3), torch.zeros(3)]},
            "step": 7,
        },
        FIXTURES / "shadows.pth",
    )
    torch.save(
        {"params": {"w": torch.zeros(2)}, "params_ema": {"w": torch.ones(2)}}, FIXTURES / "ema.pth"
    )
    torch.save({"a": {"w": torch.zeros(2)}, "b": {"w": torch.ones(2)}}, FIXTURES / "two.pt")
    torch.save({"w": torch.zeros(2), "trap": Reduced()}, FIXTURES / "malicious.pt")
    torch.save(
        {"w": torch.zeros(2), "trap": Reduced()},
        FIXTURES / "malicious_legacy.pt",
        _use_new_zipfile_serialization=False,
    )
    torch.save({"w": torch.zeros(2), "score": np.array([{}], object)}, FIXTURES / "objects.pt")
    torch.save(torch.nn.Linear(2, 1), FIXTURES / "module.pt")
    torch.jit.script(torch.nn.Linear(2, 1)).save(FIXTURES / "script.pt")


if __name__ == "__main__":
    main()
