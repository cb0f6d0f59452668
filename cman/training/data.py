"""What a training reads: documents, features or an encoder, word vectors, with the training subset of Figure 7."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cman.config.settings import Settings, Training
from cman.corpora.document import Document, read_documents
from cman.features.cache import FeatureCache
from cman.features.vectors.words import read_corpus_vectors
from cman.features.vocabulary import Vocabulary
from cman.fetch.models import file_names, model_directory
from cman.hashes import sha256
from cman.layout import Layout
from cman.training.runs import Run


@dataclass(frozen=True)
class TrainingData:
    """The inputs of one run; `files` are all the files that it depends on."""

    train: list[Document]
    dev: list[Document]
    every_token: list[Document]  # all splits, for `word.vocabulary: all`
    cache: FeatureCache | None
    vectors: tuple[list[str], np.ndarray] | None
    files: dict[str, Path]  # by the name that provenance gives them

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of each of these files, each read once."""
        return {name: sha256(path) for name, path in self.files.items()}

    @classmethod
    def read(cls, run: Run, layout: Layout) -> "TrainingData":
        """Read everything that a run needs.

        Raises:
            CmanError: a file is missing or malformed.
        """
        settings, name = run.settings, run.settings.contextual.encoder
        folder = layout.documents(run.corpus, run.split)
        files = [folder / "train.jsonl", folder / "dev.jsonl"]
        train, dev = (read_documents(path) for path in files)
        every_token = [*train, *dev]
        if settings.word.vocabulary == "all":
            files.append(folder / "test.jsonl")
            every_token += read_documents(files[-1])
        cache = vectors = None
        opened: dict[str, Path] = {}
        if run.encoder is not None and settings.encoder.trainable:
            directory = model_directory(run.encoder, name)
            # By where the configuration says they are: a package or the hub's cache stands elsewhere on each machine.
            given = run.encoder.package or run.encoder.name or run.encoder.path
            opened = {f"{given}/{file}": directory / file for file in file_names(directory)}
        elif run.encoder is not None:
            features = layout.features(run.corpus, name)
            cache = FeatureCache(features)
            files += [features / "features.npy", features / "index.json"]
        if settings.word.vectors is not None:
            corpus_vectors = layout.features(run.corpus, settings.word.vectors)
            vectors = read_corpus_vectors(corpus_vectors)
            files += [corpus_vectors / "vectors.npy", corpus_vectors / "words.json"]
        return cls(
            train=subset(train, settings.training),
            dev=dev,
            every_token=every_token,
            cache=cache,
            vectors=vectors,
            files={str(path): path for path in files} | opened,
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
