"""CBM3D on the noisy images of benchmarks/denoising.py; needs `pip install bm3d pillow numpy`, not jaxir.

python benchmarks/denoising_bm3d.py -o bm3d.json
"""

import argparse
import json
import os
from pathlib import Path

import bm3d
import numpy as np
from PIL import Image

DATA = Path(os.environ.get("JAXIR_DATA", Path(__file__).parents[2] / "shared" / "data"))
FOLDERS = {"set5": DATA / "testsets" / "set5" / "hr", "mcmaster6": DATA / "testsets" / "mcmaster6"}


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    for folder, path in FOLDERS.items():
        for index, file in enumerate(sorted(path.iterdir())):
            clean = np.asarray(Image.open(file).convert("RGB"), np.float64) / 255
            for level in (15, 25, 50):
                noise = np.random.default_rng(index).standard_normal(clean.shape)
                restored = np.clip(bm3d.bm3d_rgb(clean + level / 255 * noise, level / 255), 0, 1)
                value = float(-10 * np.log10(np.mean((restored - clean) ** 2)))
                rows.append({"set": folder, "image": file.name, "sigma": level, "cbm3d": value})
                print(rows[-1], flush=True)
    arguments.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
