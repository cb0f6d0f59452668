"""Pre-trained word vectors, read as a stream and filtered to the words of a corpus.

Formats: word2vec text (a first line with the numbers of words and values), GloVe (the same without that line) and
word2vec binary (`.bin`), each as it is or as the only file in a `.zip`. Words are kept if they are a form under which
a token of the corpus is looked up (`cman.features.vocabulary.fallbacks`).
"""

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.vocabulary import fallbacks
from cman.files import atomic_path, read_json, write_json


def read_vectors(path: Path, wanted: set[str]) -> tuple[list[str], np.ndarray]:
    """Return the wanted words that a file has, in its order, and their vectors (words, dim) float32.

    Raises:
        CmanError: the file is missing, truncated or malformed; the message names the line or word.
    """
    words: list[str] = []
    rows: list[np.ndarray] = []
    found: set[str] = set()
    with _opened(path) as (stream, name):
        entries = _binary(stream, path) if name.endswith(".bin") else _text(stream, path)
        for word, vector in entries:
            if word in wanted and word not in found:
                found.add(word)
                words.append(word)
                rows.append(vector)
    if not rows:
        raise CmanError(f"{path}: found none of the {len(wanted)} words of the corpus, wanted vectors of its language")
    return words, np.stack(rows)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    try:
        if path.suffix != ".zip":
            with path.open("rb") as stream:
                yield stream, path.name
            return
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise CmanError(f"{path}: found {len(members)} files in the archive, wanted exactly one")
            with archive.open(members[0]) as stream:
                yield stream, members[0]
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror or error}); wanted word vectors") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise CmanError(
            f"{path}: the archive cannot be read ({error}); wanted a complete .zip without a password"
        ) from None


def _text(stream: IO[bytes], path: Path) -> Iterator[tuple[str, np.ndarray]]:
    announced, dim, found = None, 0, 0
    for number, raw in enumerate(stream, start=1):
        where = f"{path}: line {number}"
        try:
            line = raw.decode("utf-8").rstrip()
        except UnicodeDecodeError:
            raise CmanError(f"{where}: found bytes that are not UTF-8, wanted a word and its values") from None
        parts = line.split(" ")
        if number == 1 and len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts):
            announced, dim = int(parts[0]), int(parts[1])
            continue
        dim = dim or len(parts) - 1
        # Words of some public files contain spaces: the values are the last `dim` columns.
        values = parts[len(parts) - dim :]
        try:
            vector = np.array(values, dtype=np.float32)
        except ValueError:
            vector = np.zeros(0, dtype=np.float32)
        if len(parts) <= dim or len(vector) != dim or dim == 0 or not np.isfinite(vector).all():
            raise CmanError(f"{where}: found {line[:40]!r}, wanted a word and {dim or 'some'} finite numbers")
        found += 1
        yield " ".join(parts[: len(parts) - dim]), vector
    if announced is not None and found != announced:
        raise CmanError(f"{path}: found {found} words, wanted the {announced} that line 1 announces: truncated?")


def _binary(stream: IO[bytes], path: Path) -> Iterator[tuple[str, np.ndarray]]:
    buffered = io.BufferedReader(stream, buffer_size=1 << 20)  # type: ignore[type-var]
    header = buffered.readline(100).split()
    if len(header) != 2 or not all(part.isdigit() for part in header):
        raise CmanError(f"{path}: line 1: found {header!r}, wanted the numbers of words and of values")
    count, dim = int(header[0]), int(header[1])
    for place in range(count):
        word = bytearray()
        while (byte := buffered.read(1)) not in (b" ", b""):
            word += byte
        values = buffered.read(4 * dim)
        if len(values) != 4 * dim:
            raise CmanError(
                f"{path}: ends within word {place + 1} of {count}, wanted all of them: the file is truncated"
            )
        vector = np.frombuffer(values, dtype="<f4")
        name = word.decode("utf-8", errors="replace").lstrip("\n")
        if not np.isfinite(vector).all():
            raise CmanError(f"{path}: word {place + 1} ({name!r}): found a value that is not finite, wanted numbers")
        yield name, vector


def write_corpus_vectors(documents: Iterable[Document], source: Path, folder: Path) -> dict[str, int]:
    """Write the vectors that a corpus needs as `vectors.npy` and `words.json`; return the coverage of its forms."""
    forms = {token for document in documents for token in document.tokens}
    words, vectors = read_vectors(source, {form for token in forms for form in fallbacks(token)})
    known = set(words)
    coverage = {"forms": len(forms), "covered": sum(any(form in known for form in fallbacks(word)) for word in forms)}
    with atomic_path(folder / "vectors.npy") as temporary, temporary.open("wb") as stream:
        np.save(stream, vectors)
    write_json(folder / "words.json", {"coverage": coverage, "words": words})
    return coverage


def read_corpus_vectors(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return what `write_corpus_vectors` wrote: words and their vectors (words, dim)."""
    words: list[str] = read_json(folder / "words.json")["words"]
    try:
        vectors: np.ndarray = np.load(folder / "vectors.npy")
    except (OSError, ValueError) as error:
        raise CmanError(f"{folder / 'vectors.npy'}: cannot be read ({error}); wanted cached vectors") from None
    if len(words) != len(vectors):
        raise CmanError(f"{folder}: words.json has {len(words)} words, vectors.npy {len(vectors)} rows")
    return words, vectors
