"""What a training reads: documents, features or an encoder, word vectors, with the training subset of Figure 7."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cman.config.configuration import Configuration
from cman.config.inputs import Encoder
from cman.config.settings import Settings
from cman.corpora.document import Document, read_documents
from cman.features.cache import FeatureCache
from cman.features.vectors.words import read_corpus_vectors
from cman.features.vocabulary import Vocabulary
from cman.fetch.models import file_names, model_directory
from cman.files import sha256
from cman.layout import Layout


@dataclass(frozen=True)
class TrainingData:
    """The inputs of one run; `files` are all the files that it depends on."""

    train: list[Document]
    dev: list[Document]
    every_token: list[Document]  # all splits, for `word.vocabulary: all`
    cache: FeatureCache | None
    encoder: Encoder | None
    vectors: tuple[list[str], np.ndarray] | None
    files: dict[str, Path]  # by the name that provenance gives them

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each of these files."""
        return {name: sha256(path) for name, path in self.files.items()}

    @classmethod
    def read(
        cls, configuration: Configuration, corpus: str, settings: Settings, split: str, layout: Layout
    ) -> "TrainingData":
        """Read everything that a run needs.

        Raises:
            CmanError: a file is missing or malformed.
        """
        folder = layout.documents(corpus, split)
        files = [folder / "train.jsonl", folder / "dev.jsonl"]
        train, dev = (read_documents(path) for path in files)
        every_token = [*train, *dev]
        if settings.word.vocabulary == "all":
            files.append(folder / "test.jsonl")
            every_token += read_documents(files[-1])
        cache = encoder = vectors = None
        opened: dict[str, Path] = {}
        if settings.encoder.trainable:
            encoder = configuration.encoders[settings.contextual.encoder]
            place = model_directory(encoder, settings.contextual.encoder)
            # By where the configuration says they are: a package or the hub's cache stands elsewhere on each machine.
            named = encoder.package or encoder.name or encoder.path
            opened = {f"{named}/{name}": place / name for name in file_names(place)}
        elif settings.contextual.enabled:
            place = layout.features(corpus, settings.contextual.encoder)
            cache, encoder = FeatureCache(place), configuration.encoders[settings.contextual.encoder]
            files += [place / "features.npy", place / "index.json"]
        if settings.word.vectors is not None:
            place = layout.features(corpus, settings.word.vectors)
            vectors = read_corpus_vectors(place)
            files += [place / "vectors.npy", place / "words.json"]
        part = settings.training
        return cls(
            train=subset(train, part.fraction, part.subset_seed),
            dev=dev,
            every_token=every_token,
            cache=cache,
            encoder=encoder,
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


def subset(documents: list[Document], fraction: float, seed: int) -> list[Document]:
    """Return a seeded share of documents in their order; of one seed, a smaller share is part of a larger one."""
    if fraction == 1.0:
        return documents
    count = max(1, round(fraction * len(documents)))
    chosen = np.random.default_rng(seed).permutation(len(documents))[:count]
    return [documents[place] for place in sorted(chosen)]
