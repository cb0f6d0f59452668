"""A model folder out of others: in half precision, to hand it out, and several as one.

Half precision is half the size, and a weight changes by at most one part in two thousand. What such a model finds is
measured again, not taken over.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from cman.errors import CmanError, UsageError
from cman.manifest import list_files
from cman.model.folder import ModelFolder
from cman.model.members import Members
from cman.model.predict import Predictor

CARD = "README.md"


def release(source: Path, target: Path, trust: bool = False) -> int:
    """Write a model folder with its card in half precision and return its size in bytes.

    Raises:
        UsageError: the target is the source, or a folder that is no model's.
        CmanError: the source is no model folder, or one without a card.
    """
    _check_target(target, [source])
    folder = ModelFolder.load(source, trust)
    if not (source / CARD).is_file():
        raise CmanError(f"{source / CARD}: found no model card, wanted one; `cman card` writes it")
    encoder = Predictor(folder, torch.device("cpu")).encoder  # checks the identity, if the folder has one
    identity = folder.identity if encoder is None else encoder.identity()
    folder.model.half()
    replace(folder, identity=identity).save(target)
    shutil.copyfile(source / CARD, target / CARD)
    list_files(target, [CARD])
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def ensemble(sources: Sequence[Path], target: Path, trust: bool = False) -> None:
    """Write a model folder with the models of others as its members; its scores are uncalibrated.

    Raises:
        UsageError: as for `release`.
        CmanError: a source is no model folder; see `Members`; or two differ in settings, vocabulary or encoder.
    """
    _check_target(target, sources)
    folders = [ModelFolder.load(source, trust) for source in sources]
    first = folders[0]
    for source, other in zip(sources[1:], folders[1:], strict=True):
        for name in ("settings", "vocabulary", "encoder", "identity", "language"):
            if getattr(other, name) != getattr(first, name):
                raise CmanError(f"{source}: {name}: found another one than in {sources[0]}, wanted models of one kind")
    members = Members([folder.model for folder in folders])
    about = first.trained_on | {"seed": [folder.trained_on.get("seed") for folder in folders]}
    replace(first, model=members.eval(), trained_on=about, calibration=None).save(target)


def _check_target(target: Path, sources: Sequence[Path]) -> None:
    if target.resolve() in [source.resolve() for source in sources]:
        raise UsageError(f"--to: found the model folder {target} itself, wanted another one")
    if target.exists() and any(target.iterdir()) and not (target / "config.json").is_file():
        raise UsageError(f"--to: found {target} with other files in it, wanted a model folder or none")
