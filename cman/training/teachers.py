"""The trained models that a run learns from (`distil`): where they stand, and whether they fit the student.

They are the runs of an experiment on the same corpus and division, so that no teacher has read a document that the
student is tested on.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from cman.errors import CmanError
from cman.features.cache import FeatureCache
from cman.features.identity import check_identity
from cman.features.vocabulary import Vocabulary
from cman.layout import Layout
from cman.model.folder import ModelFolder
from cman.model.members import Members
from cman.model.teacher import Teacher
from cman.training.runs import Run

FILES = ("model.safetensors", "vocabulary.json", "config.json")


def read_teachers(run: Run, layout: Layout, noted: Callable[[Path], Path]) -> list[ModelFolder]:
    """Return the teachers of a run; none where it has no teacher.

    Args:
        noted: is told of each file that is read.

    Raises:
        CmanError: one is missing or malformed, or was trained on other documents.
    """
    folders, distil = [], run.settings.distil
    if distil.teacher is None:
        return []
    for seed in range(1, distil.members + 1):
        folder = layout.run(run.corpus, distil.teacher, run.split, seed) / "model"
        if not (folder / FILES[-1]).is_file():
            raise CmanError(
                f"{folder}: found no model, wanted that of the teacher {distil.teacher}, seed {seed} of "
                f"{distil.members} (distil.members); train it first"
            )
        for name in FILES:
            noted(folder / name)
        found = ModelFolder.load(folder)
        for key in ("protocol", "fraction", "subset_seed"):
            there, here = (getattr(each.training, key) for each in (found.settings, run.settings))
            if there != here:
                raise CmanError(
                    f"{folder / FILES[-1]}: training.{key}: found {there}, wanted {here} as the student has, so that "
                    "both are trained on the same documents"
                )
        folders.append(found)
    return folders


def teacher_of(folders: Sequence[ModelFolder], run: Run, vocabulary: Vocabulary, cache: FeatureCache | None) -> Teacher:
    """Return the teachers as one for a student with a vocabulary.

    Raises:
        CmanError: they read other words, tags or features than the student; see `Members`.
    """
    where = f"distil.teacher: {run.settings.distil.teacher}"
    for folder in folders:
        if folder.vocabulary != vocabulary:
            raise CmanError(f"{where}: found a model with another vocabulary, wanted one of the same documents")
        shape = None if cache is None else (cache.layers, cache.size)
        if folder.contextual != shape:
            raise CmanError(f"{where}: found contextual features {folder.contextual}, wanted the student's {shape}")
        if cache is not None:
            check_identity(cache.encoder, folder.identity, where)
    return Teacher(Members([folder.model for folder in folders], where), run.settings.distil)
