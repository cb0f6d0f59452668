"""One feature job: a corpus's documents in, a folder of contextual features or word vectors out."""

import logging

from cman.config import Configuration
from cman.corpora.document import read_documents
from cman.errors import UsageError
from cman.layout import SPLITS, Layout

log = logging.getLogger(__name__)


def embed(
    configuration: Configuration,
    corpus: str,
    name: str,
    split: str,
    layout: Layout,
    device: str,
    threads: int | None,
) -> None:
    """Write the features that `name`, an encoder or word vectors, gives to all documents of a corpus.

    Raises:
        UsageError: no such encoder or vectors; CmanError: an input is missing or malformed.
    """
    configuration.corpus(corpus)
    if name not in {*configuration.encoders, *configuration.vectors}:
        known = ", ".join([*configuration.encoders, *configuration.vectors])
        raise UsageError(f"unknown encoder or vectors: found {name!r}, wanted one of {known}")
    folder = layout.documents(corpus, split)
    documents = [document for part in SPLITS for document in read_documents(folder / f"{part}.jsonl")]
    target = layout.features(corpus, name)
    if name in configuration.vectors:
        from cman.features.word_vectors import write_corpus_vectors

        coverage = write_corpus_vectors(documents, configuration.vectors[name].path, target)
        log.info("%d of %d word forms have a vector", coverage["covered"], coverage["forms"])
        return
    # torch takes seconds to load, which word vectors do not need.
    import torch

    from cman.device import available_device
    from cman.features.encoder import ContextualEncoder, write_cache

    if threads is not None:
        torch.set_num_threads(threads)
    encoder = ContextualEncoder(configuration.encoders[name], name, torch.device(available_device(device)))
    write_cache(documents, encoder, target)
