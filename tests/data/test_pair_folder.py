"""Both images of a pair go through the same window, flip and turn; a pair that is none is refused by name."""

import numpy as np
import pytest
from PIL import Image

from jaxir.data import (
    ImageFileError,
    PairFolder,
    Pairs,
    Synthetic,
    UnreadableImageWarning,
    check_crop,
    crop_batch,
)

CLEAN, DEGRADED = Synthetic(4, 20), Synthetic(4, 20, seed=1)


def save(folder, name, image):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def folders(tmp_path):
    for i in range(3):
        save(tmp_path / "clean", f"{i}.png", CLEAN[i])
        save(tmp_path / "degraded", f"{i}.bmp", DEGRADED[i])
    return tmp_path / "clean", tmp_path / "degraded"


def test_a_pair_is_the_clean_image_and_behind_it_the_degraded_one(folders):
    source = PairFolder(*folders)
    assert len(source) == 3
    assert [(a.name, b.name) for a, b in source.paths] == [
        (f"{i}.png", f"{i}.bmp") for i in range(3)
    ]
    assert source[1].dtype == np.uint8
    np.testing.assert_array_equal(source[1], np.concatenate([CLEAN[1], DEGRADED[1]], axis=-1))


def test_crops_of_a_pair_are_one_window_of_both_flipped_and_turned_alike():
    inverted = [255 - CLEAN[i] for i in range(4)]
    crops = crop_batch(Pairs(CLEAN, inverted), seed=0, step=0, batch=64, size=8)
    assert crops.shape == (64, 8, 8, 6)
    np.testing.assert_array_equal(crops[..., 3:], 255 - crops[..., :3])


def test_pairs_are_cropped_where_their_clean_images_alone_would_be():
    pairs = crop_batch(Pairs(CLEAN, DEGRADED), seed=3, step=5, batch=16, size=8)
    for source, channels in ((CLEAN, slice(3)), (DEGRADED, slice(3, 6))):
        alone = crop_batch(source, seed=3, step=5, batch=16, size=8)
        np.testing.assert_array_equal(pairs[..., channels], alone)


def test_match_says_which_clean_image_belongs_to_a_degraded_one(folders):
    clean, degraded = folders
    for i in range(3):
        (degraded / f"{i}.bmp").rename(degraded / f"{i}_1_0.97842.bmp")
    save(degraded, "1_2_0.85.png", DEGRADED[3])
    source = PairFolder(clean, degraded, match=lambda stem: stem.split("_")[0])
    assert [a.stem for a, _ in source.paths] == ["0", "1", "1", "2"]
    np.testing.assert_array_equal(source[2], np.concatenate([CLEAN[1], DEGRADED[3]], axis=-1))


def test_images_of_subfolders_pair_within_their_subfolder(tmp_path):
    for i, name in enumerate(["day/1.png", "night/1.png"]):
        save(tmp_path / "clean", name, CLEAN[i])
        save(tmp_path / "degraded", name, DEGRADED[i])
    source = PairFolder(tmp_path / "clean", tmp_path / "degraded")
    np.testing.assert_array_equal(source[1], np.concatenate([CLEAN[1], DEGRADED[1]], axis=-1))


def one_line(error):
    message = str(error.value)
    assert "\n" not in message
    return message


def test_images_without_a_partner_are_named_on_either_side(folders):
    clean, degraded = folders
    lonely = [save(degraded, "7.png", DEGRADED[3]), save(clean, "8.png", CLEAN[3])]
    with pytest.raises(ImageFileError, match="2 images have no partner") as error:
        PairFolder(clean, degraded)
    message = one_line(error)
    assert all(str(path) in message for path in lonely)
    assert "same name but for the extension, or say by match" in message


def test_two_clean_images_of_one_name_are_named(folders):
    save(folders[0], "1.tif", CLEAN[3])
    with pytest.raises(ImageFileError, match=r"1\.png and .*1\.tif have one name") as error:
        PairFolder(*folders)
    one_line(error)


def test_images_of_different_size_are_named_without_decoding_any(folders, monkeypatch):
    clean, degraded = folders
    (degraded / "2.bmp").unlink()
    save(degraded, "2.png", DEGRADED[2][:10])
    monkeypatch.setattr("jaxir.data.image_folder.read_image", lambda path: pytest.fail("decoded"))
    with pytest.raises(ImageFileError, match="1 pairs differ in size") as error:
        PairFolder(clean, degraded)
    message = one_line(error)
    assert f"{clean / '2.png'} (20×20) and {degraded / '2.png'} (10×20)" in message
    assert "bring both to one size" in message


def test_a_pair_with_an_unreadable_image_is_skipped_and_the_file_named(folders):
    clean, degraded = folders
    (degraded / "0.bmp").write_text("not a picture")
    (clean / "2.png").write_bytes(b"")
    with pytest.warns(UnreadableImageWarning, match="2 of 6 images cannot be read") as caught:
        source = PairFolder(clean, degraded)
    assert len(caught) == 1
    assert [a.stem for a, _ in source.paths] == ["1"]
    (clean / "1.png").write_text("not a picture")
    with (
        pytest.warns(UnreadableImageWarning, match="3 of 6"),
        pytest.raises(ImageFileError, match="no pair of which both images can be read"),
    ):
        PairFolder(clean, degraded)


def test_pair_folders_say_before_any_decoding_that_a_crop_is_too_large(folders):
    check_crop(PairFolder(*folders), 20)
    with pytest.raises(ValueError, match=r"20×20 \(and 2 more\), smaller than the crop of 21"):
        check_crop(PairFolder(*folders), 21)


def test_sources_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match="4 clean images and 3 degraded ones"):
        Pairs(CLEAN, Synthetic(3, 20))
    with pytest.raises(ValueError, match="pair 2 has a clean image of shape") as error:
        Pairs(CLEAN, Synthetic(4, 10))[2]
    assert "bring both to one size" in one_line(error)


@pytest.mark.parametrize(
    ("name", "count"), [("rain_synth", 12), ("lowlight_lol", 4), ("underwater_euvp", 14)]
)
def test_published_pairs_are_matched_by_name(data, name, count):
    source = PairFolder(data / "paired" / name / "gt", data / "paired" / name / "lq")
    assert len(source) == count
    assert source[0].shape == (*source.sizes()[0], 6)


def test_hazy_images_share_their_clean_one(data):
    folder = data / "paired" / "haze_its"
    source = PairFolder(folder / "gt", folder / "lq", match=lambda stem: stem.split("_")[0])
    assert [a.stem for a, _ in source.paths] == ["1", "1", "2", "2"]
    np.testing.assert_array_equal(source[0][..., :3], source[1][..., :3])
