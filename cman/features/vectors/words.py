"""The pre-trained word vectors of a corpus: filtered while they are read, kept with how much of it they cover.

Words are kept if they are a form under which a token of the corpus is looked up
(`cman.features.vocabulary.vector_forms`), so memory grows with the corpus and not with the file of vectors.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cman.corpora.document import Document
from cman.errors import CmanError, reads
from cman.features.cache import corpus_hash
from cman.features.vectors.formats import Passed, binary_vectors, text_vectors
from cman.features.vocabulary import VECTOR_FORMS, vector_forms
from cman.fetch.archives import opened
from cman.files import atomic_path, read_json, write_json
from cman.hashes import check_file
from cman.manifest import list_files

VECTORS = ("vectors.npy", "words.json")


@reads("word vectors")
def read_vectors(path: Path, needed: set[str], passed: Passed | None = None) -> tuple[list[str], np.ndarray]:
    """Return the needed words that a file has, in its order, and their vectors (words, dim) float32.

    Args:
        passed: counts the entries of the file, needed or not.

    Raises:
        CmanError: the file is missing, truncated or malformed; the message names the line or word.
    """
    vectors: dict[str, np.ndarray] = {}
    with opened(path) as (stream, name):
        read = binary_vectors if name.endswith(".bin") else text_vectors
        for word, vector in read(stream, path, lambda word: word in needed and word not in vectors, passed or Passed()):
            vectors[word] = vector
    if not vectors:
        raise CmanError(f"{path}: found none of the {len(needed)} words of the corpus, wanted vectors of its language")
    return list(vectors), np.stack(list(vectors.values()))


def write_corpus_vectors(
    documents: Sequence[Document], source: Path, folder: Path, source_hash: str | None = None
) -> dict[str, int]:
    """Write the vectors that a corpus needs as `vectors.npy` and `words.json`; return how much of it they cover.

    Raises:
        CmanError: see `read_vectors`; then nothing is written.
    """
    forms = {token for document in documents for token in document.tokens}
    passed = Passed()
    words, vectors = read_vectors(source, {form for token in forms for form in vector_forms(token)}, passed)
    covered = coverage(documents, words) | {"file_words": passed.entries, "file_not_utf8": passed.undecodable}
    with atomic_path(folder / "vectors.npy") as temporary:
        with temporary.open("wb") as stream:
            np.save(stream, vectors)
        # A process that ends between the two files must not leave new vectors under old words.
        (folder / "words.json").unlink(missing_ok=True)
    identity = {"file": source.name, "sha256": source_hash}
    write_json(
        folder / "words.json",
        {"corpus": corpus_hash(documents), "source": identity, "coverage": covered, "words": words},
    )
    list_files(folder, VECTORS)
    return covered


def coverage(documents: Iterable[Document], words: Iterable[str]) -> dict[str, int]:
    """Count word forms and tokens by the way in which they find a vector.

    Returns `forms` and `tokens` in all; `exact`, `number` and `case`, the forms found as they are, as the word 0 and
    in their other case; `unknown` and `unknown_tokens`, those that share the one unknown vector.
    """
    known = set(words)
    tokens = Counter(token for document in documents for token in document.tokens)
    ways = {form: next((way for way, spelled in zip(VECTOR_FORMS, vector_forms(form), strict=True) if spelled in known),
                       "unknown") for form in tokens}  # fmt: skip
    counts = Counter(ways.values())
    unknown = sum(count for form, count in tokens.items() if ways[form] == "unknown")
    return {
        "forms": len(tokens),
        **{way: counts[way] for way in (*VECTOR_FORMS, "unknown")},
        "tokens": tokens.total(),
        "unknown_tokens": unknown,
    }


def are_current(documents: Sequence[Document], source_hash: str, folder: Path) -> bool:
    """Say whether a folder holds the vectors that `write_corpus_vectors` would write."""
    try:
        index: Any = read_json(folder / "words.json")
        read_corpus_vectors(folder)
        return bool(index["source"]["sha256"] == source_hash and index["corpus"] == corpus_hash(documents))
    except (CmanError, KeyError, TypeError):  # incomplete or of another version, which writing it again mends
        return False


@reads("the word vectors of a corpus")
def read_corpus_vectors(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return what `write_corpus_vectors` wrote: words and their vectors (words, dim)."""
    words: list[str] = read_json(folder / "words.json")["words"]
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or len(set(words)) < len(words):
        raise CmanError(f"{folder / 'words.json'}: field words: found no list of different words, wanted one")
    check_file(folder / "vectors.npy")
    try:
        vectors: np.ndarray = np.load(folder / "vectors.npy")
    except (OSError, ValueError) as error:
        raise CmanError(f"{folder / 'vectors.npy'}: cannot be read ({error}); wanted cached vectors") from None
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(words) != len(vectors):
        raise CmanError(
            f"{folder / 'vectors.npy'}: found {vectors.dtype} of the shape {vectors.shape}, wanted float32 with "
            f"{len(words)} rows, as words.json has words"
        )
    return words, vectors
