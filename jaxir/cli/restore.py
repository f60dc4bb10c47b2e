"""`jaxir restore`: restore degraded photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro


def restore(
    source: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    degradation: str | None = None,
    method: str = "diffpir",
    steps: int = 50,
    samples: int = 4,
    fidelity: float = 1.0,
    seed: int = 0,
    prior: str = "natural-prior",
    tile: int | None = None,
    chunk: int | None = None,
    budget: str | None = None,
    alpha: Literal["keep", "restore"] = "keep",
    depth: Literal[8, 16] | None = None,
    format: str | None = None,
    page: str | None = None,
    save_samples: bool = False,
    uncertainty: bool = False,
    gif: bool = False,
    report: bool = False,
    jobs: int = 1,
    resume: bool = False,
    force: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Restore a photograph, or every one of a folder.

    The mean of the samples is written in the format, the depth and the colours of the degraded photograph, with its
    EXIF, ICC and XMP. Beside it lies NAME.jaxir.json, which says how it was made and from which `jaxir replay` makes
    the same file again.

    Args:
        source: an image file or a folder.
        output: the file or folder to write; folders are mirrored.
        degradation: how the photographs were spoiled, as in `jaxir degrade`: "motion(15,30)|noise(0.05)". By default
            "auto": blur, JPEG and noise are measured in each and printed; gaussian(auto), motion(auto), jpeg(auto) and
            noise(auto) measure one of them. Blurs wrap around at the border, which a camera's do not: let the scene go
            on beyond it, "motion(15,30)|crop(8)|noise(0.02)". A network that was trained on pairs needs none.
        method: diffpir (fast), mmps (calibrated) or another of jaxir.methods, with hyper-parameters as in
            "mmps(steps=5)".
        steps: network evaluations for each sample.
        samples: restorations to draw.
        fidelity: from 1, the mean of the samples, which has the least squared error, to 0, one sample, which has the
            most detail. Between them few samples leave little choice: four reach the mean at 0.5.
        seed: the same seed gives the same photograph the same restoration, whatever its name and its folder.
        prior: weights, by name or folder.
        tile: side in pixels of what the network sees at once; 0 for the whole photograph. By default those to 512
            pixels are seen whole, and larger ones in tiles that fit in memory.
        chunk: samples at a time; fewer need less memory.
        budget: time for each photograph, such as 10s, 5m or 1h, not counting what is compiled: steps and samples are
            lowered to fit.
        alpha: keep the transparency, or restore it as a grey photograph of its own.
        depth: 8 or 16 bits; those of the photograph by default.
        format: ending of the files written into a folder, such as png; that of each photograph by default.
        page: of a file with several pages or frames: a number from 1, or all, into NAME.page-1.png, ...
        save_samples: also write NAME.sample-1.png, ... to look at, in 8 bits and sRGB; of a method with particles
            NAME.sample-1-1.png, ..., the run and the particle.
        uncertainty: also write NAME.uncertainty.png, the deviation over samples in colours, and NAME.std.png, the same
            in grey, white at its largest. A blind method writes NAME.kernel.png as well, the kernel that it found.
        gif: also write NAME.gif, the way from noise to the samples.
        report: also write a page with every photograph, before and after, what is uncertain and how it was made.
        jobs: photographs that are restored at a time.
        resume: leave out what an earlier run with these settings has finished.
        force: write over files that exist.
        dry_run: only say what would be done, in how many tiles and about how long.
        json: one line of JSON on stdout for each photograph; everything else is on stderr.
    """
    import contextlib
    import dataclasses
    import os
    import signal
    import sys
    import threading

    from jaxir.cli.degradations import parse_degradation
    from jaxir.cli.duration import duration
    from jaxir.cli.errands import errands, expect_apart
    from jaxir.cli.errors import EXPECTED, SomeFailed, UsageError, one_line
    from jaxir.cli.finished import outstanding, sweep
    from jaxir.cli.methods import parse_method
    from jaxir.cli.results import Keep
    from jaxir.cli.settings import Settings
    from jaxir.data.photo import SUFFIXES, expect_writable

    settings = Settings(
        degradation=degradation,
        method=method,
        steps=steps,
        samples=samples,
        fidelity=fidelity,
        seed=seed,
        prior=prior,
        tile=tile,
        chunk=chunk,
        alpha=alpha,
    )
    blind = parse_method(method).func.__name__ == "em"
    keep = Keep(save_samples, uncertainty, report, gif, kernel=blind)
    if keep.spread and samples < 2:
        option = "--uncertainty" if uncertainty else "--report"
        raise UsageError(f"{option} needs --samples 2 or more: one sample has no deviation")
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}, expected at least 1")
    seconds = None if budget is None else duration(budget)
    if degradation is not None:
        parse_degradation(degradation)  # what is wrong with it is said before anything is loaded
    everything = errands(source, output, SUFFIXES, ending=format, page=page)
    expect_apart(everything, keep.kinds)
    for errand in everything:
        expect_writable(errand.output, depth)
    several = source.is_dir() or len(everything) > 1
    first = everything[0].output
    root = output if source.is_dir() else first.parent
    base = (source if output.is_dir() else output).stem
    sheet = root / ("report.html" if source.is_dir() else f"{base}.report.html")
    if report and sheet.exists() and not (force or resume):
        raise UsageError(f"{sheet} exists: pass --force to write over it")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr if json else out):
        from jaxir.cli.account import Account
        from jaxir.cli.batch import Batch
        from jaxir.cli.photograph import Restorer
        from jaxir.cli.report import write_page

        restorer, account = Restorer(settings), Account(out if json else None)
        asked = dataclasses.asdict(settings) | {
            "budget": budget,
            "depth": depth,
            "weights": restorer.origin["weights"]["sha256"],
            "reads": list(restorer.origin["reads"].values()),
        }
        found = outstanding(everything, asked, keep.kinds, resume=resume, force=force)
        account.before(found.done, len(everything))
        for errand, path, reason in found.alone:
            account.fail(errand, f"{path} is left alone, for {reason}: --force writes over it")
        batch = Batch(restorer, keep, asked, seconds=seconds, depth=depth)
        if dry_run:
            account.plan(list(batch.outlook(found.left)))
            return
        sweep(found.left)
        try:
            for errand, outcome in batch.run(found.left, jobs=jobs):
                if not isinstance(outcome, Exception):
                    account.done(errand, outcome)
                elif several:
                    account.fail(errand, outcome)
                else:
                    raise outcome
        except KeyboardInterrupt:
            print("jaxir: interrupted, what is written is whole: --resume goes on", file=sys.stderr)
            sys.stdout.flush()
            os._exit(130)  # and not at the end of the step that a photograph is at
        sidecars = [errand.sidecar for errand in everything if errand.sidecar.exists()]
        if report and sidecars:
            try:
                write_page(sheet, root, sidecars, title=output.name if several else first.name)
            except (SomeFailed, *EXPECTED) as error:
                print(f"jaxir: {one_line(error)}", file=sys.stderr)
    if account.failed:
        raise SomeFailed(f"{account.failed} of {len(everything)} images failed")
