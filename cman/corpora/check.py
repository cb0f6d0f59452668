"""What `cman prepare --check` says of a corpus without writing anything: counts, and what a model could not learn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cman.config.corpora import NO_PATH, Corpus
from cman.corpora.document import Document
from cman.corpora.formats import split_format
from cman.corpora.overlap import has_overlap
from cman.corpora.prepare import check_types, for_training
from cman.corpora.statistics import statistics
from cman.errors import CmanError
from cman.layout import Layout

SHOWN = 3  # places that a line names


def check(name: str, corpus: Corpus, layout: Layout) -> tuple[list[list[str]], list[str], CmanError | None]:
    """Return a table of counts, its first row the head, sentences about what stands out, and why it cannot be trained.

    Raises:
        CmanError: a file is missing or malformed.
    """
    notes: list[str] = []
    if corpus.is_absent:
        raise CmanError(NO_PATH % name)
    if corpus.folded is not None:
        raise CmanError(
            f"{name}: found a corpus with folds, wanted one with train, dev and test; prepare reports on it"
        )
    splits = split_format(corpus).read(corpus, layout.raw(name), notes)
    notes += observations(splits, statistics(splits, [])["repeated_sentences"])
    reason = None
    try:
        check_types(name, for_training(name, corpus, splits, notes))
    except CmanError as error:
        reason = error
    return table(splits), notes, reason


def table(splits: Mapping[str, Sequence[Document]]) -> list[list[str]]:
    """Return the counts of each split, a column a split."""
    counts = statistics(splits, [])["splits"]
    rows = [["", *splits]]
    for key in ("sentences", "tokens", "longest"):
        rows.append([key, *(str(counts[split][key]) for split in splits)])
    for kind in ("entities", "relations"):
        labels = list(dict.fromkeys(label for split in splits for label in counts[split][kind]))
        for label in labels:
            title = kind if label == "all" else f"  {label}"
            rows.append([title, *(str(counts[split][kind].get(label, 0)) for split in splits)])
    return rows


def observations(splits: Mapping[str, Sequence[Document]], repeated: Mapping[str, Any]) -> list[str]:
    """Return what a user should know before training, a sentence each, with counts and the first places."""
    notes = []
    for kind in ("entities", "relations"):
        every = [each for documents in splits.values() for each in documents]
        counts = Counter(item.type for each in every for item in getattr(each, kind))
        once = sorted(label for label, count in counts.items() if count == 1)
        if once:
            notes.append(f"{kind}: seen only once in all splits: {', '.join(once)}")
    if not any(each.relations for documents in splits.values() for each in documents):
        notes.append("no relation anywhere: a model of entities alone is trained")
    for split, documents in splits.items():
        for meaning, found in _places(documents).items():
            if found:
                more = ", ..." if len(found) > SHOWN else ""
                notes.append(f"{split}: {len(found)} {meaning} ({', '.join(found[:SHOWN])}{more})")
    notes += [
        f"{split}: {count} sentences repeat another of it" for split, count in repeated["within"].items() if count
    ]
    for pair, count in repeated["of the second that stand in the first"].items():
        if count:
            notes.append(f"{pair}: {count} sentences of the second stand in the first")
    return notes


def _places(documents: Sequence[Document]) -> dict[str, list[str]]:
    """Return the ids of the documents that something is to be said of."""
    pairs = {each.id: Counter((link.head, link.tail) for link in each.relations) for each in documents}
    return {
        "sentences without relations, which is allowed": [each.id for each in documents if not each.relations],
        "sentences with overlapping entities, which one BIO tag a token cannot encode": [
            each.id for each in documents if has_overlap(each)
        ],
        "sentences with a relation from an entity to itself, which is never predicted": [
            each.id for each in documents if any(link.head == link.tail for link in each.relations)
        ],
        "sentences with several relations of one pair": [
            name for name, counts in pairs.items() if any(count > 1 for count in counts.values())
        ],
    }
