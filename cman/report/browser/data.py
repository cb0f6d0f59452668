"""What the page knows: gold and predicted annotations of the test sentences, and what is wrong with each of them.

Compact, because there may be a hundred runs: tokens and gold stand once for each division of a corpus, and an
annotation is a few whole numbers. Of a sentence, entities first:

    gold    [[type, start, end], ...], [[type, head, tail], ...]
    found   [[type, start, end, score, kind], ...], [[type, head, tail, score, kind], ...], and the kinds of gold ones

`type` is a position in `entityTypes` or `relationTypes`, `head` and `tail` are positions in the sentence's entities,
`score` is in thousandths or -1 for none, and `kind` is a position in `ENTITY_KINDS` or `RELATION_KINDS`. Duplicates
stand once, as strict matching counts them. What a run found is one JSON text, and runs are read one after another: as
objects a hundred of them would be gigabytes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cman.config.experiments import EXPERIMENTS
from cman.corpora.document import Document, Entity
from cman.evaluation.errors import (
    MISSED,
    MISSED_ENTITY,
    SPURIOUS,
    SPURIOUS_ENTITY,
    bare,
    entity_classes,
    relation_classes,
)
from cman.report.evidence import CORPORA
from cman.report.predictions import Predicted, each_predicted
from cman.report.results import Run, check_agreement, check_once

GIVEN = "given"  # DREC's artificial root, which was not there to be found
ENTITY_KINDS = ("right", *dict.fromkeys((MISSED_ENTITY[0], *SPURIOUS_ENTITY)), GIVEN)
RELATION_KINDS = ("right", *dict.fromkeys((MISSED[0], *SPURIOUS[:-1], MISSED[-1], SPURIOUS[-1])))
NO_SCORE = -1

_Relation = tuple[str, Entity, Entity]


def page_data(runs: Iterable[Run], corpora: Path) -> dict[str, Any]:
    """Return all that the page shows, as it becomes JSON; `found` of each run is JSON already.

    Args:
        runs: of any corpora, experiments, divisions and seeds.
        corpora: the folder of prepared corpora, such as `results/corpora`.

    Raises:
        CmanError: a run stands there twice; runs of one corpus disagree on its title or on its being a sample; a file
            is missing or malformed; or predictions do not belong to the gold documents or to their scores.
    """
    ordered = sorted(runs, key=_place)
    check_once(ordered)
    names = list(dict.fromkeys(run.corpus for run in ordered))
    for name in names:
        check_agreement([run for run in ordered if run.corpus == name], ("corpus_title", "sample"))
    return {
        "entityKinds": ENTITY_KINDS,
        "relationKinds": RELATION_KINDS,
        "corpora": [_corpus([run for run in ordered if run.corpus == name], corpora) for name in names],
    }


def _place(run: Run) -> tuple[Any, ...]:
    experiments = list(EXPERIMENTS)
    known = experiments.index(run.experiment) if run.experiment in EXPERIMENTS else len(experiments)
    corpus = CORPORA.index(run.corpus) if run.corpus in CORPORA else len(CORPORA)
    return corpus, run.corpus, run.split, known, run.experiment, run.seed


def compact(value: Any) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _corpus(runs: list[Run], corpora: Path) -> dict[str, Any]:
    types: tuple[list[str], list[str]] = ([], [])  # of entities and of relations, in the order of their first mention
    splits: dict[str, dict[str, Any]] = {}
    golds: dict[str, tuple[Document, ...]] = {}
    for member in each_predicted(runs, corpora):
        run = member.run
        if run.split not in golds:  # every run of a division was checked against the same file
            golds[run.split] = member.gold
            _collect(member.gold, types)
        _collect(member.found, types)
        shown = {"experiment": run.experiment, "title": run.title, "seed": run.seed, "found": _run(member, types)}
        splits.setdefault(run.split, {"runs": []})["runs"].append(shown)
    ordered = (sorted(types[0]), sorted(types[1]))
    for name, split in splits.items():
        gold = golds[name]
        split["runs"] = [shown | {"found": _renumbered(shown["found"], types, ordered)} for shown in split["runs"]]
        splits[name] = {
            "name": name,
            "ids": [document.id for document in gold],
            "tokens": [document.tokens for document in gold],
            "gold": [_annotations(document, *ordered) for document in gold],
            "runs": split["runs"],
        }
    return {
        "name": runs[0].corpus,
        "title": runs[0].corpus_title,
        "sample": runs[0].sample,
        "entityTypes": ordered[0],
        "relationTypes": ordered[1],
        "splits": list(splits.values()),
    }


def _collect(documents: Sequence[Document], types: tuple[list[str], list[str]]) -> None:
    entities = {entity.type: None for document in documents for entity in document.entities}
    relations = {relation.type: None for document in documents for relation in document.relations}
    for named, known in zip((entities, relations), types, strict=True):
        known += [name for name in named if name not in known]


def _run(member: Predicted, types: tuple[list[str], list[str]]) -> str:
    return compact([_found(*pair, *types) for pair in zip(member.gold, member.found, strict=True)])


def _renumbered(found: str, before: tuple[list[str], ...], after: tuple[list[str], ...]) -> str:
    """Return what a run found with the positions of its types in other lists of the same names."""
    if before == after:
        return found
    places = [[new.index(name) for name in old] for old, new in zip(before, after, strict=True)]
    sentences = json.loads(found)
    for sentence in sentences:
        for rows, place in zip(sentence[:2], places, strict=True):
            for row in rows:
                row[0] = place[row[0]]
    return compact(sentences)


def _annotations(document: Document, entity_types: list[str], relation_types: list[str]) -> list[list[list[int]]]:
    """Return a document's entities and relations as whole numbers."""
    entities, relations = _distinct(document)
    places = {entity: place for place, entity in enumerate(entities)}
    return [
        [[entity_types.index(entity.type), entity.start, entity.end] for entity in entities],
        [[relation_types.index(kind), places[head], places[tail]] for kind, head, tail in relations],
    ]


def _found(gold: Document, found: Document, *types: list[str]) -> list[Any]:
    """Return the predicted annotations with scores and kinds, and the kinds of the gold ones."""
    classes = *entity_classes(gold, found), *relation_classes(gold, found)
    unmet_entities, wrong_entities, unmet_relations, wrong_relations = classes
    entities, relations = _distinct(found)
    scores = [[NO_SCORE if score is None else round(1000 * score) for score in each.values()]
              for each in (entities, relations)]  # fmt: skip
    kinds = _entity_kinds(entities, wrong_entities), _relation_kinds(relations, wrong_relations)
    rows = [
        [[*row, score, kind] for row, score, kind in zip(*task, strict=True)]
        for task in zip(_annotations(found, *types), scores, kinds, strict=True)
    ]
    wanted_entities, wanted_relations = _distinct(gold)
    return [
        *rows,
        _entity_kinds(wanted_entities, unmet_entities),
        _relation_kinds(wanted_relations, unmet_relations),
    ]


def _distinct(document: Document) -> tuple[dict[Entity, float | None], dict[_Relation, float | None]]:
    """Return each entity and each relation once, in the order of the text, with the score of its first mention."""
    entities: dict[Entity, float | None] = {}
    relations: dict[_Relation, float | None] = {}
    for entity in sorted(document.entities, key=lambda entity: (entity.start, -entity.end, entity.type)):
        entities.setdefault(bare(entity), entity.score)
    for relation in document.relations:
        head, tail = (bare(document.entities[place]) for place in (relation.head, relation.tail))
        relations.setdefault((relation.type, head, tail), relation.score)
    return entities, relations


def _entity_kinds(entities: Iterable[Entity], wrong: Mapping[Entity, str]) -> list[int]:
    return [ENTITY_KINDS.index(GIVEN if entity.is_root else wrong.get(entity, "right")) for entity in entities]


def _relation_kinds(relations: Iterable[_Relation], wrong: Mapping[_Relation, str]) -> list[int]:
    return [RELATION_KINDS.index(wrong.get(relation, "right")) for relation in relations]
