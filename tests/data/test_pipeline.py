"""Which crop a row sees depends on (seed, step, row) alone; its thread stops; no test image is trained on."""

import hashlib
import importlib.util
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxir.data import ImageFolder, Synthetic, crop_batch, prefetch

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Synthetic(6, 20)


def batch(seed=0, step=0, source=SOURCE, size=8, count=4, part=None):
    return crop_batch(source, seed=seed, step=step, batch=count, size=size, part=part)


def test_seed_and_step_decide_the_batch():
    first = batch(seed=1, step=7)
    assert first.shape == (4, 8, 8, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, batch(seed=1, step=7, source=Synthetic(6, 20)))
    assert not np.array_equal(first, batch(seed=1, step=8))
    assert not np.array_equal(first, batch(seed=2, step=7))


@pytest.mark.parametrize("part", [slice(0, 3), slice(3, None), slice(1, 7, 2), range(2, 6)])
def test_a_host_makes_the_rows_of_the_whole_batch_that_it_holds(part):
    rows = np.arange(8)[part if isinstance(part, slice) else list(part)]
    np.testing.assert_array_equal(batch(count=8, part=part), batch(count=8)[rows])


def test_a_row_does_not_know_how_long_the_batch_is():
    np.testing.assert_array_equal(batch(count=4), batch(count=8)[:4])


def test_no_two_rows_of_any_step_and_seed_share_their_randomness():
    source = np.random.default_rng(0).integers(
        0, 256, (6, 200, 200, 1), np.uint8
    )  # 1.8 million crops
    crops = [
        crop.tobytes()
        for seed in range(3)
        for step in range(4)
        for crop in batch(seed, step, source, count=8)
    ]
    assert len(set(crops)) == 96


def test_a_host_asks_its_source_for_its_own_images_only():
    asked = []

    class Counting(Synthetic):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    batch(source=Counting(6, 20), count=8, part=slice(2, 5))
    assert len(asked) == 3


def test_a_resumed_stream_goes_on_as_the_uninterrupted_one():
    whole = list(prefetch(lambda step: batch(step=step), 0, 7))
    resumed = list(prefetch(lambda step: batch(step=step), 4, 7))
    np.testing.assert_array_equal(np.stack(whole[4:]), np.stack(resumed))


def test_augmentation_is_the_eight_symmetries_of_the_square_all_as_often():
    image = SOURCE[0]
    turned = [np.rot90(image, k) for k in range(4)]
    symmetries = {view.tobytes() for view in [*turned, *(view[:, ::-1] for view in turned)]}
    assert len(symmetries) == 8
    found = [crop.tobytes() for crop in batch(source=[image], size=20, count=800)]
    assert set(found) == symmetries
    counts = [found.count(view) for view in symmetries]
    assert max(counts) - min(counts) < 60  # 100 ± 9.4 each


def test_crops_come_from_everywhere_in_every_image():
    corners = np.zeros((2, 5, 4, 1), np.uint8)
    corners[...] = np.arange(40).reshape(corners.shape)
    crops = batch(source=corners, size=2, count=500)
    lowest = {int(crop.min()) for crop in crops}  # the top left pixel, before turning
    assert lowest == {
        20 * i + 4 * row + col for i in (0, 1) for row in range(4) for col in range(3)
    }


def test_a_crop_larger_than_an_image_names_both():
    with pytest.raises(
        ValueError, match=r"image \d of the source is 20×20, smaller than the crop of 21"
    ) as error:
        batch(size=21)
    assert "use a smaller crop" in str(error.value)


def threads():
    return sum(thread.name == "jaxir-prefetch" for thread in threading.enumerate())


def settles(count, seconds=3.0):
    """Whether no more than `count` threads are alive before the time is over."""
    end = time.monotonic() + seconds
    while threads() > count and time.monotonic() < end:
        time.sleep(0.02)
    return threads() <= count


def test_prefetch_keeps_the_order_and_ends_its_thread():
    before = threads()
    found = [int(item[0]) for item in prefetch(lambda step: np.array([step]), 3, 20)]
    assert found == list(range(3, 20))
    assert settles(before)


def test_prefetch_runs_two_steps_ahead_and_no_further():
    made = []
    with closing(prefetch(lambda step: made.append(step) or np.array([step]), 0, 100)) as items:
        next(items)
        time.sleep(0.3)
        assert made == [0, 1, 2, 3]  # one consumed, two waiting, one in the hand


def test_an_error_surfaces_at_its_step_and_no_earlier():
    def make(step):
        if step == 5:
            raise OSError("no such image")
        return np.array([step])

    before = threads()
    items = prefetch(make, 0, 9)
    assert [int(next(items)[0]) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="no such image"):
        next(items)
    assert settles(before)


def test_a_loop_that_stops_early_stops_the_thread():
    assert settles(0)  # those of other tests may be on their way out
    with closing(prefetch(lambda step: np.array([step]), 0, 10**9)) as items:
        next(items)
        assert threads() == 1
    assert settles(0)


def test_nothing_to_prefetch_is_an_empty_iterator():
    assert list(prefetch(lambda step: np.zeros(1), 5, 5)) == []


def test_synthetic_images_are_functions_of_seed_and_index():
    np.testing.assert_array_equal(Synthetic(2, 16)[1], Synthetic(9, 16)[1])
    assert not np.array_equal(SOURCE[0], SOURCE[1])
    assert not np.array_equal(SOURCE[0], Synthetic(6, 20, seed=1)[0])
    assert Synthetic(1, 5, channels=1)[0].shape == (5, 5, 1)
    assert len(list(SOURCE)) == 6
    with pytest.raises(ValueError, match="size is 0, expected at least 1"):
        Synthetic(1, 0)


def test_synthetic_images_are_smooth_and_as_contrasted_as_photographs():
    images = np.stack(list(Synthetic(64, 32))) / 127.5 - 1
    assert 0.35 < images.std() < 0.55
    assert np.abs(np.diff(images, axis=1)).mean() < 0.35 * images.std()


def pixels(path):
    """The decoded image, whatever its file format and name."""
    with Image.open(path) as image:
        array = np.ascontiguousarray(image.convert("RGB"))
    return array.shape, hashlib.sha256(array).hexdigest()


@pytest.fixture
def natural_prior(data, monkeypatch):
    monkeypatch.setenv("JAXIR_DATA", str(data))
    path = ROOT / "experiments" / "natural_prior.py"
    spec = importlib.util.spec_from_file_location("natural_prior", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_natural_prior_is_not_trained_on_the_clean_images_of_the_rain_test_set(
    natural_prior, data
):
    clean = {pixels(path) for path in (data / "paired" / "rain_synth" / "gt").iterdir()}
    assert len(clean) == 12
    used = {pixels(path) for path in natural_prior.photographs().paths}
    assert not clean & used
    assert not clean & {pixels(path) for path in natural_prior.validation().paths}
    # the photographs do lie in the folder, so that the comparison could have failed
    everything = ImageFolder([data / "natural" / "bsds500" / "train"]).paths
    assert clean <= {pixels(path) for path in everything}
    assert len(used) > 450
