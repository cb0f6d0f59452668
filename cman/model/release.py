"""A model folder to hand out: weights in half precision, and the identity of the encoder that it needs.

Half the size, and the same model for all that annotations show: a weight changes by at most one part in two thousand.
What it finds is measured again after that, not taken over.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from cman.errors import CmanError, UsageError
from cman.manifest import list_files
from cman.model.folder import ModelFolder
from cman.model.predict import Predictor

CARD = "README.md"


def release(source: Path, target: Path, trust: bool = False) -> int:
    """Write a model folder with its card in half precision and return its size in bytes.

    Raises:
        UsageError: the target is the source, or a folder that is no model's.
        CmanError: the source is no model folder, or one without a card.
    """
    if target.resolve() == source.resolve():
        raise UsageError(f"--to: found the model folder {source} itself, wanted another one")
    if target.exists() and any(target.iterdir()) and not (target / "config.json").is_file():
        raise UsageError(f"--to: found {target} with other files in it, wanted a model folder or none")
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
