"""`cman explain`: what a run does not find, where its errors come from, and what to try next, from its test documents.

Counts are those of `cman.evaluation`: strict matching, every missed and every spurious item in one class. The advice
is drawn from these counts and from `history.csv` alone, which also says whether the training had converged; each line
says the figure that it is drawn from. What is read off test documents may guide the next training, but a threshold or a
number of epochs is to be chosen on dev.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cman.corpora.document import Document, read_documents
from cman.evaluation.confusion import ALONE, OVERLAPPING, confusion
from cman.evaluation.convergence import convergence_of
from cman.evaluation.counts import Counts
from cman.evaluation.errors import entity_classes, relation_errors
from cman.report.predictions import Predicted, read_predicted
from cman.report.results import ALL, COUNTED, read_run

FEW = 50  # training examples of a type below which a type is seldom learned
RISING = 0.9  # share of the epochs after which the best one means that more may help
WIDE = 0.05  # between precision and recall, from which on a threshold is worth a look

Task = Mapping[str, Counts]


def explain(folder: Path, corpora: Path) -> str:
    """Return the explanation of a scored run as text.

    Args:
        folder: a run folder or a record.
        corpora: the folder of prepared corpora, such as `results/corpora`.

    Raises:
        CmanError: the run is incomplete, or the prepared corpus is missing or another version.
    """
    (predicted,) = read_predicted([read_run(folder)], corpora)
    run = predicted.run
    prepared = corpora / run.corpus / run.split
    examples = _examples(read_documents(prepared / "train.jsonl"))
    missed, spurious = relation_errors(predicted.gold, predicted.found)
    lines = [f"{run.title} on {run.corpus_title}, split {run.split}, seed {run.seed}: {run.documents} test documents"]
    for task in COUNTED:
        lines += ["", *_by_type(task, run.scores[task]["strict"], examples[task])]
    lines += ["", *_classes("entities", *_entity_errors(predicted))]
    lines += ["", *_classes("relations", missed, spurious)]
    if end := convergence_of(folder):
        lines += ["", f"converged: {end.said()}"]
    lines += ["", "What to try next", *(f"  - {advice}" for advice in _advice(predicted, examples, missed, folder))]
    return "\n".join(lines)


def _examples(documents: Iterable[Document]) -> dict[str, Counter[str]]:
    """Return how many examples of each type the training documents have, by task."""
    counts = {task: Counter[str]() for task in COUNTED}
    for document in documents:
        counts["entities"].update(entity.type for entity in document.entities if not entity.is_root)
        counts["relations"].update(relation.type for relation in document.relations)
    return counts


def _by_type(task: str, scores: Task, examples: Counter[str]) -> Iterator[str]:
    width = max(len(task), *map(len, scores)) + 2
    yield f"{task:{width}}{'precision':>9}{'recall':>8}{'F1':>8}{'gold':>7}{'train':>8}"
    for kind, counts in scores.items():
        figures = "".join(f"{100 * value:{size}.1f}" for value, size in zip(_figures(counts), (9, 8, 8), strict=True))
        trained = examples.total() if kind == ALL else examples[kind]
        never = "  never found" if counts.gold and not counts.true_positive else ""
        yield f"{kind or 'all':{width}}{figures}{counts.gold:7}{trained:8}{never}"


def _figures(counts: Counts) -> tuple[float, float, float]:
    return counts.precision, counts.recall, counts.f1


def _entity_errors(predicted: Predicted) -> tuple[Counter[str], Counter[str]]:
    missed, spurious = Counter[str](), Counter[str]()
    for expected, actual in zip(predicted.gold, predicted.found, strict=True):
        unmet, wrong = entity_classes(expected, actual)
        missed.update(unmet.values())
        spurious.update(wrong.values())
    return missed, spurious


def _classes(task: str, missed: Counter[str], spurious: Counter[str]) -> Iterator[str]:
    for name, classes in (("missed", missed), ("spurious", spurious)):
        ordered = sorted(classes.items(), key=lambda item: (-item[1], item[0]))
        shares = ", ".join(f"{kind} {count} ({_share(count, classes)})" for kind, count in ordered)
        yield f"{classes.total()} {task} {name}{': ' + shares if shares else ''}"


def _share(count: int, classes: Counter[str]) -> str:
    return f"{count / classes.total():.0%}"


def _advice(
    predicted: Predicted, examples: Mapping[str, Counter[str]], missed: Counter[str], folder: Path
) -> Sequence[str]:
    """Return what the counts speak for, the most telling first; a sentence where they speak for nothing."""
    scores = {task: predicted.run.scores[task]["strict"] for task in COUNTED}
    advice = [*_about_types(scores, examples, confusion(predicted.gold, predicted.found))]
    entities = sum(missed[kind] for kind in ("missed entity", "wrong boundary", "wrong type"))
    if entities * 2 > missed.total():
        advice.append(
            f"{_share(entities, missed)} of the missed relations lack an argument: better entities first, by an "
            "encoder of the domain or by fine-tuning it (encoder.trainable)"
        )
    relations, types = scores["relations"][ALL], scores["relations"].items()
    if missed["missed pair"] * 2 > missed.total():
        recall, kind = min((counts.recall, kind) for kind, counts in types if kind != ALL and counts.gold)
        advice.append(
            f"{_share(missed['missed pair'], missed)} of the missed relations have both arguments: more examples of "
            f"relations, first of {kind} (recall {recall:.0%})"
        )
    if relations.gold and relations.recall + WIDE < relations.precision:
        advice.append(
            f"relations: precision {relations.precision:.0%}, recall {relations.recall:.0%}: a lower threshold "
            "(rel.threshold: auto chooses it on dev)"
        )
    elif relations.precision + WIDE < relations.recall:
        advice.append(
            f"relations: precision {relations.precision:.0%}, recall {relations.recall:.0%}: a higher threshold "
            "(rel.threshold: auto chooses it on dev, --relation-threshold for one extraction)"
        )
    advice += _about_epochs(folder)
    return advice or ["these counts speak for nothing in particular: more annotated text helps most"]


def _about_types(
    scores: Mapping[str, Task], examples: Mapping[str, Counter[str]], confused: Counter[tuple[str, str]]
) -> Iterator[str]:
    for task, types in scores.items():
        for kind, counts in types.items():
            if kind == ALL or not counts.gold:
                continue
            if examples[task][kind] < FEW and counts.f1 < types[ALL].f1:
                yield f"annotate more of {kind}: {examples[task][kind]} training examples, F1 {100 * counts.f1:.1f}"
            elif not counts.true_positive:
                yield f"{kind} is never found in spite of {examples[task][kind]} training examples: read them again"
    pairs = [(count, *pair) for pair, count in confused.items() if pair[0] != pair[1]]
    for count, gold, other in sorted(pairs, reverse=True)[:3]:
        total = scores["entities"].get(gold)
        if {gold, other}.isdisjoint({OVERLAPPING, ALONE}) and total is not None and count * 10 >= total.gold:
            yield f"{count} of {total.gold} {gold} are taken for {other}: say in the guideline where one ends"


def _about_epochs(folder: Path) -> Iterator[str]:
    end = convergence_of(folder)
    if end is None:
        return
    if end.converged is False:
        yield f"not converged: {end.said().removeprefix('no; ')}: try more (training.epochs)"
        return
    with (folder / "history.csv").open(encoding="utf-8") as stream:
        values = [row.get("dev_mean_f1", "") for row in csv.DictReader(stream)]
    # Of a fixed protocol they are nan, and older records do not have them.
    dev = [float(value) for value in values if value not in ("", "nan")]
    if len(dev) > 1 and dev.index(max(dev)) + 1 > RISING * len(dev):
        yield f"the best of {len(dev)} epochs on dev was number {dev.index(max(dev)) + 1}: try more (training.epochs)"
