"""Readers of texts, corpora and results under mutation: files small enough that each mutation matters."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_runs import fake_run
from packing import packed

from cman.config.configuration import read_configuration
from cman.config.settings import Settings
from cman.corpora.ade import read_relations
from cman.corpora.brat_lines import read_annotations
from cman.corpora.columns import read_columns
from cman.corpora.conll04 import read_spert
from cman.corpora.document import Document, parse_document, read_documents, write_documents
from cman.corpora.dygie import read_file as read_dygie
from cman.corpora.ranking import read_ranking
from cman.corpora.spert import read_file as read_spert_file
from cman.extract.reading import Reading, records
from cman.fetch.archives import opened
from cman.fetch.inputs import InputFile
from cman.hashes import MANIFEST, listed
from cman.report.appendix.copies import read_copies
from cman.report.appendix.weights import read_weights
from cman.report.decoding_table import read_decoding
from cman.report.published import read_published
from cman.report.results import read_run
from cman.report.runs import read_listing
from tests.fuzz.mutations import Reader

TEXT = "Ada lives in London."
ENTITIES = [{"type": "P", "start": 0, "end": 1, "score": 0.5}, {"type": "L", "start": 3, "end": 4, "score": 1.0}]
RELATIONS = [{"type": "Live_In", "head": 0, "tail": 1, "score": 0.25}]
DOCUMENT = {"id": "1", "tokens": ["Ada", "lives", "in", "London"], "entities": ENTITIES, "relations": RELATIONS}
PLACED = {**DOCUMENT, "text": TEXT, "offsets": [[0, 3], [4, 9], [10, 12], [13, 19]]}
PLAIN = {"tokens": DOCUMENT["tokens"], "entities": [{"type": "P", "start": 0, "end": 1}] * 1, "relations": []}
COLUMNS = (
    "#doc 1\n0\tAda\tB-P\t['Live_In']\t[3]\n1\tlives\tO\t['N']\t[1]\n2\tin\tO\t['N']\t[2]\n3\tRome\tB-L\t['N']\t[3]\n"
)
YAML = """
corpora:
  mine: {format: jsonl, paths: {train: a.jsonl, dev: b.jsonl, test: c.jsonl}, settings: {lstm.hidden: 8}}
experiments: [cman]
seeds: [1, 2]
settings: {training: {epochs: 3}, rel.threshold: 0.5}
vectors: {wiki: {path: v.txt}}
"""
PUBLISHED = """
tables:
  - {number: II, corpus: ade, origin: paper, added: [cman-best], rows: [
      {method: CMAN, entity_f1: 89.4, relation_f1: null, source: x, bert: false, experiment: cman}]}
"""


def well_formed(documents: list[Document]) -> None:
    """Every span lies in its document, every relation has its entities, offsets cut the tokens out of the text."""
    assert documents and len({each.id for each in documents}) == len(documents)
    for each in documents:
        size = len(each.tokens)
        assert size and all(isinstance(token, str) and token for token in each.tokens)
        assert all(0 <= entity.start < entity.end <= size and entity.type for entity in each.entities)
        numbers = [number for found in each.relations for number in (found.head, found.tail)]
        assert all(0 <= number < len(each.entities) for number in numbers)
        scores = [found.score for found in (*each.entities, *each.relations) if found.score is not None]
        assert all(0 <= score <= 1 for score in scores)
        if each.offsets is not None and each.text is not None:
            assert [each.text[start:end] for start, end in each.offsets] == list(each.tokens)


def corpus(content: str, read: Callable[[Path], list[Document]]) -> Callable[[Path], Reader]:
    """A reader of documents: what it accepts is well formed, can be written, and is the same when it is read again."""

    def made(folder: Path) -> Reader:
        path, again = folder / "file.txt", folder / "again.jsonl"
        path.write_text(content, encoding="utf-8")

        def check(documents: list[Document]) -> None:
            well_formed(documents)
            write_documents(again, documents)
            assert read_documents(again) == documents

        return Reader(path, lambda: read(path), check)

    return made


def plain(name: str, content: str, read: Callable[[Path], Any], check: Callable[[Any], None] = lambda _: None) -> Any:
    """A reader of one file of text."""

    def made(folder: Path) -> Reader:
        (folder / name).write_text(content, encoding="utf-8")
        return Reader(folder / name, lambda: read(folder / name), check)

    return made


def annotated(value: Any) -> None:
    """Every part of a span lies in the text, and every relation has its spans."""
    parts = [part for span in value.spans.values() for part in span.parts]
    assert all(0 <= start < end <= len(TEXT) for start, end in parts)
    assert all({head, tail} <= value.spans.keys() for _, _, head, tail in value.relations)


def ranking(path: Path) -> Any:
    return read_ranking(path, [parse_document({**DOCUMENT, "relations": []}, "here")])


def ranked(value: Any) -> None:
    assert all(0 <= each.score <= 1 and {each.head, each.tail} <= {0, 1} for row in value.values() for each in row)


def run_of(name: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        settings = json.loads(Settings().model_dump_json())
        run = fake_run(folder, "c", "cman", (2, 3, 4), (1, 2, 2), settings=settings)

        def check(found: Any) -> None:
            for task in found.scores.values():
                for level in task.values():
                    assert all(each.true_positive <= min(each.predicted, each.gold) for each in level.values())
            assert found.name

        return Reader(run / name, lambda: read_run(run), check)

    return made


class _Run:
    """What the sections of the appendix read a run's files by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def listing(folder: Path) -> Reader:
    run = fake_run(folder, "c", "cman", (2, 3, 4), (1, 2, 2))
    one = {"folder": str(run), "prepared": True, "digest": None, "facts": {"title": "x"}}
    path = folder / "runs.json"
    path.write_text(json.dumps({"absent": ["ade"], "runs": [one]}))
    return Reader(path, lambda: read_listing(path), lambda shown: list(shown.folders))


def input_of(form: str, content: str) -> Callable[[Path], Reader]:
    """The input of `cman extract`, which is read to its end whatever a line holds."""

    def made(folder: Path) -> Reader:
        path = folder / "input"
        path.write_text(content, encoding="utf-8")

        def read() -> Any:
            with path.open("rb") as stream:
                return list(records(stream, Reading(form, 100)))  # type: ignore[arg-type]

        def check(found: Any) -> None:
            assert all((each.given is None) != (each.error is None) and len(each.error or "") < 6000 for each in found)
            ends = [each.end for each in found]
            assert ends == sorted(ends) and max(ends, default=0) <= path.stat().st_size
            for each in found:
                if each.given is not None:
                    assert len(each.given.text) <= 100
                    f"{each.id}{each.given.text}".encode()

        return Reader(path, read, check)

    return made


def archive(suffix: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        path = packed(folder / f"a.txt{suffix}", "a.txt", TEXT.encode() * 50)

        def read() -> bytes:
            with opened(path) as (stream, _):
                return stream.read()

        return Reader(path, read)

    return made


def recorded(folder: Path) -> Reader:
    file = InputFile("vectors.w.url", folder / "v.txt", "http://example.org/v.txt")
    file.record.write_text(f"{'0' * 64}  v.txt\n")
    return Reader(file.record, file.wanted, lambda digest: bytes.fromhex(digest))


def times(value: Any) -> None:
    for each in value:
        assert all(number is None or 0 <= number < math.inf for number in (each.rate, each.relative))


def weights(value: Any) -> None:
    assert all(math.isfinite(each) for stage in value.values() for epoch in stage.values() for each in epoch.values())


NEEDED = (
    "corpus,experiment,device,processor,threads,kernels,contextual,batch_size,sentences_per_second,relative_time,note\n"
)
DECODING = NEEDED + "ade,cman,cpu,x,2,compiled,none,8,51.5,1.25,\n"
HISTORY = "stage,epoch,loss_rel,log_variance_relations,log_variance_phase1\nselect,1,0.5,0.1,0.2\nselect,2,0.25,0.3,\n"
COPIES = json.dumps({"tokens": 4, "copied": 3, "entity_tokens": 2, "copied_entity_tokens": 1})
LINES = f"{json.dumps({'id': 7, 'text': TEXT})}\n{json.dumps({'tokens': ['Ada', 'left']})}\n"

READERS: dict[str, Callable[[Path], Reader]] = {
    "documents": corpus(json.dumps(PLACED) + "\n", read_documents),
    "documents without a text": corpus(json.dumps(DOCUMENT) + "\n", read_documents),
    "dygie": corpus(
        json.dumps({"doc_key": "a", "sentences": [["Ada", "left"], ["Bo", "."]], "ner": [[[0, 0, "P"]], [[2, 2, "P"]]],
                    "relations": [[], []]}) + "\n",
        lambda path: read_dygie(path, None, "en", []),
    ),
    "spert": corpus(json.dumps([{**PLAIN, "orig_id": 3}]), lambda path: read_spert_file(path, None, "en", [])),
    "conll04": corpus(json.dumps({"train": [{**PLAIN, "orig_id": 3}]}), lambda path: read_spert(path, "train")),
    "columns": corpus(COLUMNS, lambda path: read_columns(path, [])),
    "columns with a root": corpus(COLUMNS.replace("Ada\tB-P", "ROOT\tO"),
                                  lambda path: read_columns(path, [], root=True)),
    "brat": plain("a.ann", "T1\tPeop 0 3\tAda\nT2\tLoc 13 19\tLondon\nR1\tLive Arg1:T1 Arg2:T2\n",
                  lambda path: read_annotations(path, TEXT), annotated),
    "ade": plain("a.rel", "1|Ada lives in London.|lives|4|9|London|13|19\n", lambda path: read_relations(
        path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1], str(path))),
    "ranking": plain("r.jsonl", json.dumps({"id": "1", "relations": RELATIONS}) + "\n", ranking, ranked),
    "configuration": plain("c.yaml", YAML, read_configuration),
    "published": plain("p.yaml", PUBLISHED, read_published),
    "scores": run_of("scores.json"),
    "provenance": run_of("provenance.json"),
    "listing": listing,
    "decoding": plain("d.csv", DECODING, read_decoding, times),
    "history": plain("history.csv", HISTORY, lambda path: read_weights(_Run(path.parent)), weights),  # type: ignore[arg-type]
    "copies": plain("label_copies.json", COPIES, lambda path: read_copies(_Run(path.parent))),  # type: ignore[arg-type]
    "manifest": plain(MANIFEST, f"{'0' * 64}  a.json\n{'1' * 64}  encoder/b\n", lambda path: listed(path.parent),
                      lambda names: None),
    "record of a download": recorded,
    "lines of text": input_of("text", f"{TEXT}\nBo left.\n"),
    "lines of JSON": input_of("jsonl", LINES),
    "zip": archive(".zip"),
    "gz": archive(".gz"),
    "7z": archive(".7z"),
}  # fmt: skip
