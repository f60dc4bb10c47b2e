"""Weights on the Hugging Face hub, in the cache that its own library keeps, so that both find what either has pulled.

    HF_HUB_CACHE/models--owner--name/blobs/HASH  ←  snapshots/COMMIT/config.json,  refs/main holds COMMIT

Names in the cache are hashes, git's for small files and SHA-256 for large ones, and every file is compared with its own
before it gets there. `huggingface_hub` neither compares them nor goes on with a download that another process began,
which is why pulling is written here; `publish` leaves the other way, whose protocol is not so small, to it.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean there.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.download import HubError, Progress, download, file_digest, opened

_HUB = "https://huggingface.co"
_NAME = r"[A-Za-z0-9_][\w.-]*"
_REPOSITORY = re.compile(rf"({_NAME}/{_NAME})(?:@([\w.-]+))?(?:/(.+))?")
_FOLDERS = ("", "unet", "vae", "vqvae", "controlnet", "scheduler")
_PLAIN = re.compile(
    r"(config|model_index|scheduler_config|parity)\.json|parity\.npz|README\.md|LICENSE.*"
)
_VARIANT = re.compile(r"[.-](fp16|bf16|non_ema)[.-]")


class Repository(NamedTuple):
    """A place on the hub.

    Attributes:
        name: owner/name.
        revision: a branch, a tag or a commit.
        file: one file of it; otherwise what makes up weights.
    """

    name: str
    revision: str = "main"
    file: str | None = None

    @property
    def folder(self) -> Path:
        """Its own in the cache."""
        return _cache() / f"models--{self.name.replace('/', '--')}"


class _Entry(NamedTuple):
    name: str
    size: int
    digest: str


def repository(text: str) -> Repository:
    """A place on the hub from `owner/name`, `owner/name@revision`, `owner/name/file` or an address of it.

    Raises:
        WeightsError: if it is none of these.
    """
    for host in (endpoint(), _HUB):
        if text.startswith(f"{host}/"):
            text = re.sub(
                r"^([^/]+/[^/]+)/(?:tree|blob|resolve)/([^/]+)", r"\1@\2", text[len(host) + 1 :]
            )
    match = _REPOSITORY.fullmatch(text.partition("?")[0].rstrip("/"))
    if not match or ".." in text:
        raise WeightsError(
            f"{text!r} is not on the hub: give owner/name, owner/name/file, or an address below {endpoint()}; other "
            "files are downloaded by a browser and read by jaxir models convert"
        )
    name, revision, file = match.groups()
    return Repository(name, revision or "main", file)


def find(text: str) -> Path | None:
    """The folder (or file) that was pulled by this name, or None; nothing is downloaded."""
    try:
        place = repository(text)
    except WeightsError:
        return None
    reference = place.folder / "refs" / place.revision
    commit = reference.read_text().strip() if reference.is_file() else place.revision
    found = place.folder / "snapshots" / commit / (place.file or "")
    return found if found.exists() else None


def pulled() -> list[str]:
    """Names of what is in the cache, of jaxir's own weights and of others."""
    names = (path.name.split("--", 2)[1:] for path in _cache().glob("models--*--*"))
    return sorted(name for name in map("/".join, names) if find(name))


def pull(text: str, *, progress: Progress = lambda done, total, name: None) -> Path:
    """Download weights into the cache; what is there already is not downloaded again.

    Of a repository come the configurations, the card, the licence and one file of weights for each part: safetensors
    where there are some, and no variants in half precision.

    Args:
        text: what `repository` reads.
        progress: told bytes that are here, of how many, and of which file.

    Returns:
        The folder, or the file if one was asked for.

    Raises:
        HubError: if there is no network, a file stopped on the way (which the next call goes on with) or its hash
            differs, or HF_HUB_OFFLINE is set.
        WeightsError: if there is no such place, or nothing in it that could be read.
    """
    place = repository(text)
    if offline():
        if found := find(text):
            return found
        raise HubError(
            f"HF_HUB_OFFLINE is set and {text} is not in {_cache()}: unset it to download"
        )
    commit, entries = _listing(place)
    snapshot = place.folder / "snapshots" / commit
    for entry in _wanted(place, entries):
        blob = place.folder / "blobs" / entry.digest
        if not blob.is_file() or file_digest(blob, len(entry.digest)) != entry.digest:
            url = f"{endpoint()}/{place.name}/resolve/{commit}/{quote(entry.name)}"
            download(
                url,
                blob,
                size=entry.size,
                digest=entry.digest,
                token=token(),
                progress=progress,
                name=f"{place.name}/{entry.name}",
            )
        _point(snapshot / entry.name, blob)
    reference = place.folder / "refs" / place.revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    partial = reference.with_name(f".{reference.name}.partial")
    partial.write_text(commit)
    partial.replace(reference)
    return snapshot / (place.file or "")


def offline() -> bool:
    """Whether HF_HUB_OFFLINE says so."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def endpoint() -> str:
    """The hub's address: HF_ENDPOINT, or the public one.

    Raises:
        WeightsError: if it is none of http.
    """
    address = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    if not re.match(r"https?://[^/]", address):
        raise WeightsError(f"HF_ENDPOINT is {address!r}, expected https://...")
    return address


def token() -> str | None:
    """HF_TOKEN, if it is set."""
    return os.environ.get("HF_TOKEN") or None


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{home}/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def _listing(place: Repository) -> tuple[str, list[_Entry]]:
    """The commit that the revision is at, and its files. All names and hashes become paths, so none is trusted."""
    url = (
        f"{endpoint()}/api/models/{place.name}/revision/{quote(place.revision, safe='')}?blobs=true"
    )
    try:
        with opened(url, token=token()) as answer:
            told: dict[str, Any] = json.load(answer)
        commit = _hash(told["sha"])
        entries = [
            _Entry(
                _inside(file["rfilename"]),
                int(file["size"]),
                _hash((file.get("lfs") or {}).get("sha256") or file["blobId"]),
            )
            for file in told["siblings"]
        ]
    except HubError as error:
        if getattr(error.__cause__, "code", 0) in (401, 403, 404):
            raise WeightsError(
                f"{endpoint()} shows no {place.name} at {place.revision}: check the name; if it is private or has "
                f"terms, accept them at {endpoint()}/{place.name} and set HF_TOKEN"
            ) from error
        raise
    except http.client.HTTPException as error:
        raise HubError(f"{url} stopped on the way ({error}): run the command again") from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        if isinstance(error, WeightsError):
            raise
        raise HubError(
            f"{url} answers something else than a list of files ({error}): HF_ENDPOINT should be a hub"
        ) from error
    return commit, entries


def _hash(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        raise ValueError(f"{text!r} is no hash")
    return text


def _inside(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or re.search(r"[\\:\0]", name):
        raise WeightsError(f"the hub lists a file {name!r}, which leads out of its folder: refused")
    return name


def _wanted(place: Repository, entries: Iterable[_Entry]) -> list[_Entry]:
    if place.file is not None:
        found = [entry for entry in entries if entry.name == place.file]
        if not found:
            raise WeightsError(f"{place.name} has no file {place.file}")
        return found
    within = [
        entry for entry in entries if _folder(entry) in _FOLDERS and not _VARIANT.search(entry.name)
    ]
    plain = [entry for entry in within if _PLAIN.fullmatch(PurePosixPath(entry.name).name)]
    weights = []
    for folder in _FOLDERS:
        here = [entry for entry in within if _folder(entry) == folder]
        if not any(PurePosixPath(entry.name).name == "config.json" for entry in here):
            continue  # a pipeline's own single file, which nothing here reads by the folder
        for suffixes in ((".safetensors", ".safetensors.index.json"), (".bin", ".bin.index.json")):
            if found := [entry for entry in here if entry.name.endswith(suffixes)]:
                weights += found
                break
    if not weights:
        others = [e.name for e in entries if e.name.endswith((".pt", ".pth", ".ckpt"))]
        advice = (
            f"give one of its files, {place.name}/{others[0]}"
            if others
            else "it is of another kind"
        )
        raise WeightsError(f"{place.name} has no safetensors and no .bin: {advice}")
    return plain + weights


def _folder(entry: _Entry) -> str:
    return entry.name.rpartition("/")[0]


def _point(path: Path, blob: Path) -> None:
    """A relative link to the blob, or its copy where the system has none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:
        shutil.copyfile(blob, path)
