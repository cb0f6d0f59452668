"""Label Studio's JSON: a list of tasks with `data` and `annotations`, whose `result` has labels and relations.

    [{"id": 1, "data": {"text": "Ada works at Acme."}, "annotations": [{"result": [
      {"id": "a", "type": "labels", "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["Per"]}}, ...
      {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["Works"]}]}]}]

Of several annotations of a task the first that was not cancelled is read; a task without any is not. Offsets are those
of the browser, UTF-16 units: where a text has characters beyond 65,535, the annotated words show it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cman.config.own import Across, OwnText
from cman.corpora.document import Document
from cman.corpora.formats import RawFile, own_files
from cman.corpora.offsets import fitting_offsets
from cman.corpora.spans import Annotations, Span
from cman.corpora.texts import AnnotatedText, characters, fitting_texts, json_records, read_texts, value_of
from cman.errors import CmanError, reads
from cman.files import write_text

NUMBERED_AFTER = "-"  # a document is a sentence of a text, whose name and number it has
NO_LABEL = "relation"  # of a relation that got none


def files(corpus: OwnText) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: OwnText, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    language, across = corpus.language, corpus.across
    return {split: read_file(path, split, language, warnings, across) for split, path in corpus.split_paths.items()}


@reads("a list of tasks, as Label Studio exports it")
def read_file(
    path: Path, split: str | None, language: str, warnings: list[str], across: Across = "join"
) -> list[Document]:
    """Read one file; see `cman.corpora.texts.read_texts`."""
    return read_texts(path, _texts(path), language, warnings, across)


def _texts(path: Path) -> Iterator[AnnotatedText]:
    for number, (where, task) in enumerate(json_records(path), start=1):
        data = value_of(task, "data", dict, where)
        strings = {key: value for key, value in data.items() if isinstance(value, str) and key != "id"}
        if "text" not in strings and len(strings) != 1:
            raise CmanError(f"{where}: field data: found the keys {', '.join(data) or 'none'}, wanted text")
        text = strings.get("text") or next(iter(strings.values()))
        annotations = [each for each in task.get("annotations", task.get("completions")) or []
                       if isinstance(each, dict) and not each.get("was_cancelled")]  # fmt: skip
        if not annotations:
            continue
        found = _annotations(value_of(annotations[0], "result", list, f"{where}: annotations"), text, where)
        found.others["annotation of a task that has one already"] += len(annotations) - 1
        yield AnnotatedText(str(data.get("id", task.get("id", number))), text, found)


def _annotations(results: Sequence[Any], text: str, where: str) -> Annotations:
    found = Annotations()
    regions: dict[str, list[str]] = {}  # region -> its spans, one a label
    written: list[tuple[int, int, str]] = []
    for item in results:
        kind = value_of(item, "type", str, f"{where}: result")
        if kind == "relation":
            continue
        value = value_of(item, "value", dict, f"{where}: result")
        if kind not in ("labels", "hypertextlabels") or "start" not in value:
            found.others[kind] += 1
            continue
        start, end = (value_of(value, key, int, f"{where}: value") for key in ("start", "end"))
        if isinstance(value.get("text"), str):
            written.append((start, end, value["text"]))
        name = value_of(item, "id", str, f"{where}: result", default=f"#{len(regions)}")
        labels = value.get("labels") or value.get("hypertextlabels") or []
        regions[name] = [f"{name} {label}" for label in labels]
        for label in labels:
            found.spans[f"{name} {label}"] = Span(str(label), ((start, end),), f"{where}: region {name}", name)
    found.counting, found.spans = _recounted(found.spans, written, text, where)
    for item in results:
        if item["type"] == "relation":
            head, tail = (value_of(item, key, str, f"{where}: relation") for key in ("from_id", "to_id"))
            for end in (head, tail):
                if end not in regions:
                    raise CmanError(f"{where}: relation: found the region {end!r}, wanted one of the result")
            pairs = {"left": [(tail, head)], "bi": [(head, tail), (tail, head)]}
            for first, second in pairs.get(item.get("direction"), [(head, tail)]):
                for label in item.get("labels") or [NO_LABEL]:
                    for one, other in zip(regions[first][:1], regions[second][:1], strict=False):
                        found.relations.append((where, str(label), one, other))
    return found


def _recounted(
    spans: dict[str, Span], written: Sequence[tuple[int, int, str]], text: str, where: str
) -> tuple[str, dict[str, Span]]:
    """Return how offsets are counted, and the spans in characters."""
    fitting = fitting_offsets(text, written)
    if fitting is None:
        start, end, words = next(each for each in written if text[each[0] : each[1]].split() != each[2].split())
        raise CmanError(f"{where}: found {words[:40]!r} at {start} to {end}, wanted {text[start:end][:40]!r}")
    name, offsets = fitting
    if not name:
        return "", spans
    moved = {
        key: Span(each.type, tuple((offsets[start], offsets[end]) for start, end in each.parts), each.where, each.name)
        for key, each in spans.items()
    }
    return name, moved


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents with texts and without scores."""
    return fitting_texts(documents)


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit, atomically; `data` also has their ids."""
    tasks = []
    for number, document in enumerate(documents, start=1):
        text = document.text or ""
        results: list[dict[str, Any]] = []
        for index, entity in enumerate(document.entities):
            start, end = characters(document, index)
            units = [len(text[:place].encode("utf-16-le")) // 2 for place in (start, end)]
            value = {"start": units[0], "end": units[1], "text": text[start:end], "labels": [entity.type]}
            results.append(
                {"id": f"e{index}", "type": "labels", "from_name": "label", "to_name": "text", "value": value}
            )
        for link in document.relations:
            ends = {"from_id": f"e{link.head}", "to_id": f"e{link.tail}"}
            results.append({"type": "relation", **ends, "direction": "right", "labels": [link.type]})
        task = {"id": number, "data": {"text": text, "id": document.id}, "annotations": [{"result": results}]}
        tasks.append(json.dumps(task, ensure_ascii=False))
    write_text(path, "[\n" + ",\n".join(tasks) + "\n]\n")
