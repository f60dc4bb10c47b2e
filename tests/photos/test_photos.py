import runpy
from importlib.resources import files

import numpy as np
import pytest
from conftest import ROOT

import jaxir.photos
from jaxir.photos import names, photo


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee"])
def test_a_photo_is_a_colour_image_of_96_pixels_in_range(name):
    image = photo(name)
    assert image.shape == (96, 96, 3)
    assert image.dtype == np.float32
    assert -1 <= image.min() < -0.5 < 0.5 < image.max() <= 1


def test_an_unknown_photo_names_the_known_ones():
    with pytest.raises(ValueError, match="'dog': there are astronaut, cat, coffee"):
        photo("dog")


def test_every_photo_has_its_licence_beside_it():
    text = (files(jaxir.photos) / "LICENSE.md").read_text(encoding="utf-8")
    assert all(f"`{name}.png`" in text for name in names())


def test_the_script_makes_the_same_pixels_from_the_originals():
    script = runpy.run_path(str(ROOT / "benchmarks" / "make_photos.py"))
    assert set(script["CUTS"]) == set(names())
    for name, cut in script["CUTS"].items():
        np.testing.assert_array_equal(
            np.round((photo(name) + 1) * 127.5).astype(np.uint8), script["photograph"](cut)
        )
