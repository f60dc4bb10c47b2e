"""Weights that need no file: each tensor is drawn from a generator that its own name seeds.

The originals are filled with them where the fixtures are made, and the tests draw the same again, so that a fixture
holds inputs and outputs alone.
"""

import zlib

import numpy as np


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A float32 tensor without zeros, scaled so that a layer keeps the variance of what it is given.

    A vector whose name ends in "weight" is the gain of a norm and lies about 1; other vectors are shifts.
    """
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    normal = generator.standard_normal(shape)
    if len(shape) < 2:
        return (0.1 * normal + name.endswith("weight")).astype(np.float32)
    return (normal / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
