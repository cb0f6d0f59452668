"""A file or a stream of texts into a file or a stream of extractions: chunk by chunk, so that memory stays flat."""

import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.extract.extraction import Extraction
from cman.extract.extractor import Extractor
from cman.extract.formats import Format, check_format, write_csv, write_parquet, write_triples
from cman.extract.partial import Partial, extraction_line
from cman.extract.progress import Progress
from cman.extract.reading import Form, Record, records
from cman.files import is_stream, naming, sync
from cman.hashes import sha256
from cman.lock import locked
from cman.streams import standard_input

log = logging.getLogger(__name__)

STANDARD = Path("-")  # standard input or output
TOKENS_A_CHUNK = 16_384  # their contextual features are in memory together
DOCUMENTS_A_CHUNK = 4_096
CHARACTERS_A_CHUNK = 2_000_000  # of texts that may have no token at all
LONGEST_TEXT = 1_000_000  # characters

Failure = tuple[Record, str]


def extract(
    load: Callable[[], Extractor],
    model: Path,
    source: Path,
    target: Path,
    *,
    form: Form,
    output: Format = "jsonl",
    errors: Path | None = None,
    resume: bool = False,
    longest: int = LONGEST_TEXT,
    options: dict[str, Any] | None = None,
) -> None:
    """Extract from a file or standard input; arguments as for `cman extract`.

    Args:
        load: gives the extractor; called when the input is known to be there, before anything is written.
        options: what, beside the model and the files, decides the result; a run with others is not resumed.

    Raises:
        CmanError: a file cannot be read or written, another process writes the target, Ctrl-C came, or, when all else
            is done, some documents failed.
        UsageError: see `Partial` and `check_format`.
    """
    check_format(output)
    with _opened(source) as (stream, size):
        if target == STANDARD or is_stream(target):
            extractor = _loaded(load)
            with _output(target) as lines:
                failed = _to_stream(extractor, stream, lines, size, form, output, longest)
            where = "the messages above say which"
        else:
            errors = errors or target.with_name(f"{target.name}.errors.jsonl")
            target = Path(os.path.realpath(target))  # a link is followed, not replaced
            run = {"model": sha256(model / "model.safetensors"), "input": str(source), "size": size, "form": form}
            with locked(target, "written") as lock:
                extractor = _loaded(load)  # a wrong model or language leaves no unfinished files behind
                partial = Partial(target, errors, {**run, **(options or {})}, resume, lock)
                if not partial.ended:
                    try:
                        _to_partial(extractor, stream, size, form, longest, partial)
                    except KeyboardInterrupt:
                        done = partial.state.documents
                        raise CmanError(f"stopped after {done} documents, `--resume` goes on") from None
                partial.finish(lambda lines: _named(lines, target, output))
            log.info("%s written", target)
            failed, where = partial.state.failed, f"{errors} says which and why"
    if failed:
        raise CmanError(f"{source}: {failed} documents could not be processed; {where}")


def _loaded(load: Callable[[], Extractor]) -> Extractor:
    extractor = load()
    if not extractor.calibrated:
        log.info("scores are uncalibrated: the model had no documents to do it on; 0.9 need not mean nine in ten")
    return extractor


@contextmanager
def _opened(source: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    if source == STANDARD:
        yield standard_input(), None
        return
    if not source.exists() or source.is_dir():
        raise CmanError(f"{source}: found no file, wanted one with a text a line")
    with source.open("rb") as stream:
        status = os.fstat(stream.fileno())
        yield stream, status.st_size if stat.S_ISREG(status.st_mode) else None  # a pipe has no size


@contextmanager
def _output(target: Path) -> Iterator[IO[str]]:
    """Open standard output, or a device or a pipe, which is written through."""
    if target == STANDARD:
        with naming("standard output"):
            yield sys.stdout
            sys.stdout.flush()
        return
    with naming(target), target.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _to_partial(
    extractor: Extractor, stream: BinaryIO, size: int | None, form: Form, longest: int, partial: Partial
) -> None:
    state = partial.state
    if state.lines:
        log.info("going on after %d documents", state.documents)
        if size is None:
            _skip(stream, state.input_bytes)
        else:
            stream.seek(state.input_bytes)
    with Progress(size, state.input_bytes) as progress:
        lines = records(stream, form, longest, state.lines, state.input_bytes)
        for chunk in _chunks(extractor, lines):
            done, failed = _processed(extractor, chunk)
            last = chunk[-1][0]
            partial.add(done, failed, last)
            progress.add(len(chunk), sum(len(sentences) for _, sentences, _ in chunk), last.end)
    log.info("%d documents, %d failed; %s", partial.state.documents, partial.state.failed, progress.rate)


def _to_stream(
    extractor: Extractor,
    stream: BinaryIO,
    written: IO[str],
    size: int | None,
    form: Form,
    output: Format,
    longest: int,
) -> int:
    """Write extractions to a stream as they are made; return how many documents failed."""
    failures, header = 0, True
    with Progress(size) as progress:
        for chunk in _chunks(extractor, records(stream, form, longest)):
            done, failed = _processed(extractor, chunk)
            for record, reason in failed:
                log.error("line %d: document %r: %s", record.line, record.id, reason)
            lines = [extraction_line(each) for each in done]
            if output == "csv":
                write_triples(lines, written, header)
            else:
                written.writelines(lines)
            written.flush()
            failures, header = failures + len(failed), False
            progress.add(len(chunk), sum(len(sentences) for _, sentences, _ in chunk), chunk[-1][0].end)
    return failures


def _named(lines: Path, target: Path, output: Format) -> None:
    """Make the output of the file of lines."""
    if output == "jsonl":
        os.replace(lines, target)
        sync(target.parent)
        return
    with lines.open(encoding="utf-8", newline="\n") as stream:
        (write_csv if output == "csv" else write_parquet)(stream, target)


Prepared = tuple[Record, Sequence[Document], str | None]  # a record, its sentences, and why it has none


def _chunks(extractor: Extractor, lines: Iterable[Record]) -> Iterator[list[Prepared]]:
    chunk: list[Prepared] = []
    tokens = characters = 0
    for record in lines:
        sentences: Sequence[Document] = ()
        reason = record.error
        if record.given is not None:
            try:
                sentences = extractor.sentences(record.given)
            except CmanError as error:
                reason = str(error)
        chunk.append((record, sentences, reason))
        tokens += sum(len(sentence.tokens) for sentence in sentences)
        characters += 0 if record.given is None else len(record.given.text)
        if tokens >= TOKENS_A_CHUNK or characters >= CHARACTERS_A_CHUNK or len(chunk) == DOCUMENTS_A_CHUNK:
            yield chunk
            chunk, tokens, characters = [], 0, 0
    if chunk:
        yield chunk


def _processed(extractor: Extractor, chunk: Sequence[Prepared]) -> tuple[list[Extraction], list[Failure]]:
    failed = [(record, reason) for record, _, reason in chunk if reason is not None]
    good = [(record, sentences) for record, sentences, reason in chunk if reason is None]
    try:
        done = _extractions(extractor, good)
    except (MemoryError, RuntimeError) as error:
        # Such as a sentence that does not fit into memory: one by one, so that only that one is lost.
        log.warning("%s; its chunk is read again document by document", _first_line(error))
        done = []
        for each in good:
            try:
                done += _extractions(extractor, [each])
            except (MemoryError, RuntimeError) as reason:
                failed.append((each[0], _first_line(reason)))
        failed.sort(key=lambda failure: failure[0].line)
    return done, failed


def _extractions(extractor: Extractor, good: Sequence[tuple[Record, Sequence[Document]]]) -> list[Extraction]:
    givens = [record.given for record, _ in good if record.given is not None]
    return extractor.extractions(givens, [sentences for _, sentences in good])


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _skip(stream: BinaryIO, size: int) -> None:
    """Pass over the bytes of a stream that cannot be sought."""
    while size and (block := stream.read(min(size, 1 << 20))):
        size -= len(block)
