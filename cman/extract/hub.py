"""Models on a hub: a model folder with its card as it stands, downloaded or pushed; `Extractor` has the doors.

A model with a frozen encoder names the encoder and does not hold it.
"""

import re
from pathlib import Path

from cman.errors import CmanError, UsageError

NAME = re.compile(r"[\w.-]+/[\w.-]+")  # of a model: its owner, and what the owner calls it


def downloaded(
    name: str, revision: str | None, cache_dir: str | Path | None, local_files_only: bool, token: str | bool | None
) -> Path:
    """Return the folder of a hub's model in this machine's cache, downloaded where it is not there yet.

    Raises:
        UsageError: no name of a model; CmanError: it can be found neither here nor there.
    """
    from huggingface_hub import snapshot_download

    if not NAME.fullmatch(name):
        raise UsageError(f"{name}: found no folder and no name of a hub's model, wanted one such as someone/model")
    try:
        folder = snapshot_download(
            name, revision=revision, cache_dir=cache_dir, local_files_only=local_files_only, token=token
        )
    except (OSError, ValueError) as error:  # all that the hub's client raises for names, answers and connections
        raise CmanError(f"{name}: cannot be had from the hub ({_reason(error)}); wanted a model's name") from None
    return Path(folder)


def uploaded(folder: Path, name: str, private: bool, token: str | bool | None, message: str) -> str:
    """Push a model folder and return its address.

    Raises:
        CmanError: the hub takes it not.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi(token=token)
        api.create_repo(name, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=name, folder_path=folder, commit_message=message))
    except (OSError, ValueError) as error:
        raise CmanError(f"{name}: cannot be pushed to the hub ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
