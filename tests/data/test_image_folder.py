"""A folder is looked through once: what cannot be read is named and skipped, and sizes are known before training."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from jaxir.data import (
    ImageFileError,
    ImageFolder,
    Synthetic,
    UnreadableImageWarning,
    image_folder,
    image_size,
    read_image,
)

SOURCE = Synthetic(6, 20)


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        Image.fromarray(SOURCE[i]).save(tmp_path / f"{i}.png")
    return tmp_path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_gives_the_bytes_of_its_files(folder):
    Image.fromarray(SOURCE[3][..., 0]).save(folder / "grey.png")
    source = ImageFolder([folder])
    assert [path.name for path in source.paths] == ["0.png", "1.png", "2.png", "grey.png"]
    np.testing.assert_array_equal(source[1], SOURCE[1])
    assert source[1].dtype == np.uint8
    np.testing.assert_array_equal(source[3], np.repeat(SOURCE[3][..., :1], 3, axis=-1))


def test_what_is_left_out_is_known_by_its_hash_not_its_name(folder):
    left_out = {digest(folder / "1.png")}
    (folder / "1.png").rename(folder / "renamed.png")
    source = ImageFolder([folder], leave_out=left_out)
    assert [path.name for path in source.paths] == ["0.png", "2.png"]
    assert len(source) == 2


def test_leaving_out_everything_is_an_error(folder):
    with pytest.raises(ImageFileError, match="3 images, all of them in leave_out"):
        ImageFolder([folder], leave_out=[digest(path) for path in folder.iterdir()])


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_what_cannot_be_read_is_skipped_with_one_warning_that_names_it(folder):
    cut_short(folder / "1.png")
    (folder / "2.png").write_text("not a picture")
    with pytest.warns(UnreadableImageWarning) as caught:
        source = ImageFolder([folder])
    (message,) = [str(warning.message) for warning in caught]
    assert message.startswith("2 of 3 images cannot be read and are skipped: ")
    assert str(folder / "1.png") in message
    assert str(folder / "2.png") in message
    assert "\n" not in message
    assert source.unreadable == [folder / "1.png", folder / "2.png"]
    assert source.paths == [folder / "0.png"]
    np.testing.assert_array_equal(source[0], SOURCE[0])


def test_a_folder_of_which_nothing_can_be_read_is_refused(folder):
    for path in folder.iterdir():
        path.write_text("not a picture")
    with pytest.raises(ImageFileError, match=r"none of the 3 images found can be read; the first:"):
        ImageFolder([folder])


def test_a_message_names_ten_files_and_counts_the_others():
    assert image_folder.named(range(10)).endswith("8, 9")
    assert image_folder.named(range(25)).endswith("8, 9 and 15 more")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_size_is_that_of_the_image_as_it_is_read(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if suffix == ".bmp" else {"exif": exif}
    path = tmp_path / f"a{suffix}"
    Image.fromarray(SOURCE[0][:12]).save(path, **options)
    assert image_size(path) == read_image(path).shape[:2]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_a_file_cut_short_has_no_size(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    cut_short(path)
    with pytest.raises(ImageFileError, match=r"get the file again|not an image"):
        image_size(path)


def test_a_file_with_more_behind_its_end_is_whole(folder):
    with (folder / "1.png").open("ab") as file:
        file.write(b"trailing")
    assert image_size(folder / "1.png") == (20, 20)


def test_the_size_of_a_whole_png_or_jpeg_is_known_without_decoding(folder, monkeypatch):
    Image.fromarray(SOURCE[3]).save(folder / "3.jpg")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    assert ImageFolder([folder]).sizes() == [(20, 20)] * 4


def test_images_are_decoded_once_while_memory_holds_them(folder, monkeypatch):
    decoded = []

    def counting(path):
        decoded.append(path.name)
        return read_image(path)

    monkeypatch.setattr(image_folder, "read_image", counting)
    source = ImageFolder([folder], memory=2 * SOURCE[0].nbytes)
    for _ in range(2):
        for i in range(3):
            np.testing.assert_array_equal(source[i], SOURCE[i])
    assert decoded == ["0.png", "1.png", "2.png", "2.png"]


def test_photographs_have_the_sizes_of_their_headers(data):
    source = ImageFolder([data / "natural" / "bsds500" / "val"])
    assert [source[i].shape[:2] for i in range(10)] == list(source.sizes()[:10])
