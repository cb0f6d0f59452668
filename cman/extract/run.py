"""A file or a stream of texts into a file or a stream of extractions: chunk by chunk, so that memory stays flat."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.extract.extraction import Extraction
from cman.extract.extractor import Extractor, model_folder
from cman.extract.formats import Format, check_format, write_csv, write_parquet, write_triples
from cman.extract.graph import ntriples, write_graph, write_ntriples
from cman.extract.inputs import Input
from cman.extract.partial import Partial
from cman.extract.progress import Progress
from cman.extract.reading import Record
from cman.extract.sources import STANDARD
from cman.files import is_stream, naming, sync
from cman.hashes import sha256
from cman.lock import locked

log = logging.getLogger(__name__)

TOKENS_A_CHUNK = 16_384  # their contextual features are in memory together
DOCUMENTS_A_CHUNK = 4_096
CHARACTERS_A_CHUNK = 2_000_000  # of texts that may have no token at all
LONGEST_TEXT = 1_000_000  # characters

Failure = tuple[Record, str]
Link = Callable[[dict[str, Any]], str | None]


def extract(
    load: Callable[[], Extractor],
    model: Path,
    given: Input,
    target: Path,
    *,
    output: Format = "jsonl",
    errors: Path | None = None,
    resume: bool = False,
    options: dict[str, Any] | None = None,
    link: Link | None = None,
) -> None:
    """Extract from files or standard input; arguments as for `cman extract`.

    Args:
        load: gives the extractor; called when the input is known to be there, before anything is written.
        options: what, beside the model and the files, decides the result; a run with others is not resumed.
        link: gives an entity, as it stands in the output, an id of a knowledge base; None for one without.

    Raises:
        CmanError: a file cannot be read or written, another process writes the target, Ctrl-C came, or, when all else
            is done, some documents failed.
        UsageError: see `Partial`, `check_format` and `Blocks.part`.
    """
    check_format(output)
    given.check()
    extra = frozenset(name for name, used in (("fields", given.keep_fields), ("link", link)) if used)
    if target == STANDARD or is_stream(target):
        extractor = _loaded(load)
        with _output(target) as lines:
            failed = _to_stream(extractor, given, lines, output, link)
        where = "the messages above say which"
    else:
        errors = errors or target.with_name(f"{target.name}.errors.jsonl")
        target = Path(os.path.realpath(target))  # a link is followed, not replaced
        run = {"model": sha256(model_folder(model) / "model.safetensors"), **given.key()}
        with locked(target, "written") as lock:
            extractor = _loaded(load)  # a wrong model or language leaves no unfinished files behind
            partial = Partial(target, errors, {**run, **(options or {})}, resume, lock)
            if not partial.ended:
                try:
                    _to_partial(extractor, given, partial, link)
                except KeyboardInterrupt:
                    done = partial.state.documents
                    raise CmanError(f"stopped after {done} documents, `--resume` goes on") from None
            partial.finish(lambda lines: _named(lines, target, output, extra))
        log.info("%s written", target)
        failed, where = partial.state.failed, f"{errors} says which and why"
    if failed:
        raise CmanError(f"{given.shown}: {failed} documents could not be processed; {where}")


def _loaded(load: Callable[[], Extractor]) -> Extractor:
    extractor = load()
    if not extractor.calibrated:
        log.info("scores are uncalibrated: the model had no documents to do it on; 0.9 need not mean nine in ten")
    return extractor


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


def _to_partial(extractor: Extractor, given: Input, partial: Partial, link: Link | None) -> None:
    state = partial.state
    if state.lines:
        log.info("going on after %d documents", state.documents)
    done = given.sources[state.source].base + state.input_bytes
    with Progress(given.size, done) as progress:
        records = given.records(state.source, state.lines, state.input_bytes)
        for chunk in _chunks(extractor, given, records):
            done_lines, failed = _processed(extractor, chunk, link)
            last = chunk[-1][0]
            partial.add(done_lines, failed, last)
            progress.add(len(chunk), sum(len(sentences) for _, sentences, _ in chunk), given.position(last))
    log.info("%d documents, %d failed; %s", partial.state.documents, partial.state.failed, progress.rate)


def _to_stream(extractor: Extractor, given: Input, written: IO[str], output: Format, link: Link | None) -> int:
    """Write extractions to a stream as they are made; return how many documents failed."""
    failures, header = 0, True
    with Progress(given.size) as progress:
        for chunk in _chunks(extractor, given, given.records()):
            lines, failed = _processed(extractor, chunk, link)
            for record, reason in failed:
                log.error("line %d: document %r: %s", record.line, record.id, reason)
            if output == "csv":
                write_triples(lines, written, header)
            else:
                written.writelines(ntriples(lines) if output == "ntriples" else lines)
            written.flush()
            failures, header = failures + len(failed), False
            sentences = sum(len(sentences) for _, sentences, _ in chunk)
            progress.add(len(chunk), sentences, given.position(chunk[-1][0]))
    return failures


def _named(lines: Path, target: Path, output: Format, extra: frozenset[str]) -> None:
    """Make the output of the file of lines."""
    if output == "jsonl":
        os.replace(lines, target)
        sync(target.parent)
        return
    with lines.open(encoding="utf-8", newline="\n") as stream:
        if output == "csv":
            with lines.open(encoding="utf-8", newline="\n") as again:
                write_csv(stream, target, again)
        elif output == "parquet":
            write_parquet(stream, target, extra)
        else:
            (write_ntriples if output == "ntriples" else write_graph)(stream, target)


Prepared = tuple[Record, Sequence[Document], str | None]  # a record, its sentences, and why it has none


def _chunks(extractor: Extractor, given: Input, records: Iterable[Record]) -> Iterator[list[Prepared]]:
    """Yield the records that are computed together; a chunk ends where a block of the input does, see `shards`."""
    chunk: list[Prepared] = []
    blocks = given.blocks
    tokens = characters = 0
    for record in records:
        if chunk and blocks.key(chunk[-1][0]) != blocks.key(record):
            yield chunk
            chunk, tokens, characters = [], 0, 0
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


def _processed(extractor: Extractor, chunk: Sequence[Prepared], link: Link | None) -> tuple[list[str], list[Failure]]:
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
        failed.sort(key=lambda failure: (failure[0].source, failure[0].line))
    return [extraction_line(each, link) for each in done], failed


def _extractions(extractor: Extractor, good: Sequence[tuple[Record, Sequence[Document]]]) -> list[Extraction]:
    givens = [record.given for record, _ in good if record.given is not None]
    return extractor.extractions(givens, [sentences for _, sentences in good])


def extraction_line(extraction: Extraction, link: Link | None = None) -> str:
    """Return an extraction as one line of JSON, entities with their `link` where there is one."""
    value = extraction.to_json()
    if link is not None:
        value["entities"] = [dict(entity) for entity in value["entities"]]
        for entity in value["entities"]:
            found = link(entity)
            if found is not None:
                entity["link"] = str(found)
    return json.dumps(value, ensure_ascii=False) + "\n"


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
