"""One feature job: a corpus's documents in, a folder of contextual features or word vectors out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from cman.corpora.document import Document, read_documents
from cman.features.vectors.words import VECTORS, are_current, write_corpus_vectors
from cman.fetch.inputs import InputFile, verified
from cman.fetch.models import EncoderSource
from cman.layout import SPLITS, Layout
from cman.manifest import complete_manifest

if TYPE_CHECKING:
    from cman.features.layers import Layers

log = logging.getLogger(__name__)


def embed(
    source: EncoderSource | InputFile,
    corpus: str,
    name: str,
    split: str,
    layout: Layout,
    device: str,
    threads: int | None,
    layers: "Layers" = "all",
) -> None:
    """Write what an encoder or a file of word vectors, called `name`, gives to all documents of a corpus.

    Features that are there already, of the same tokens, files and options, stay as they are; so do those that keep more
    layers than `layers` says.

    Raises:
        UsageError: no such device; CmanError: an input is missing or malformed.
    """
    folder = layout.documents(corpus, split)
    documents = [document for part in SPLITS for document in read_documents(folder / f"{part}.jsonl")]
    target = layout.features(corpus, name)
    if isinstance(source, InputFile):
        _word_vectors(documents, source, target)
        return
    # torch takes seconds to load, which word vectors do not need.
    import torch

    from cman.features.cache import CACHED
    from cman.features.frozen import is_current, open_encoder, write_cache
    from cman.features.workers import one_core_each
    from cman.machine import available_device

    where = torch.device(available_device(device))
    encoder = open_encoder(source, name, where, layout)
    if is_current(documents, encoder, target, layers):
        complete_manifest(target, CACHED)
        log.info("%s: unchanged corpus, encoder and options; nothing to compute", target)
        return
    write_cache(documents, encoder, target, one_core_each(where, threads), layers)


def _word_vectors(documents: list[Document], file: InputFile, target: Path) -> None:
    source, source_hash = verified(file)
    if are_current(documents, source_hash, target):
        complete_manifest(target, VECTORS)
        log.info("%s: unchanged corpus and vectors; nothing to read", target)
        return
    covered = write_corpus_vectors(documents, source, target, source_hash)
    log.info(
        "%d of %d word forms have a vector (%d as they are, %d as the number 0, %d in their other case); "
        "%d of %d tokens share the unknown vector",
        covered["forms"] - covered["unknown"],
        covered["forms"],
        covered["exact"],
        covered["number"],
        covered["case"],
        covered["unknown_tokens"],
        covered["tokens"],
    )
    if covered["file_not_utf8"]:
        log.warning(
            "%s: passed over %d of %d words: they are not UTF-8",
            source,
            covered["file_not_utf8"],
            covered["file_words"],
        )
