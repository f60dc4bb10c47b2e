"""`jaxir bench exact`: methods where the exact posterior is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def bench_exact(
    bed: tuple[str, ...] = ("gaussian", "mixture"),
    process: tuple[str, ...] = ("vp",),
    method: tuple[str, ...] = ("conditional", "ddnm", "diffpir", "dps", "mmps", "pigdm"),
    steps: int = 50,
    samples: int = 99,
    problems: int = 20,
    seed: int = 0,
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    markdown: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    force: bool = False,
) -> None:
    """Judge methods on problems whose exact posterior is known, with exact denoisers: no network, no images.

    Before the methods stand draws of the posterior itself, from which no method can be told at this number of
    samples, and draws of the prior. The covariance columns are the extreme eigenvalues of the samples' covariance
    whitened by the exact one: below 1 is over-confident. W1 is the mean over 100 directions of the distance from exact
    draws, W2 that of the Gaussians with both means and covariances. Coverage, with its 95 % interval, and the p-value
    of simulation-based calibration are over problems.

    Args:
        bed: any of gaussian, paired, mixture, field-blur, field-reduction, field-inpainting, stored, with parameters as
            in "mixture(80, 4)" or "field-blur(side=64)".
        process: any of vp, subvp, cosine, flow, ve, edm, wiener, symmetric-wiener, denoising-sde, irsde, resshift,
            interpolation, brownian-bridge, i2sb, ddbm-ve, ddbm-vp, goub, as in "irsde(std=0.2)".
        method: conditional (DDIM steps of the denoiser that sees y), blind (Bridge steps of the one that does not), a
            method of jaxir.methods as in "mmps(steps=5)", or your own as module:object, the module in this folder or
            installed. A Transition or a Sampler, such as "jaxir.transitions:Ancestral(mix=1)", runs the denoiser that
            sees y; a function or class (denoiser, degradation) -> denoiser, or -> (denoiser, sampler), is guidance and
            gets the prior's.
        steps: times, equally spaced in log-SNR over the span of the process; for most methods the evaluations of the
            denoiser for each sample.
        samples: draws for each problem, of a method with particles all of those of a run; 19, 39, ... 99 make the 90 %
            interval exact.
        problems: measurements, each with its own truth.
        seed: problem i uses (seed, i), the same for every method.
        json: write all figures with their protocol and provenance.
        markdown: write the table.
        force: write over files that exist.
    """
    from jaxir.cli.beds import parse_bed
    from jaxir.cli.errors import UsageError, one_line

    for name, value, least in (
        ("steps", steps, 1),
        ("samples", samples, 19),
        ("problems", problems, 5),
    ):
        if value < least:
            raise UsageError(f"--{name} is {value}, expected at least {least}")
    for path in (json, markdown):
        if path is not None and path.exists() and not force:
            raise UsageError(f"{path} exists: pass --force to write over it")
    beds = {text: parse_bed(text) for text in bed}

    import dataclasses
    import functools
    import itertools
    import json as json_module

    import jax

    from jaxir.cli.contenders import parse_contender
    from jaxir.cli.judge import Exact, cases, floor, judge, prior, sampled
    from jaxir.cli.processes import parse_process
    from jaxir.cli.progress import progress
    from jaxir.provenance import provenance
    from jaxir.report import markdown as as_markdown
    from jaxir.report import plain

    processes = {text: parse_process(text) for text in process}
    contenders = {text: parse_contender(text) for text in method}
    rows: list[Exact] = []
    left_out: dict[str, list[str]] = {}
    total, done = len(beds) * (2 + len(processes) * len(contenders)) * problems, itertools.count(1)
    with jax.enable_x64(True), progress("bench exact") as callback:
        for label, make in beds.items():
            drawn = cases(jax.random.key(seed), make, problems)
            row = functools.partial(
                judge, label, samples=samples, moved=lambda: callback(next(done), total)
            )
            rows += [row("-", "exact draws", drawn, floor), row("-", "prior", drawn, prior)]
            for (way, along), (name, contender) in itertools.product(
                processes.items(), contenders.items()
            ):
                draw = functools.partial(sampled, contender=contender, process=along, steps=steps)
                try:
                    rows.append(row(way, name, drawn, draw))
                except UsageError:
                    raise
                except (TypeError, ValueError, FloatingPointError) as error:
                    left_out.setdefault(one_line(error), []).append(f"{name} on {label}, {way}")
    if len(rows) == 2 * len(beds):
        raise UsageError(f"no method runs: {'; '.join(left_out)}")
    print(plain(rows))
    for reason, combinations in left_out.items():
        print(f"\nleft out: {'; '.join(combinations)}:\n  {reason}")
    if markdown is not None:
        markdown.write_text(as_markdown(rows) + "\n", "utf-8")
    if json is not None:
        record = {
            "protocol": {
                "steps": steps,
                "grid": "equally spaced in log-SNR over the span of the process",
                "samples": samples,
                "problems": problems,
                "seed": seed,
                "precision": "float64",
            },
            "provenance": provenance(),
            "rows": [dataclasses.asdict(row) for row in rows],
            "left_out": left_out,
        }
        json.write_text(json_module.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
