"""Padding: the image stays at the top left, and beyond it lies what the class says."""

import numpy as np
import pytest

from jaxir.networks import Filled, Mirrored, Repeated

IMAGE = np.arange(6.0).reshape(2, 3, 1)


@pytest.mark.parametrize(
    ("padding", "row", "column"),
    [
        (Mirrored(), [0, 1, 2], [1, 4]),
        (Repeated(), [3, 4, 5], [2, 5]),
        (Filled(-1.0), [-1, -1, -1], [-1, -1]),
    ],
)
def test_what_lies_beyond_the_image(padding, row, column):
    out = np.asarray(padding(IMAGE, 1, 1))[..., 0]
    np.testing.assert_array_equal(out[:2, :3], IMAGE[..., 0])
    np.testing.assert_array_equal(out[2, :3], row)
    np.testing.assert_array_equal(out[:2, 3], column)


def test_one_pixel_is_its_own_mirror():
    np.testing.assert_array_equal(Mirrored()(IMAGE[:1, :1], 2, 3), np.zeros((3, 4, 1)))
