"""`jaxir bench`: methods × tasks over a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def bench(
    images: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("bench.json"),
    tasks: tuple[str, ...] = ("motion", "bicubic", "random", "box"),
    methods: tuple[str, ...] = ("diffpir", "mmps", "pigdm"),
    count: int = 12,
    size: int = 96,
    steps: int = 40,
    samples: int = 4,
    seed: int = 0,
    prior: str = "natural-prior",
    force: bool = False,
) -> None:
    """Restore the middle of every image of a folder by every method, and compare with the classical baseline.

    Prints means over images with 95 % bootstrap intervals of the gain over the baseline, says which methods do not
    admit a task or diverge, and writes every figure with its protocol as JSON. `jaxir bench exact` judges methods
    where the exact posterior is known, without images.

    Args:
        images: a folder of clean images that the prior was not trained on.
        output: the JSON file to write.
        tasks: any of denoise, bicubic2 (2 times smaller), bicubic (4 times), gaussian, motion, random, box.
        methods: as in `jaxir restore --method`.
        count: images, the first in alphabetical order.
        size: side of the square cut from the middle.
        steps: network evaluations for each sample.
        samples: restorations whose mean is measured.
        seed: image i uses (seed, i); the same for every method.
        prior: weights, by name or folder.
        force: write over an existing output.
    """
    from jaxir.cli.errors import UsageError, one_line, unknown
    from jaxir.cli.methods import parse_method

    chosen = {text: parse_method(text) for text in methods}
    if output.exists() and not force:
        raise UsageError(f"{output} exists: pass --force to write over it")
    for name, value in (("count", count), ("size", size), ("steps", steps), ("samples", samples)):
        if value < 1:
            raise UsageError(f"--{name} is {value}, expected at least 1")
    import dataclasses
    import json
    import shlex
    import sys

    import jax
    import jax.numpy as jnp
    import numpy as np

    import jaxir
    from jaxir.cli.progress import progress
    from jaxir.cli.tasks import SIGMA, TASKS
    from jaxir.cli.trial import trial
    from jaxir.data import image_files, middle, read_image
    from jaxir.metrics import mean_interval
    from jaxir.provenance import provenance
    from jaxir.report import Result, plain

    for task in tasks:
        if task not in TASKS:
            raise unknown("task", task, TASKS)
    paths = image_files(images)[:count]
    denoiser, rows = jaxir.load(prior), []
    left_out: dict[str, list[str]] = {}
    total = len(paths) * sum(1 + len(TASKS[t].baselines) + len(methods) for t in tasks)
    with progress("bench") as callback:
        for i, path in enumerate(paths):
            image = read_image(path)
            if min(image.shape[:2]) < size or image.shape[2] != 3:
                raise UsageError(
                    f"{path} is {image.shape}, expected colour of at least {size}×{size}"
                )
            truth = jnp.asarray(middle(image, size))
            for j, task in enumerate(tasks):
                key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), i), j)

                def refused(method: str, error: Exception, task: str = task) -> None:
                    pairs = left_out.setdefault(one_line(error), [])
                    if f"{method} on {task}" not in pairs:
                        pairs.append(f"{method} on {task}")

                for outcome in trial(
                    key,
                    task,
                    TASKS[task],
                    truth,
                    denoiser=denoiser,
                    chosen=chosen,
                    steps=steps,
                    samples=samples,
                    refused=refused,
                ):
                    rows.append({"image": path.name, **dataclasses.asdict(outcome.result)})
                    callback(len(rows), total)

    if not any(row["seconds"] for row in rows):
        raise UsageError(f"no method runs: {'; '.join(left_out)}")

    def mean(group: list[dict], field: str) -> float | None:
        """None where any image has none: a mean over the others would flatter a method that diverged."""
        values = [row[field] for row in group if row[field] is not None]
        return float(np.mean(values)) if len(values) == len(paths) else None

    table, intervals = [], {}
    for task in tasks:
        for method in dict.fromkeys(row["method"] for row in rows if row["task"] == task):
            group = [row for row in rows if (row["task"], row["method"]) == (task, method)]
            fields = ("psnr", "single", "over_input", "over_baseline", "ssim", "seconds")
            values = {field: mean(group, field) for field in fields}
            evaluations = group[0]["evaluations"]
            table.append(Result(task, method, evaluations=evaluations, **values))
            gains = [row["over_baseline"] for row in group if row["over_baseline"] is not None]
            if len(gains) == len(paths):
                intervals[f"{task}/{method}"] = mean_interval(gains)
    print(plain(table))
    for reason, pairs in left_out.items():
        print(f"\nleft out: {'; '.join(pairs)}:\n  {reason}")
    print("\nGain over the baseline, 95 % bootstrap intervals over images:")
    for name, (low, high) in intervals.items():
        print(f"  {name}: {low:+.2f} to {high:+.2f} dB")
    record = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "protocol": {
            "images": [path.name for path in paths],
            "size": size,
            "noise": SIGMA,
            "steps": steps,
            "samples": samples,
            "seed": seed,
            "prior": prior,
            "metric": "PSNR and SSIM of the clipped mean of the samples, RGB, range 2, no border",
        },
        "provenance": provenance(),
        "mean": [dataclasses.asdict(row) for row in table],
        "intervals": intervals,
        "left_out": left_out,
        "rows": rows,
    }
    output.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(f"{output}")
