"""`jaxir models`: the weights that are there, and what brings more of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

Name = Annotated[str, tyro.conf.Positional]


def models(name: Annotated[str | None, tyro.conf.Positional] = None) -> None:
    """List weights, or show the card of some; `list`, `show`, `pull`, `push`, `convert` and `verify` do more.

    Args:
        name: shipped or pulled weights by name, or a folder; without it the names are listed. Or one of the
            commands above, each with a --help of its own.
    """
    if name is None:
        listed()
        return
    from jaxir.pretrained import describe

    print(describe(name))


def run_command(arguments: Sequence[str]) -> None:
    """Run `jaxir models COMMAND ...`."""
    tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="jaxir models", description="Weights.", args=list(arguments)
    )


def listed() -> None:
    """List the weights that ship with jaxir, and those pulled from the hub that it can load."""
    from jaxir.pretrained import shipped
    from jaxir.pretrained.convert import is_known
    from jaxir.pretrained.hub import find, pulled

    print("\n".join([*shipped(), *(name for name in pulled() if is_known(find(name)))]))


def show(name: Name) -> None:
    """Show the card of some weights, their licence and their configuration.

    Args:
        name: shipped or pulled weights by name, or a folder.
    """
    from jaxir.pretrained.lookup import find

    folder = find(name)
    card = folder / "README.md"
    print(card.read_text() if card.is_file() else f"{name} has no card.\n")
    print(f"licence of the weights: {_licence(folder)}\n")
    for path in (folder / "config.json", folder / "model_index.json"):
        if path.is_file():
            print(path.read_text())


def pull(name: Name) -> None:
    """Download weights from the hub into its cache, going on where an earlier download stopped.

    HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE are respected.

    Args:
        name: owner/name, owner/name@revision, owner/name/file, or an address on the hub.
    """
    from jaxir.cli.errors import SomeFailed, one_line
    from jaxir.cli.progress import progress
    from jaxir.pretrained import HubError
    from jaxir.pretrained import pull as download

    try:
        with progress(f"pulling {name}") as callback:
            path = download(name, progress=callback)
    except HubError as error:
        raise SomeFailed(one_line(error)) from error
    print(path)


def push(
    folder: Annotated[Path, tyro.conf.Positional], name: Name, *, private: bool = False
) -> None:
    """Publish a folder of weights on the hub; HF_TOKEN says who you are.

    Args:
        folder: weights with a card, README.md.
        name: owner/name.
        private: make a new repository private.
    """
    from jaxir.cli.errors import SomeFailed, one_line
    from jaxir.pretrained import HubError
    from jaxir.pretrained import push as publish

    try:
        print(publish(folder, name, private=private))
    except HubError as error:
        raise SomeFailed(one_line(error)) from error


def convert(
    source: Annotated[str, tyro.conf.Positional],
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    family: str | None = None,
    config: Path | None = None,
    root: str | None = None,
    base: Path | None = None,
    record: Path | None = None,
    origin: str | None = None,
) -> None:
    """Turn weights of another library into a folder that jaxir loads; nothing in them is ever run.

    Args:
        source: a .pt, .pth, .ckpt, .bin, .safetensors or .npz, a folder of diffusers, or either by its name on the
            hub if it was pulled.
        folder: the new folder.
        family: what the weights are of, such as adm; a configuration mostly says it.
        config: JSON of what the original's network was made with, for a file that comes without.
        root: the dict in the file that holds the weights, such as ema or state_dict.model.
        base: the folder of the network that a control network controls.
        record: npz of x (n, height, width, channels), t (n), output and perhaps y, computed by the original.
        origin: who computed the record, for the card.
    """
    from jaxir.cli.errors import UsageError, unknown
    from jaxir.pretrained import convert as written
    from jaxir.pretrained import hub
    from jaxir.pretrained.families import FAMILIES
    from jaxir.pretrained.parity import read_record
    from jaxir.pretrained.torch_file import roots

    if family is not None and family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    path = Path(source)
    if not path.exists():
        found = hub.find(source)
        if found is None:
            raise UsageError(
                f"{source} does not exist: give a file or a folder; if it is on the hub, it is not here: "
                f"run `jaxir models pull {source}`"
            )
        path = found
    written(
        path,
        folder,
        None if family is None else FAMILIES[family],
        config=None if config is None else _configuration(config),
        root=root,
        base=base,
        record=None if record is None else read_record(record, origin or record.name),
    )
    if path.is_file() and root is None and len(found_roots := roots(path)) > 1:
        others = ", ".join(found_roots[1:])
        print(f"read {found_roots[0] or 'the outermost dict'} of {path}; --root could be {others}")
    print(folder)


def verify(name: Name) -> None:
    """Check that weights are undamaged and compute what was recorded with them.

    Args:
        name: shipped or pulled weights by name, or a folder.
    """
    from jaxir.cli.errors import SomeFailed, UsageError, one_line
    from jaxir.pretrained import WeightsError
    from jaxir.pretrained import verify as compare
    from jaxir.pretrained.convert import is_foreign
    from jaxir.pretrained.lookup import find

    folder = find(name)
    if is_foreign(folder):
        raise UsageError(
            f"{name} is of another library: `jaxir models convert` it, which records what it computes"
        )
    try:
        verdict = compare(folder)
    except WeightsError as error:
        raise SomeFailed(f"FAIL  {one_line(error)}") from error
    print("PASS  model.safetensors: SHA-256 as in config.json")
    if verdict is None:
        print("      outputs: none are recorded with these weights")
        return
    said = f"relative difference {verdict.difference:.1e}, of {verdict.tolerance:.0e} allowed, from {verdict.origin}"
    if not verdict.passed:
        raise SomeFailed(f"FAIL  outputs: {said}")
    print(f"PASS  outputs: {said}")


COMMANDS: dict[str, Callable[..., Any]] = {
    "list": listed,
    "show": show,
    "pull": pull,
    "push": push,
    "convert": convert,
    "verify": verify,
}


def _configuration(path: Path) -> dict[str, Any]:
    import json

    from jaxir.cli.errors import UsageError

    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path} cannot be read as JSON ({error})") from error
    if not isinstance(config, dict):
        raise UsageError(
            f"--config {path} is a {type(config).__name__}, expected names with values"
        )
    return config


def _licence(folder: Path) -> str:
    """What the card's header says, the names of licence files, or that neither does."""
    import re

    card = folder / "README.md"
    text = card.read_text() if card.is_file() else ""
    header = re.search(r"^---\n(.*?)\n---$", text, re.DOTALL | re.MULTILINE)
    named = re.search(r"^license: *(\S+)", header[1] if header else "", re.MULTILINE)
    if named:
        return named[1]
    terms = re.search(
        r"^- \*\*(?:Terms|Licence|Data, terms and licence)\*\*: *(.+)", text, re.MULTILINE
    )
    files = ", ".join(path.name for path in sorted(folder.glob("LICENSE*")))
    return files or (terms[1] if terms else "not stated; ask their author")
