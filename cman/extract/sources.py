"""What `--input` names: files, folders, globs and standard input, each with its form, opened as a stream of bytes.

The suffix says the form, in either case and before `.gz`: `.jsonl` and its other names are JSON lines, `.csv`, `.tsv`
and `.parquet` tables, what is known to be no text is refused, and everything else is text.
"""

import gzip
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal, cast

from cman.errors import CmanError, UsageError
from cman.files import wide_encoding
from cman.streams import standard_input

Form = Literal["text", "jsonl", "csv", "tsv", "parquet"]
FORMS: tuple[Form, ...] = ("text", "jsonl", "csv", "tsv", "parquet")
TABLES = ("csv", "tsv", "parquet")
STANDARD = Path("-")  # standard input or output

BY_SUFFIX: dict[str, Form] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonlines": "jsonl", ".ldjson": "jsonl", ".jl": "jsonl",
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
NO_TEXT = {".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".ppt", ".pptx", ".xls", ".xlsx", ".ods", ".zip", ".tar",
           ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar", ".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff",
           ".mp3", ".mp4", ".spacy", ".pickle", ".pkl", ".npy", ".npz", ".h5", ".arrow", ".feather", ".avro", ".orc",
           ".db", ".sqlite", ".html", ".htm", ".xhtml", ".xml", ".svg", ".ipynb"}  # fmt: skip
GZIP = b"\x1f\x8b"
LOOKED_AT = 256  # bytes at the beginning
ZEROS = 4  # a share of zero bytes that no text in UTF-8 has: a quarter


@dataclass(frozen=True)
class Source:
    """One input."""

    path: Path
    form: Form
    name: str  # below the folder that was given; empty for the only input
    base: int = 0  # bytes of the sources before
    size: int | None = None  # bytes on the disk; None for a pipe

    @property
    def is_standard(self) -> bool:
        """Whether this is standard input."""
        return self.path == STANDARD


def sources_of(inputs: Sequence[Path], form: str | None) -> list[Source]:
    """Return the files that inputs name, in order, those of a folder or glob sorted.

    Args:
        form: of all of them, in the place of what their suffixes say.

    Raises:
        CmanError: a file or folder is missing, or a folder or glob is empty.
        UsageError: a suffix whose form must be said, or that is none of text; standard input beside others.
    """
    found: list[tuple[Path, str]] = []
    for path in inputs:
        found += _expanded(path)
    if len(found) > 1 and any(path == STANDARD for path, _ in found):
        raise UsageError("--input: found - beside others, wanted standard input alone")
    repeated = next(
        (path for index, (path, _) in enumerate(found) if path in [each for each, _ in found[:index]]), None
    )
    if repeated is not None:
        raise UsageError(f"--input: found {repeated} twice, wanted each file once")
    result: list[Source] = []
    base = 0
    for path, name in found:
        size = None
        if path != STANDARD:
            status = path.stat()
            size = status.st_size if stat.S_ISREG(status.st_mode) else None  # a pipe has no size
        shown = name if len(found) > 1 else ""
        result.append(Source(path, _form(path) if form is None else cast(Form, form), shown, base, size))
        base += size or 0
    return result


def _expanded(path: Path) -> list[tuple[Path, str]]:
    if path == STANDARD:
        return [(path, "-")]
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and not _is_hidden(each, path))
        if not files:
            raise CmanError(f"{path}: found no file in it, wanted at least one")
        return [(each, each.relative_to(path).as_posix()) for each in files]
    if path.exists():
        return [(path, path.name)]
    if any(sign in str(path) for sign in "*?["):
        root = Path(path.anchor) if path.is_absolute() else Path()
        files = sorted(each for each in root.glob(str(path.relative_to(root) if path.is_absolute() else path))
                       if each.is_file())  # fmt: skip
        if files:
            top = Path(os.path.commonpath([each.parent for each in files]))
            return [(each, each.relative_to(top).as_posix()) for each in files]
    raise CmanError(f"{path}: found no file, wanted one with texts, a folder of such, or a glob that fits some")


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file before `.gz`, in lower case."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _form(path: Path) -> Form:
    suffix = plain_suffix(path)
    if suffix == ".json":
        raise UsageError(
            f"{path}: found .json, wanted --input-format: jsonl for an object a line, text for plain text; a list is "
            "neither"
        )
    if suffix in NO_TEXT:
        raise UsageError(f"{path}: found {suffix}, wanted text, JSON lines or a table; take the text out of it first")
    return BY_SUFFIX.get(suffix, "text")


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """Open a source as a stream of the bytes that it holds, unpacked where it is packed by gzip.

    Raises:
        CmanError: it is missing, or is text in UTF-16 or UTF-32.
    """
    if source.is_standard:
        stream = standard_input()
        _check_beginning(stream.peek(LOOKED_AT) if isinstance(stream, BufferedReader) else b"", "standard input")
        yield stream
        return
    try:
        with source.path.open("rb") as raw:
            if source.form == "parquet":
                yield raw
                return
            packed = source.path.suffix.lower() == ".gz" or (source.size is not None and raw.peek(2)[:2] == GZIP)
            with gzip.open(raw) if packed else raw as content:
                whole = cast(BufferedReader, content)
                _check_beginning(whole.peek(LOOKED_AT), str(source.path))
                yield whole
    except (gzip.BadGzipFile, EOFError) as error:
        raise CmanError(f"{source.path}: cannot be unpacked ({error}); wanted a whole gzip file") from None


def _check_beginning(content: bytes, where: str) -> None:
    wide = wide_encoding(content)
    if wide is not None:
        raise CmanError(f"{where}: found the byte order mark of {wide}, wanted UTF-8 text; convert the file")
    first = content[:LOOKED_AT]
    if first.count(0) * ZEROS >= len(first) > 1:
        raise CmanError(f"{where}: found zero bytes as in UTF-16 or UTF-32, wanted UTF-8 text; convert the file")
