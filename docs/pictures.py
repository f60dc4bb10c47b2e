"""The pictures of docs/degradations.md, drawn from its own tables: each row is evaluated, applied and captioned.

    python docs/pictures.py [--output docs/pictures]

`rows` and `built` are what `tests/docs` holds the tables to; a picture keeps the rows that it was drawn from.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from jaxir import degradations
from jaxir.degradations import (
    Degradation,
    Identity,
    MultiCoil,
    Noise,
    Operator,
    Pansharpening,
    ParallelBeam,
    PhaseRetrieval,
    Sensing,
    TimeFilter,
    grey,
    motion_blur,
)
from jaxir.photos import photo
from jaxir.report import Picture, Row, panel
from jaxir.typing import Image

PAGE = Path(__file__).parent / "degradations.md"
SHAPE = (96, 96, 3)
COLUMNS = 4
DRAWS = 4
"""Of a blind pipeline."""


class Entry(NamedTuple):
    """A row of a table of the page."""

    section: str
    name: str
    shell: str
    python: str
    admits: str


def rows(page: Path = PAGE) -> Iterator[Entry]:
    """The rows of all tables that have a constructor in Python."""
    section, columns = "", []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.replace(r"\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells or set(cells[0]) <= set("-"):
            continue
        if "Python" in cells:
            columns = cells
        elif len(cells) == len(columns):
            row = dict(zip(columns, (cell.strip("`") for cell in cells), strict=True))
            yield Entry(section, row["name"], row["shell"], row["Python"], row["admits"])


def built(python: str) -> Any:
    """What a constructor of the page makes, with the names that the page uses."""
    height, width, _ = SHAPE
    line = motion_blur(SHAPE, 15.0, 60.0).kernel
    row, column = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    coils = np.stack(
        [np.exp(-((row - a) ** 2) - (column - b) ** 2) for a in (-1, 1) for b in (-1, 1)]
    )
    names = {
        "jnp": jnp,
        "key": jax.random.key(0),
        "shape": SHAPE,
        "kernel": (line + line.T) / 2,
        "kernels": np.stack([_spread(width) for width in (0.3, 1.2, 1.2, 3.0)]).reshape(
            2, 2, 15, 15
        ),
        "mask": ((row + 0.2) ** 2 + (column - 0.1) ** 2 < 0.4)[..., None].astype(np.float32),
        "gain": np.float32(1 - 0.45 * (row**2 + column**2))[..., None],
        "glare": np.float32(np.exp(-6 * ((row + 0.4) ** 2 + (column - 0.4) ** 2)))[..., None],
        "matrix": jnp.array([[0.8, 0.3, 0.0], [0.1, 0.6, 0.1], [0.0, 0.3, 0.5]]),
        "weights": jnp.array([0.3, 0.4, 0.3]),
        "maps": jnp.asarray(coils / np.sqrt(np.sum(coils**2, axis=0)), jnp.complex64),
    }
    return eval(python, vars(degradations) | names)


def _spread(width: float) -> np.ndarray:
    """A Gaussian kernel of side 15."""
    line = np.exp(-0.5 * (np.arange(-7, 8) / width) ** 2)
    return np.outer(line, line) / line.sum() ** 2


def drawn(thing: Operator | Noise, x: Image) -> Image:
    """What it makes of a photograph, as a picture in [-1, 1]."""
    if isinstance(thing, Noise):
        eye = x[16:64, 4:52]
        return Degradation(Identity(eye.shape), thing).sample(jax.random.key(1), eye)
    if thing.shape[-1] == 1:
        x = grey(SHAPE)(x)
    if isinstance(thing, TimeFilter):
        x = jnp.stack([jnp.roll(x, 2 * i, axis=1) for i in range(thing.shape[0])])
    else:
        x = x[: thing.shape[0], : thing.shape[1]]
    y = jax.jit(lambda x: thing(x))(x)
    match thing:
        case PhaseRetrieval():
            light = jnp.fft.fftshift(jnp.log(y + 0.1), axes=(0, 1))
            return 2 * (light - light.min()) / (light.max() - light.min()) - 1
        case ParallelBeam():
            attenuation = jax.image.resize(y + thing(jnp.ones_like(x)), x.shape, "linear")
            return 2 * attenuation / attenuation.max() - 1
        case TimeFilter():
            return y[0]
        case Pansharpening():
            bands, pan = thing.split(y)
            return jnp.repeat(pan, 3, axis=2).at[: len(bands), : len(bands)].set(bands)
        case Sensing() | MultiCoil():
            return jax.jit(lambda y: thing.pinv(y))(y)
    return y


def tiles(entry: Entry, x: Image) -> list[Picture]:
    """The picture of a row; of a blind pipeline several draws."""
    thing = built(entry.python)
    if entry.admits == "draws":
        keys = jax.random.split(jax.random.key(1), DRAWS)
        found = jax.jit(jax.vmap(thing, (0, None)))(keys, x)
        return [Picture(np.asarray(y), entry.name) for y in found]
    return [Picture(np.asarray(drawn(thing, x)), f"{entry.name}\n{entry.shell or entry.python}")]


def sheet(pictures: list[Picture]) -> np.ndarray:
    """Line after line, 8 bits a channel."""
    empty = [None] * (-len(pictures) % COLUMNS)
    places = [*pictures, *empty]
    lines = [places[i : i + COLUMNS] for i in range(0, len(places), COLUMNS)]
    pixels = panel([Row("", line) for line in lines], columns=[""] * COLUMNS)
    return np.round((pixels + 1) * 127.5).astype(np.uint8)


def name_of(section: str) -> str:
    """The file of a section's picture."""
    return f"{section.lower().replace(' ', '-')}.png"


def main() -> None:
    """Draw all sections."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=PAGE.parent / "pictures")
    folder = parser.parse_args().output
    folder.mkdir(exist_ok=True)
    photograph = jnp.asarray(photo("cat"))
    total = 0
    for section, group in itertools.groupby(rows(), key=lambda entry: entry.section):
        entries = list(group)
        pictures = [picture for entry in entries for picture in tiles(entry, photograph)]
        if not total:
            pictures.insert(0, Picture(np.asarray(photograph), "the photograph"))
        note, path = PngInfo(), folder / name_of(section)
        note.add_text("rows", "\n".join(entry.python for entry in entries))
        # 128 colours a sheet: a third of the size, and not to be seen
        Pillow.fromarray(sheet(pictures)).quantize(128, dither=Pillow.Dither.NONE).save(
            path, optimize=True, pnginfo=note
        )
        total += path.stat().st_size
        print(f"{path}: {path.stat().st_size} bytes")
    print(f"{total} bytes in all")


if __name__ == "__main__":
    main()
