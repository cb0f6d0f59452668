"""From a corpus's raw files to prepared documents and statistics."""

import logging
from collections.abc import Mapping, Sequence

from cman.config import Corpus
from cman.corpora.document import Document, write_documents
from cman.corpora.raw import read_corpus
from cman.corpora.statistics import statistics
from cman.errors import CmanError
from cman.files import write_json
from cman.layout import Layout

log = logging.getLogger(__name__)

MAIN = "main"


def prepare(name: str, corpus: Corpus, layout: Layout) -> None:
    """Read, check and write one corpus.

    Raises:
        CmanError: a raw file is malformed, or dev or test use a type that train does not have.
    """
    warnings: list[str] = []
    splits = read_corpus(corpus, layout.raw(name), warnings)
    check_types(name, splits)
    for split, documents in splits.items():
        write_documents(layout.documents(name, MAIN) / f"{split}.jsonl", documents)
    for warning in warnings:
        log.warning("%s", warning)
    write_json(layout.statistics(name), statistics(splits, warnings))
    log.info("%s: %s", name, ", ".join(f"{len(documents)} {split}" for split, documents in splits.items()))


def check_types(name: str, splits: Mapping[str, Sequence[Document]]) -> None:
    """Refuse entity types and relation labels that a model could never have learned.

    Raises:
        CmanError: the first such type, with its document.
    """
    for kind in ("entities", "relations"):
        known = {item.type for document in splits["train"] for item in getattr(document, kind)}
        for split in ("dev", "test"):
            for document in splits[split]:
                for item in getattr(document, kind):
                    if item.type not in known:
                        raise CmanError(
                            f"{name}: {split}: document {document.id}: field {kind}: found the type {item.type!r}, "
                            f"wanted one that train has ({', '.join(sorted(known)) or 'it has none'})"
                        )
