"""From documents to padded tensors: each document is encoded once, and a batch is cut from the encoded ones.

Shapes: B sentences, L tokens of the longest, U different word forms in the batch, C characters of the longest form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cman.corpora.bio import tags_of
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.cache import Features
from cman.features.transformer.pieces import PieceTokenizer, Windows
from cman.features.vocabulary import Vocabulary
from cman.machine import send

LENGTH_STEP = 4  # tokens

# Word forms are read in groups of similar length: up to so many characters, and longer ones. More groups cost more
# calls than they save padding. Few forms are in the last, but a single one of thousands of characters must not make the
# others as long.
GROUP_ENDS = (6, 64)


@dataclass(frozen=True)
class Batch:
    """One padded batch."""

    lengths: Tensor  # (B,) tokens
    words: Tensor  # (B, L) word ids
    forms: Tensor  # (B, L) row of `chars`
    chars: Tensor  # (U, C) character ids, 0 past a form's end; the shortest form first
    groups: tuple[tuple[int, int], ...]  # of these rows: how many, and characters of the longest; on the host
    contextual: Tensor | None  # (B, L, layers, size) float16
    tags: Tensor  # (B, L) tag ids, 0 in the padding
    relations: Tensor  # (n, 4): sentence, head's anchor, tail's anchor, label
    windows: Windows | None = None  # pieces for an encoder that is part of the model

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device (see `send`)."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: send(each, device) for name, each in values.items() if isinstance(each, Tensor)}
        return replace(self, **moved, windows=None if self.windows is None else self.windows.to(device))


@dataclass(frozen=True)
class _Encoded:
    words: np.ndarray
    forms: np.ndarray
    tags: np.ndarray
    relations: np.ndarray  # (n, 3)


def _rounded_up(length: int) -> int:
    """Return the padded length of a batch: few different ones, as PyTorch compiles its fused LSTM for each on a CPU."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _groups(lengths: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return the size and the longest of each group of forms that has any; `lengths` rise."""
    ends = [0, *np.searchsorted(lengths, GROUP_ENDS, side="right").tolist(), len(lengths)]
    return tuple((end - begin, int(lengths[end - 1])) for begin, end in pairwise(ends) if end > begin)


class EncodedDocuments:
    """Documents as ids, ready to be cut into batches.

    Args:
        anchor: the token that stands for an entity in a relation, `last` or `first` (`rel.anchor`).
        annotated: False leaves gold tags and relations out (text to be predicted may hold types the model lacks).
        given: with `annotated` False, the entities still are there, as input of a model that finds relations alone
            (`ner.given`).
        pieces: the tokenizer of an encoder that is part of the model; such a model reads no cached features.

    Raises:
        CmanError: entities overlap or have a type that the vocabulary lacks, or the cache lacks a document (see
            `FeatureCache.rows`).
    """

    def __init__(
        self,
        documents: Sequence[Document],
        vocabulary: Vocabulary,
        cache: Features | None,
        anchor: str = "last",
        annotated: bool = True,
        pieces: PieceTokenizer | None = None,
        given: bool = False,
    ) -> None:
        self.documents, self.vocabulary = documents, vocabulary
        self.lengths = np.array([len(document.tokens) for document in documents])
        self._cache = cache
        self._rows = [cache.rows(document) for document in documents] if cache is not None else []
        self._tokenizer = pieces
        self._pieces = [pieces.pieces(document) for document in documents] if pieces is not None else []
        forms: dict[str, int] = {}
        for document in documents:
            for token in document.tokens:
                forms.setdefault(token, len(forms))
        # One after another, not padded: a single form of ten thousand characters would make a table of gigabytes.
        spelled = [vocabulary.char_id_list(form) for form in forms]
        self._form_lengths = np.array([len(ids) for ids in spelled])
        self._form_starts = np.cumsum(self._form_lengths) - self._form_lengths
        self._chars = np.array([id for ids in spelled for id in ids], dtype=np.int64)
        word_of_form = np.array([vocabulary.word_id(form) for form in forms])
        self._encoded = [self._encode(document, vocabulary, forms, word_of_form, anchor, annotated, given)
                         for document in documents]  # fmt: skip

    def __len__(self) -> int:
        return len(self.documents)

    @staticmethod
    def _encode(
        document: Document,
        vocabulary: Vocabulary,
        forms: dict[str, int],
        word_of_form: np.ndarray,
        anchor: str,
        annotated: bool,
        given: bool,
    ) -> _Encoded:
        rows = np.array([forms[token] for token in document.tokens])
        tags = np.zeros(len(rows), dtype=np.int64)
        relations = np.zeros((0, 3), dtype=np.int64)
        if annotated or given:
            spelled = tags_of(document.entities, len(rows), f"document {document.id}")
            unknown = sorted({tag[2:] for tag in spelled if tag not in vocabulary.tag_ids})
            if unknown:
                raise CmanError(
                    f"document {document.id}: field entities: found {unknown[0]!r}, wanted a type of training"
                )
            tags = np.array([vocabulary.tag_ids[tag] for tag in spelled])
        if annotated:
            anchors = [entity.end - 1 if anchor == "last" else entity.start for entity in document.entities]
            links = {(anchors[link.head], anchors[link.tail], vocabulary.relation_ids[link.type])
                     for link in document.relations}  # fmt: skip
            relations = np.array(sorted(links), dtype=np.int64).reshape(-1, 3)
        return _Encoded(word_of_form[rows], rows, tags, relations)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the batch of the documents at `indices`, in that order."""
        chosen = [self._encoded[index] for index in indices]
        lengths = self.lengths[list(indices)]
        longest = _rounded_up(int(lengths.max()))
        used, inverse = np.unique(np.concatenate([item.forms for item in chosen]), return_inverse=True)
        order = np.argsort(self._form_lengths[used], kind="stable")
        used, inverse = used[order], np.argsort(order)[inverse]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        words, forms, tags = (np.zeros((len(chosen), longest), dtype=np.int64) for _ in range(3))
        relations = []
        for row, item in enumerate(chosen):
            words[row, : lengths[row]] = item.words
            forms[row, : lengths[row]] = inverse[starts[row] : starts[row + 1]]
            tags[row, : lengths[row]] = item.tags
            relations.append(np.insert(item.relations, 0, row, axis=1))
        return Batch(
            lengths=torch.from_numpy(lengths),
            words=torch.from_numpy(words),
            forms=torch.from_numpy(forms),
            chars=torch.from_numpy(self._spelled(used)),
            groups=_groups(self._form_lengths[used]),
            contextual=self._contextual(indices, lengths, longest),
            tags=torch.from_numpy(tags),
            relations=torch.from_numpy(np.concatenate(relations)),
            windows=self._windows(indices, longest),
        )

    def _windows(self, indices: Sequence[int], longest: int) -> Windows | None:
        if self._tokenizer is None:
            return None
        return self._tokenizer.windows([self._pieces[index] for index in indices], longest)

    def _spelled(self, forms: np.ndarray) -> np.ndarray:
        """Return the character ids of forms, (forms, characters of the longest), 0 in the padding."""
        lengths = self._form_lengths[forms]
        padded = np.zeros((len(forms), int(lengths.max())), dtype=np.int64)
        ends = np.cumsum(lengths)
        positions = np.repeat(self._form_starts[forms] - (ends - lengths), lengths) + np.arange(ends[-1])
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = self._chars[positions]
        return padded

    def _contextual(self, indices: Sequence[int], lengths: np.ndarray, longest: int) -> Tensor | None:
        if self._cache is None:
            return None
        features = self._cache.features
        padded = np.zeros((len(indices), longest, *features.shape[1:]), dtype=features.dtype)
        for row, index in enumerate(indices):
            start = self._rows[index]
            padded[row, : lengths[row]] = features[start : start + lengths[row]]
        return torch.from_numpy(padded)
