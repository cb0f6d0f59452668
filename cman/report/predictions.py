"""A run's predictions beside the gold documents, after a check that both are what the run's scores were made from.

Runs and records hold no gold annotation: it is read from the prepared corpus, which a record must have been made from.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cman.corpora.document import Document, read_documents
from cman.corpora.ranking import read_ranking
from cman.errors import CmanError
from cman.evaluation.counts import Counts
from cman.evaluation.ranking import ranking_scores
from cman.evaluation.scores import dev_threshold, score_documents
from cman.files import read_json
from cman.hashes import sha256
from cman.report.results import ALL, COUNTED, Run

COUNTS = ("true_positive", "predicted", "gold")


@dataclass(frozen=True)
class Predicted:
    """A run with its test documents, as annotated and as predicted, in the same order."""

    run: Run
    gold: tuple[Document, ...]
    found: tuple[Document, ...]


def read_predicted(runs: Iterable[Run], corpora: Path) -> list[Predicted]:
    """Return the runs with their documents; see `each_predicted`."""
    return list(each_predicted(runs, corpora))


def each_predicted(runs: Iterable[Run], corpora: Path) -> Iterator[Predicted]:
    """Yield the runs with their documents, one after another, because many together may be gigabytes.

    Args:
        corpora: the folder of prepared corpora, such as `results/corpora`.

    Raises:
        CmanError: a file is missing or malformed; a run was made from another version of its corpus; or its
            predictions do not give the counts of its `scores.json`.
    """
    read = cache(read_documents)
    digest = cache(sha256)
    for run in runs:
        folder = corpora / run.corpus / run.split
        gold = read(folder / "test.jsonl")
        _check_version(run, folder, digest)
        source = predictions_file(run.folder)
        by_id = {document.id: document for document in read_documents(source)}
        found = []
        for document in gold:
            if document.id not in by_id or by_id[document.id].tokens != document.tokens:
                raise CmanError(
                    f"{source}: document {document.id!r} is missing or has other tokens than in "
                    f"{folder / 'test.jsonl'}; wanted predictions of this version of {run.corpus}"
                )
            found.append(by_id[document.id])
        if len(by_id) != len(gold):
            raise CmanError(
                f"{source}: found {len(by_id)} documents, wanted the {len(gold)} of {folder / 'test.jsonl'}"
            )
        _check_scores(run, source, score_documents(gold, found))
        _check_ranking(run, gold, found)
        yield Predicted(run, tuple(gold), tuple(found))


def predictions_file(run: Path, name: str = "predictions.jsonl") -> Path:
    """Return where a run's or a record's predictions, or their ranking, stand."""
    packed = run / f"{name}.gz"
    return packed if packed.is_file() else run / name


def _check_version(run: Run, folder: Path, digest: Any) -> None:
    inputs = run.provenance.get("inputs") or {}
    for name, wanted in inputs.items():
        path = folder / Path(name).name
        if Path(name).parts[-3:-1] != (run.corpus, run.split) or path.suffix != ".jsonl":
            continue  # features, or a file of another folder
        if path.is_file() and (found := digest(path)) != wanted:
            raise CmanError(
                f"{run.folder}: was made from another version of {run.corpus}: {path} has the SHA-256 {found[:12]}, "
                f"wanted {wanted[:12]} as its provenance says"
            )


def _check_scores(run: Run, source: Path, scores: dict[str, Any]) -> None:
    recorded = read_json(run.folder / "scores.json")
    for task in COUNTED:
        for matching, level in scores[task].items():
            if level != recorded[task][matching]:
                raise CmanError(
                    f"{source}: does not match scores.json beside it: {task} under {matching} matching count "
                    f"{level['all']}, wanted {recorded[task][matching]['all']}"
                )


def _check_ranking(run: Run, gold: Sequence[Document], found: Sequence[Document]) -> None:
    if not run.ranking:
        return
    source, where = predictions_file(run.folder, "ranking.jsonl"), str(run.folder / "provenance.json")
    scores = ranking_scores(gold, found, read_ranking(source, found), dev_threshold(run.provenance, where))
    if scores != (recorded := read_json(run.folder / "scores.json")["ranking"]):
        raise CmanError(f"{source}: does not match scores.json beside it: field ranking: {scores}, wanted {recorded}")


def check_counts(run: Run) -> None:
    """Refuse a run whose predictions cannot be those that it was scored from, as far as they tell without the gold.

    Raises:
        CmanError: there are no predictions; the documents, or the predicted entities or relations of some type, are not
            as many as `scores.json` counts; or its counts in all are not the sums of those of the types.
    """
    for task in COUNTED:
        for matching, level in run.scores[task].items():
            types = [counts for kind, counts in level.items() if kind != ALL]
            sums = Counts(*(sum(getattr(counts, name) for counts in types) for name in COUNTS))
            if sums != level[ALL]:
                where = f"{run.folder / 'scores.json'}: field {task}.{matching}.all"
                raise CmanError(f"{where}: found {vars(level[ALL])}, wanted {vars(sums)}, the sums over its types")
    source = predictions_file(run.folder)
    documents = read_documents(source)
    found = score_documents(documents, documents)  # beside themselves: what was predicted, for each type
    if found["documents"] != run.documents:
        raise CmanError(
            f"{source}: found {found['documents']} documents, wanted {run.documents} as in scores.json beside it"
        )
    for task in COUNTED:
        level = run.scores[task]["strict"]
        scored = {kind: counts.predicted for kind, counts in level.items() if counts.predicted and kind != ALL}
        predicted = {kind: counts["predicted"] for kind, counts in found[task]["strict"]["types"].items()}
        for kind in sorted(scored | predicted):
            if scored.get(kind, 0) != predicted.get(kind, 0):
                raise CmanError(
                    f"{source}: found {predicted.get(kind, 0)} {task} of the type {kind}, wanted "
                    f"{scored.get(kind, 0)} as in scores.json beside it"
                )
