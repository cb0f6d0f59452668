"""What a training reads: documents, features or an encoder, word vectors, with the training subset of Figure 7."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cman.config.settings import Settings, Training
from cman.corpora.document import Document, read_documents
from cman.errors import CmanError
from cman.features.cache import CACHED, FeatureCache
from cman.features.layers import check_layers
from cman.features.vectors.words import VECTORS, read_corpus_vectors
from cman.features.vocabulary import Vocabulary
from cman.fetch.models import file_names, model_directory
from cman.files import read_json
from cman.hashes import Hashed, hashed
from cman.layout import Layout
from cman.model.folder import ModelFolder
from cman.training.runs import Run
from cman.training.teachers import read_teachers


class _Files(dict[str, Hashed]):
    """What is read, by its name in the provenance."""

    def noted(self, path: Path, name: str | None = None) -> Path:
        """Hash a file that is about to be read, and return its path; one that is missing, its reader will tell."""
        if path.is_file():
            self[name or str(path)] = hashed(path)
        return path


@dataclass(frozen=True)
class TrainingData:
    """The inputs of one run; `files` are all the files that it depends on, as they were before they were read."""

    train: list[Document]
    dev: list[Document]
    every_token: list[Document]  # all splits, for `word.vocabulary: all`
    cache: FeatureCache | None
    vectors: tuple[list[str], np.ndarray] | None
    vectors_source: dict[str, Any] | None  # file and hash that those were read from
    files: dict[str, Hashed]  # by the name that provenance gives them
    teachers: list[ModelFolder] = field(default_factory=list)  # see `cman.training.teachers`

    @property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of each of these files."""
        return {name: file.sha256 for name, file in self.files.items()}

    def check(self) -> None:
        """Make sure, at the end of a training, that these files still are what was read.

        Raises:
            CmanError: one of them is another now.
        """
        for file in self.files.values():
            if not file.is_unchanged:
                raise CmanError(
                    f"{file.path}: changed while it was trained on, wanted the file of SHA-256 {file.sha256[:12]} that "
                    "was read; no model is written, and with that file the same command ends at once"
                )

    @classmethod
    def read(cls, run: Run, layout: Layout) -> "TrainingData":
        """Read everything that a run needs.

        Raises:
            CmanError: a file is missing or malformed.
        """
        settings, name = run.settings, run.settings.contextual.encoder
        folder, files = layout.documents(run.corpus, run.split), _Files()
        if not folder.is_dir():
            raise CmanError(f"{folder}: found no documents of {run.corpus}, wanted them; run `cman prepare` first")
        train, dev = (read_documents(files.noted(folder / f"{split}.jsonl")) for split in ("train", "dev"))
        every_token = [*train, *dev]
        if settings.word.vocabulary == "all":
            every_token += read_documents(files.noted(folder / "test.jsonl"))
        cache = vectors = vectors_source = None
        if run.encoder is not None and settings.encoder.trainable:
            directory = model_directory(run.encoder, name)
            # By where the configuration says they are: a package or the hub's cache stands elsewhere on each machine.
            given = run.encoder.package or run.encoder.name or run.encoder.path
            for file in file_names(directory):
                files.noted(directory / file, f"{given}/{file}")
        elif run.encoder is not None:
            features = layout.features(run.corpus, name)
            if not features.is_dir():
                raise CmanError(
                    f"{features}: found no features of {run.corpus} by {name}, wanted them; run `cman embed` first"
                )
            for file in CACHED:
                files.noted(features / file)
            cache = FeatureCache(features)
            check_layers(cache.kept, settings.contextual.layers, str(features))
        if settings.word.vectors is not None:
            corpus_vectors = layout.features(run.corpus, settings.word.vectors)
            if not corpus_vectors.is_dir():
                raise CmanError(
                    f"{corpus_vectors}: found no word vectors of {run.corpus}, wanted them; run `cman embed --name "
                    f"{settings.word.vectors}` first"
                )
            for file in VECTORS:
                files.noted(corpus_vectors / file)
            vectors = read_corpus_vectors(corpus_vectors)
            vectors_source = read_json(corpus_vectors / VECTORS[1]).get("source")
        return cls(
            train=subset(train, settings.training),
            dev=dev,
            every_token=every_token,
            cache=cache,
            vectors=vectors,
            vectors_source=vectors_source,
            files=files,
            teachers=read_teachers(run, layout, files.noted),
        )

    def vocabulary(self, documents: Sequence[Document], settings: Settings) -> tuple[Vocabulary, Tensor | None]:
        """Return the vocabulary of training documents and, with pre-trained vectors, those in its order."""
        if self.vectors is None:
            vocabulary = Vocabulary.of(documents)
            if settings.word.vocabulary == "all":
                wider = Vocabulary.of(self.every_token)
                vocabulary = Vocabulary(wider.words, vocabulary.chars, vocabulary.tags, vocabulary.relations)
            return vocabulary, None
        words, vectors = self.vectors
        unknown = torch.randn(1, vectors.shape[1]) * float(vectors.std())
        return Vocabulary.of(documents, words), torch.cat([unknown, torch.from_numpy(vectors)])


def subset(documents: list[Document], settings: Training) -> list[Document]:
    """Return a seeded share of documents in their order; of one seed, a smaller share is part of a larger one."""
    if settings.fraction == 1.0:
        return documents
    count = max(1, round(settings.fraction * len(documents)))
    chosen = np.random.default_rng(settings.subset_seed).permutation(len(documents))[:count]
    return [documents[index] for index in sorted(chosen)]
