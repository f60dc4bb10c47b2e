"""TFDS sets by name: what was written is read, by number, and TensorFlow is not asked for."""

import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxir.data import Pairs, Synthetic, Tfds, check_crop, crop_batch

PHOTOGRAPHS = [Synthetic(1, 10 + i, seed=i)[0][:9] for i in range(6)]


class JaxirPhotographs(tfds.core.GeneratorBasedBuilder):
    """Images of many sizes, each with its negative."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        image = tfds.features.Image(shape=(None, None, 3), encoding_format="png")
        features = {"image": image, "negative": image, "number": np.int64}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i, image in enumerate(PHOTOGRAPHS):
            paths = [f"{self.data_dir}-{i}-{sign}.png" for sign in "+-"]
            Image.fromarray(image).save(paths[0])
            Image.fromarray(255 - image).save(paths[1])
            yield i, {"image": paths[0], "negative": paths[1], "number": i}


@pytest.fixture(scope="module", params=["array_record", "parquet"])
def prepared(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    JaxirPhotographs(data_dir=folder, file_format=request.param).download_and_prepare()
    return folder


def test_a_prepared_set_gives_the_bytes_that_were_written(prepared):
    source = Tfds("jaxir_photographs", "train", data_dir=prepared)
    assert source[0].dtype == np.uint8
    assert len(source) == 6
    assert {image.tobytes() for image in PHOTOGRAPHS} == {source[i].tobytes() for i in range(6)}
    assert source.sizes() is None
    assert "tensorflow" not in sys.modules


def test_two_features_are_a_source_of_pairs(prepared):
    clean, negative = (
        Tfds("jaxir_photographs", "train", key=key, data_dir=prepared)
        for key in ("image", "negative")
    )
    crops = crop_batch(Pairs(clean, negative), seed=0, step=0, batch=8, size=6)
    np.testing.assert_array_equal(crops[..., 3:], 255 - crops[..., :3])


def refused(message, *args, **options):
    with pytest.raises(ValueError, match=message) as error:
        Tfds(*args, **options)
    assert "\n" not in str(error.value)


def test_part_of_a_split_is_that_part_or_an_error(prepared):
    if prepared.name.startswith("array_record"):
        source = Tfds("jaxir_photographs", "train[2:5]", data_dir=prepared)
        assert len(source) == 3
        whole = Tfds("jaxir_photographs", "train", data_dir=prepared)
        np.testing.assert_array_equal(source[0], whole[2])
    else:  # TFDS would give the whole split without a word
        refused(
            "TFDS reads whole splits only from the Parquet files .*: use one of train and `holdout`",
            "jaxir_photographs",
            "train[2:5]",
            data_dir=prepared,
        )


def test_an_unknown_split_or_feature_is_named(prepared):
    refused("split 'trian' .* Should be one of", "jaxir_photographs", "trian", data_dir=prepared)
    refused(
        "key is 'number', expected an image of 8 bits in 'jaxir_photographs': image, negative",
        "jaxir_photographs",
        "train",
        key="number",
        data_dir=prepared,
    )


@pytest.mark.parametrize("name", ["mnist", "no_such_set"])
def test_a_set_that_is_not_prepared_is_one_line_with_the_command_that_prepares_it(tmp_path, name):
    refused(
        rf"the TFDS set '{name}' cannot be opened .*: prepare the set by `tfds\.builder\('{name}'",
        name,
        "train",
        data_dir=tmp_path,
    )


def test_a_set_of_the_catalogue_opens_by_its_name():
    with tfds.testing.mock_data(num_examples=5):
        source = Tfds("mnist", "train")
        assert len(source) == 5
        assert source[4].shape == (28, 28, 1)
        np.testing.assert_array_equal(source[4], source[4])
        assert list(source.sizes()) == [(28, 28)] * 5
        with pytest.raises(ValueError, match=r"28×28 .* smaller than the crop of 32"):
            check_crop(source, 32)
        assert crop_batch(source, seed=0, step=0, batch=3, size=16).shape == (3, 16, 16, 1)
        assert Tfds("div2k/bicubic_x2", "train", key="hr").sizes() is None
