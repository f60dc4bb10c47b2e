"""GIFs as a viewer reads them: one size, one palette, no end, and nothing that flickers where nothing changes."""

import numpy as np
import pytest
from PIL import Image

from jaxir.data import ImageFileError
from jaxir.report.animation import REST, SAMPLE, STEP, animation


@pytest.fixture
def frames():
    """A gradient with a square that moves."""
    ramp = np.linspace(-1, 1, 48, dtype=np.float32)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 0 * ramp), axis=-1)
    made = []
    for i in range(4):
        frame = image.copy()
        frame[:8, 8 * i : 8 * i + 8] = 1
        made.append(frame)
    return made


def read(path):
    with Image.open(path) as file:
        durations, pixels = [], []
        for i in range(file.n_frames):
            file.seek(i)
            durations.append(file.info["duration"])
            pixels.append(np.asarray(file.convert("RGB")).astype(int))
        return file.info, durations, pixels


def test_it_holds_all_frames_for_their_times_without_an_end(tmp_path, frames):
    animation(tmp_path / "a.gif", frames[:2], frames[2:])
    info, durations, pixels = read(tmp_path / "a.gif")
    assert info["loop"] == 0
    assert durations == [STEP, REST, SAMPLE, SAMPLE]
    for frame, shown in zip(frames, pixels, strict=True):
        # 256 colours and the dots between them: on average a few levels off
        assert np.abs(shown - 127.5 * (frame + 1)).mean() < 8


def test_what_does_not_change_does_not_flicker(tmp_path, frames):
    animation(tmp_path / "a.gif", frames)
    _, _, pixels = read(tmp_path / "a.gif")
    for shown in pixels[1:]:
        np.testing.assert_array_equal(shown[8:], pixels[0][8:])


def test_all_frames_share_one_palette(tmp_path, frames):
    animation(tmp_path / "a.gif", frames)
    data = (tmp_path / "a.gif").read_bytes()
    assert data[10] & 0x80  # a table of colours for all
    for flags in image_flags(data):
        assert not flags & 0x80  # and none for a frame


def image_flags(data):
    """The packed field of each image descriptor, by walking the blocks of the file."""
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    while data[at] != 0x3B:
        if data[at] == 0x21:
            at += 2
        else:
            assert data[at] == 0x2C
            yield data[at + 9]
            assert not data[at + 9] & 0x80, "a frame has colours of its own"
            at += 11
        while data[at]:
            at += data[at] + 1
        at += 1


def test_frames_of_any_size_get_that_of_the_last_within_the_bound(tmp_path, frames):
    grey = frames[0][:30, :20, :1]
    animation(tmp_path / "a.gif", [grey, grey[:1, :1]], [frames[0]], side=24)
    _, _, pixels = read(tmp_path / "a.gif")
    assert {each.shape for each in pixels} == {(24, 24, 3)}


def test_a_file_that_is_there_stays(tmp_path, frames):
    path = tmp_path / "a.gif"
    path.write_bytes(b"mine")
    with pytest.raises(ImageFileError, match=r"a\.gif exists"):
        animation(path, frames)
    assert path.read_bytes() == b"mine"
    animation(path, frames, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]
