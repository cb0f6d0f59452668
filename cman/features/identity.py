"""Which encoder a model was trained with, compared with the one that is there: two of one size are not the same.

What is compared is what the feature cache keeps: the SHA-256 of each of the encoder's files, and its options.
"""

from collections.abc import Mapping
from typing import Any

from cman.errors import CmanError
from cman.fetch.models import PICKLED
from cman.hashes import verifying

WEIGHTS = ".safetensors"


def check_identity(found: Mapping[str, Any], expected: Mapping[str, Any] | None, where: str) -> None:
    """Refuse another encoder than the one that a model was trained with; `--no-verify` refuses none.

    Args:
        expected: None for a model of before it was kept.
        where: the encoder or the features, for messages.

    Raises:
        CmanError: a file or an option differs; the first is named.
    """
    if expected is None or not verifying():
        return
    here, there = found["files"], expected["files"]
    for name in sorted(here | there):
        if name in there and here.get(name) != there[name]:
            digest = f"SHA-256 {here[name][:12]}" if name in here else "no such file"
            raise CmanError(f"{where}: {name}: found {digest}, wanted {there[name][:12]}, which the model learned from")
        if name not in there and not _is_spare(name, there):
            raise CmanError(f"{where}: {name}: found a file that the encoder which the model learned from did not have")
    for name in sorted(found["options"] | expected["options"]):
        if found["options"].get(name) != expected["options"].get(name):
            values = f"found {found['options'].get(name)!r}, wanted {expected['options'].get(name)!r}"
            raise CmanError(f"{where}: option {name}: {values}, which the model learned from")


def _is_spare(name: str, files: Mapping[str, str]) -> bool:
    """Say whether a file is weights in a form that nobody opens beside those that are there."""
    return name.endswith(PICKLED) and any(other.endswith(WEIGHTS) for other in files)
