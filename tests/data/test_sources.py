"""Arrays, subsets and the split into training and validation."""

import numpy as np
import pytest

from jaxir.data import Arrays, Pairs, Subset, Synthetic, check_crop, crop_batch, holdout

IMAGES = np.stack(list(Synthetic(5, 12)))


def test_an_array_of_bytes_is_a_source_as_it_is():
    source = Arrays(IMAGES)
    assert len(source) == 5
    np.testing.assert_array_equal(source[2], IMAGES[2])
    assert source[2].base is IMAGES


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_rounded_to_the_nearest_byte(dtype):
    floats = (IMAGES / 127.5 - 1).astype(dtype)
    np.testing.assert_array_equal(Arrays(floats).images, IMAGES)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[0], r"shape \(12, 12, 3\), expected \(N, H, W, C\)"),
        (IMAGES[:0], r"shape \(0, 12, 12, 3\), expected"),
        (IMAGES.astype(int), "dtype int64, expected uint8 or floats"),
        (IMAGES.astype(np.float32), r"spans \[0, 255\], expected floats in \[-1, 1\]"),
        (np.full((1, 2, 2, 1), np.nan), r"spans \[nan, nan\]"),
    ],
)
def test_what_is_no_array_of_images_is_refused(images, message):
    with pytest.raises(ValueError, match=message) as error:
        Arrays(images)
    assert "\n" not in str(error.value)


def test_arrays_come_from_npy_and_npz_files(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    np.savez(tmp_path / "one.npz", x=IMAGES)
    np.savez(tmp_path / "two.npz", clean=IMAGES, noisy=IMAGES[::-1])
    from_npy = Arrays.load(tmp_path / "a.npy")
    assert isinstance(from_npy.images, np.memmap)
    for source in (
        from_npy,
        Arrays.load(tmp_path / "one.npz"),
        Arrays.load(tmp_path / "two.npz", "clean"),
    ):
        np.testing.assert_array_equal(source.images, IMAGES)


def test_a_file_without_the_array_is_refused_with_what_it_holds(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    np.savez(tmp_path / "two.npz", clean=IMAGES, noisy=IMAGES)
    (tmp_path / "c.npz").write_text("no archive")
    for name, key, message in (
        ("two.npz", None, "key is None, expected an array of .*: one of clean, noisy"),
        ("two.npz", "x", "key is 'x', expected an array of .*: one of clean, noisy"),
        ("a.npy", "x", "key is 'x', but .* holds one array without a name"),
        ("b.npy", None, r"cannot be read as arrays .*: give a \.npy or \.npz file"),
        ("c.npz", None, r"cannot be read as arrays .*: give a \.npy or \.npz file"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            Arrays.load(tmp_path / name, key)
        assert "\n" not in str(error.value)


def test_holdout_puts_every_image_on_one_side_and_always_on_the_same():
    source = Synthetic(50, 8)
    train, validation = holdout(source, 0.2, seed=1)
    assert (len(train), len(validation)) == (40, 10)
    assert sorted([*train.indices, *validation.indices]) == list(range(50))
    np.testing.assert_array_equal(validation[3], source[validation.indices[3]])
    again, other = holdout(source, 0.2, seed=1)[1], holdout(source, 0.2, seed=2)[1]
    assert again.indices == validation.indices
    assert other.indices != validation.indices


def test_holdout_leaves_no_side_empty_and_refuses_what_cannot_be_split():
    assert [len(part) for part in holdout(Synthetic(3, 8), 0.01)] == [2, 1]
    assert [len(part) for part in holdout(Synthetic(3, 8), 0.99)] == [1, 2]
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"share is .*, expected a number between 0 and 1"):
            holdout(Synthetic(3, 8), share)
    with pytest.raises(ValueError, match="holds 1 image"):
        holdout(Synthetic(1, 8), 0.5)


def test_training_crops_never_come_from_held_out_images():
    source = Arrays(
        np.full((20, 4, 4, 1), 0, np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None, None]
    )
    train, validation = holdout(source, 0.25)
    seen = set(crop_batch(train, seed=0, step=0, batch=400, size=2).ravel().tolist())
    assert seen == set(train.indices)
    assert not seen & set(validation.indices)


class Unmeasured:
    """Images of growing size, which nobody knows in advance."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return np.zeros((8 + index, 9, 3), np.uint8)


@pytest.mark.parametrize(
    "source",
    [
        Synthetic(3, 8),
        Arrays(IMAGES[:3, :8]),
        Subset(Synthetic(9, 8), [1, 2, 5]),
        Pairs(Synthetic(3, 8), Synthetic(3, 8)),
        Subset(Unmeasured(), [0]),
        Unmeasured(),
        [np.zeros((8, 9, 3), np.uint8)],
    ],
)
def test_a_crop_that_does_not_fit_is_refused_before_training(source):
    check_crop(source, 8)
    with pytest.raises(
        ValueError, match=r"image 0 .* smaller than the crop of 9: use a smaller crop"
    ):
        check_crop(source, 9)
