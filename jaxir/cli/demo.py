"""`jaxir demo`: what jaxir does, on photographs and weights that ship."""

from __future__ import annotations

from pathlib import Path


def demo(output: Path = Path("jaxir-demo"), seed: int = 0, smoke: bool = False) -> None:
    """Restore three photographs that come with jaxir, and show what to trust.

    Four tasks, three methods, four samples each: a table, a sheet of pictures for every task, and the same
    methods on a problem whose exact posterior is known. About two minutes on two cores; nothing is downloaded.

    Args:
        output: the folder for pictures and demo.json; files of an earlier demo are replaced.
        seed: another seed, other noise.
        smoke: the smallest run that goes through everything; its figures mean nothing.
    """
    import time

    began = time.perf_counter()
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("loading the prior"):
        import dataclasses
        import json

        import jax
        import jax.numpy as jnp
        import numpy as np

        import jaxir
        from jaxir.cli.progress import progress
        from jaxir.cli.tasks import SIGMA, TASKS
        from jaxir.cli.trial import METHODS, Outcome, trial
        from jaxir.cli.trust import trust
        from jaxir.data import write_image
        from jaxir.photos import photo
        from jaxir.provenance import provenance
        from jaxir.report import Picture, Row, Uncertainty, panel, plain

        denoiser = jaxir.load("natural-prior")
    output.mkdir(parents=True, exist_ok=True)
    plan = {  # photograph and side: a quarter of the pixels needs a larger picture
        "motion": ("cat", 80),
        "bicubic": ("astronaut", 96),
        "random": ("astronaut", 80),
        "box": ("coffee", 80),
    }
    steps, samples = (3, 2) if smoke else (40, 4)
    key = jax.random.key(seed)
    results = []

    def sheet(title: str, truth: np.ndarray, outcomes: list[Outcome]) -> np.ndarray:
        given = outcomes[0]
        restored = [outcome for outcome in outcomes if outcome.samples is not None]
        baseline = outcomes[-len(restored) - 1]
        shown = [
            Picture(np.asarray(given.image), f"input {given.result.psnr:.2f} dB"),
            Picture(
                np.asarray(baseline.image),
                f"{baseline.result.method} {baseline.result.psnr:.2f} dB",
            ),
        ]
        rows = []
        for outcome in restored:
            caption = f"{outcome.result.psnr:.2f} dB, SSIM {outcome.result.ssim:.3f}"
            tiles: list[Picture | Uncertainty | None] = [
                *shown,
                Picture(np.asarray(outcome.samples.images[0])),
                Picture(np.asarray(outcome.image), caption),
                Uncertainty(np.asarray(outcome.samples.std)),
                Picture(truth),
            ]
            rows.append(Row(outcome.result.method, tiles))
        heads = ["input", "classical", "one sample", f"mean of {samples}", "uncertainty", "truth"]
        return panel(rows, columns=heads, title=title)

    for number, (name, (picture, side)) in enumerate(plan.items()):
        side = 32 if smoke else side
        middle = slice((96 - side) // 2, (96 + side) // 2)
        task, truth = TASKS[name], jnp.asarray(photo(picture))[middle, middle]
        title, outcomes = f"{picture}: {task.title}", []
        with progress(title) as moved:

            def callback(label: str, done: int, total: int, title: str = title) -> None:
                moved(done, total, f"{title}: {label}")

            for outcome in trial(
                jax.random.fold_in(key, number),
                title,
                task,
                truth,
                denoiser=denoiser,
                chosen=METHODS,
                steps=steps,
                samples=samples,
                callback=callback,
            ):
                outcomes.append(outcome)
        results += [outcome.result for outcome in outcomes]
        write_image(
            output / f"{name}.png",
            sheet(f"{title}, noise {SIGMA}", np.asarray(truth), outcomes),
            overwrite=True,
        )
    print(
        f"PSNR and SSIM of the mean of {samples} samples; noise {SIGMA} of [0, 1] in every task.\n"
    )
    print(plain(results))

    with console.status("a problem whose answer is known"):
        trusted = list(trust(key, METHODS, steps=3 if smoke else 100, samples=8 if smoke else 64))
    print("\nWhat to trust: the same methods on a Gaussian field whose exact posterior is known.")
    print("Exact draws have a mean error of 1/√n, a ratio of 1 and a coverage of 90 %.\n")
    print(plain(trusted))
    seconds = time.perf_counter() - began
    record = {
        "command": f"jaxir demo --seed {seed}" + (" --smoke" if smoke else ""),
        "provenance": provenance(),
        "steps": steps,
        "samples": samples,
        "restoration": [dataclasses.asdict(row) for row in results],
        "trust": [dataclasses.asdict(row) for row in trusted],
        "seconds": seconds,
    }
    (output / "demo.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(f"\nPictures: {', '.join(str(output / f'{name}.png') for name in plan)}")
    print(f"{seconds:.0f} s in all")
