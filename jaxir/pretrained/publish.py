"""Weights to the Hugging Face hub, whole and with a card."""

from __future__ import annotations

from pathlib import Path

from jaxir.pretrained.containers import WeightsError
from jaxir.pretrained.download import HubError
from jaxir.pretrained.hub import Repository, endpoint, offline, repository, token
from jaxir.pretrained.store import FILES, check


def push(folder: str | Path, name: str, *, private: bool = False) -> str:
    """Publish a folder of weights, which must be whole and have a card; the address that it then has.

    Args:
        folder: what `save_denoiser` wrote, with a README.md.
        name: owner/name.
        private: whether a new repository is so.

    Raises:
        WeightsError: if a file is missing or damaged, or there is no token or no `huggingface_hub`.
        HubError: if the hub refuses.
    """
    folder, place = Path(folder), repository(name)
    if place != Repository(place.name):
        raise WeightsError(f"{name!r} is more than a repository: give owner/name")
    check(folder)
    if not (folder / "README.md").is_file():
        raise WeightsError(
            f"{folder / 'README.md'} is missing: weights are published with a card that says what they were trained "
            "on, and under which licence they are"
        )
    if not token():
        raise WeightsError("HF_TOKEN is not set: make a token that may write in the hub's settings")
    if offline():
        raise HubError("HF_HUB_OFFLINE is set: unset it to publish")
    try:
        from huggingface_hub import HfApi, errors
    except ImportError as error:
        raise WeightsError("pushing needs huggingface_hub: pip install 'jaxir[hub]'") from error
    api = HfApi(endpoint=endpoint(), token=token(), library_name="jaxir")
    try:
        api.create_repo(place.name, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=place.name,
            folder_path=folder,
            allow_patterns=[*FILES, "LICENSE*"],
            commit_message="Weights of jaxir",
        )
    except (OSError, ValueError, errors.HTTPError) as error:
        reason = " ".join(str(error).split())
        raise HubError(f"{endpoint()} did not take {name} ({reason})") from error
    return f"{endpoint()}/{place.name}"
