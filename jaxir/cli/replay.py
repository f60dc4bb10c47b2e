"""`jaxir replay`: make a restored photograph again from the file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def replay(
    sidecar: Annotated[Path, tyro.conf.Positional],
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    source: Path | None = None,
    force: bool = False,
) -> None:
    """Make a restored photograph again from its NAME.jaxir.json, and say whether it is the same.

    With the same versions on the same kind of machine it is, byte for byte.

    Args:
        sidecar: NAME.jaxir.json, or the photograph that it lies beside.
        output: the file to write; by default nothing is written and the two are only compared.
        source: the degraded photograph, where it is not any more in the place that the sidecar names.
        force: write over a file that exists.
    """
    import dataclasses
    import tempfile

    from jaxir.cli.degradations import parse_degradation
    from jaxir.cli.errands import Errand, digest
    from jaxir.cli.errors import SomeFailed, UsageError
    from jaxir.cli.settings import Settings
    from jaxir.cli.sidecar import ENDING, read_sidecar, sidecar_of

    path = sidecar if sidecar.name.endswith(ENDING) else sidecar_of(sidecar)
    record = read_sidecar(path)
    given = record["input"]
    source = source or path.parent / given["file"]
    if not source.is_file():
        raise UsageError(
            f"{source}, which {path.name} was made from, is not there: name it with --source"
        )
    if digest(source) != given["sha256"]:
        raise UsageError(
            f"{source} is not the file that {path.name} was made from: its SHA-256 differs; name that one with --source"
        )
    if output is not None and output.exists() and not force:
        raise UsageError(f"{output} exists: pass --force to write over it")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"{output.parent} is no folder: make it first")
    name = Path(record["output"]["file"]).name
    if output is not None and output.suffix.lower() != Path(name).suffix.lower():
        raise UsageError(
            f"{output} has another ending than {name}: a replay is the same file again"
        )
    folder, words = path.parent, record["degradation"]
    settings = dataclasses.replace(
        Settings.from_json(record["settings"]),
        degradation=words and str(parse_degradation(words).resolved(folder)),
    )
    from jaxir.cli.batch import Batch
    from jaxir.cli.photograph import Restorer
    from jaxir.cli.results import Keep
    from jaxir.provenance import provenance

    restorer = Restorer(settings)
    if restorer.origin["weights"]["sha256"] != record["weights"]["sha256"]:
        raise UsageError(
            f"{settings.prior} holds other weights than {path.name} was made with: their SHA-256 differs"
        )
    reads = {str((folder / name).resolve()): sha256 for name, sha256 in record["reads"].items()}
    for read, sha256 in restorer.origin["reads"].items():
        if reads.get(read) != sha256:
            raise UsageError(f"{read} is another file than {path.name} was made with")
    now, then = provenance(), record["provenance"]
    for fact in sorted(now.keys() & then.keys()):
        if now[fact] != then[fact]:
            print(f"{fact}: {then[fact]} then, {now[fact]} now")
    batch = Batch(restorer, Keep(), record["asked"], depth=record["asked"].get("depth"))
    with tempfile.TemporaryDirectory(dir=None if output is None else output.parent) as place:
        again = Path(place) / name
        for _, outcome in batch.run([Errand(source, again, given.get("page"))]):
            if isinstance(outcome, Exception):
                raise outcome
        if digest(again) != record["output"]["sha256"]:
            raise SomeFailed(
                f"{name} is not the same as it was: its SHA-256 differs; nothing is written"
            )
        if output is not None:
            again.replace(output)
    print(f"{name} is the same, byte for byte")
