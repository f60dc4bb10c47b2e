"""Tables of names: each line brings a layout to ours, and what does not fit is named."""

import numpy as np
import pytest

from jaxir.networks.layers import fold
from jaxir.pretrained.names import ConversionError, collect, conv, dense, folded, norm, tensor

RANDOM = np.random.default_rng(0)
SHAPES = {
    "first/kernel": (3, 3, 2, 4),
    "first/bias": (4,),
    "second/kernel": (4, 5),
    "last/scale": (5,),
    "last/bias": (5,),
    "table": (2, 3),
}
NAMES = [
    *conv("first", "stem.conv"),
    *dense("second", "body.0", bias=False),
    *norm("last", "head.norm"),
    *tensor("table", "position", (2, 3)),
]


def tree(flat):
    nested = {}
    for path, value in flat.items():
        *parents, last = path.split("/")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return nested


EXPECTED = tree({path: np.zeros(shape) for path, shape in SHAPES.items()})


def tensors():
    shapes = {
        "stem.conv.weight": (4, 2, 3, 3),
        "stem.conv.bias": (4,),
        "body.0.weight": (5, 4, 1, 1),
        "head.norm.weight": (1, 5, 1, 1),
        "head.norm.bias": (5,),
        "position": (1, 6),
    }
    return {name: RANDOM.normal(size=shape) for name, shape in shapes.items()}


def test_every_line_brings_its_layout_to_ours():
    of = tensors()
    params = collect(NAMES, of, EXPECTED)
    assert params["first"]["kernel"].dtype == np.float32
    for out, into, row, column in np.ndindex(4, 2, 3, 3):
        assert params["first"]["kernel"][row, column, into, out] == np.float32(
            of["stem.conv.weight"][out, into, row, column]
        )
    np.testing.assert_allclose(params["second"]["kernel"], of["body.0.weight"][:, :, 0, 0].T)
    np.testing.assert_allclose(params["last"]["scale"], of["head.norm.weight"].ravel())
    np.testing.assert_allclose(params["table"], of["position"].reshape(2, 3))


def test_a_strided_convolution_is_a_dense_layer_of_folds():
    x, weight = RANDOM.normal(size=(4, 6, 3)), RANDOM.normal(size=(5, 3, 2, 2))
    kernel = next(iter(folded("", "", bias=False))).read(weight)
    blocks = x.reshape(
        2, 2, 3, 2, 3
    )  # rows of blocks, rows in one, columns of blocks, columns in one, channels
    expected = np.einsum("risjc,ocij->rso", blocks, weight)
    np.testing.assert_allclose(np.asarray(fold(x, 2)) @ kernel, expected, rtol=1e-12)


def without(name):
    return {key: value for key, value in tensors().items() if key != name}


@pytest.mark.parametrize(
    ("of", "names", "text"),
    [
        (without("head.norm.bias"), NAMES, r"^head\.norm\.bias: missing"),
        (
            tensors() | {"head.extra": np.zeros(3)},
            NAMES,
            r"^head\.extra: not read by the converter",
        ),
        (
            tensors() | {"body.0.weight": np.zeros((5, 7))},
            NAMES,
            r"^body\.0\.weight has shape \(5, 7\), which does not give second/kernel of shape \(4, 5\)",
        ),
        (
            tensors() | {"position": np.zeros(5)},
            NAMES,
            r"^position has shape \(5,\), which does not give table of shape \(2, 3\)",
        ),
        (without("position"), NAMES[:-1], r"^table: not filled by any tensor"),
        (
            tensors() | {"more": np.zeros(1)},
            [*NAMES, *tensor("other", "more")],
            r"^other: unknown to the network",
        ),
    ],
)
def test_what_does_not_fit_is_named(of, names, text):
    with pytest.raises(ConversionError, match=text):
        collect(names, of, EXPECTED)


def test_what_is_no_parameter_may_be_left():
    of = tensors() | {"norm.num_batches_tracked": np.zeros(())}
    collect(NAMES, of, EXPECTED, ignored=["*.num_batches_tracked"])
