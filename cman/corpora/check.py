"""What `cman prepare --check` says of a corpus without writing anything: counts, and what a model could not learn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cman.config.corpora import NO_PATH, Corpus
from cman.corpora.document import Document
from cman.corpora.overlap import has_overlap
from cman.corpora.prepare import check_types, fold_division, for_training, sentences_of
from cman.corpora.retokenise import unlike
from cman.corpora.splits import read_groups, read_splits
from cman.corpora.statistics import statistics
from cman.corpora.tokenize import NO_SPACY, TextTokenizer
from cman.errors import CmanError, UsageError
from cman.layout import Layout

SHOWN = 3  # places that a line names
ENOUGH = 50  # examples of a type
WINDOW = 300  # tokens that 512 pieces of a word-piece encoder hold, at 1.7 pieces a token

FEW = f"fewer than {ENOUGH} examples"
OTHER_TOKENS = "other tokens"
LONG = f"more than {WINDOW} tokens"
GRAVE = {
    FEW: f"types with {FEW}",
    "and test: ": "test repeats train or dev",
    OTHER_TOKENS: "raw text gets other tokens",
    LONG: f"sentences of {LONG}",
}


def check(name: str, corpus: Corpus, layout: Layout) -> tuple[list[list[str]], list[str], CmanError | None]:
    """Return a table of counts, its first row the head, sentences about what stands out, and why it cannot be trained.

    Raises:
        CmanError: a file is missing or malformed.
    """
    notes: list[str] = []
    if corpus.is_absent:
        raise CmanError(NO_PATH % name)
    if corpus.folded is not None and not corpus.is_own:
        raise CmanError(
            f"{name}: found a corpus with folds, wanted one with train, dev and test; prepare reports on it"
        )
    if corpus.folded is not None:
        folds = fold_division(corpus.folded, read_groups(corpus, layout.raw(name), notes))
        notes.append(f"counts are of the first of {len(folds)} folds")
        splits = sentences_of(next(iter(folds.values())))
    else:
        splits = read_splits(name, corpus, layout.raw(name), notes)
    notes += observations(splits, statistics(splits, [])["repeated_sentences"])
    reason = None
    try:
        notes += unlike_tokens(splits, corpus)
        check_types(name, for_training(name, corpus, splits, notes), corpus, splits, notes)
    except CmanError as error:
        reason = error
    return table(splits), notes, reason


def verdict(name: str, notes: Sequence[str]) -> str:
    """Return the last line: that a corpus can be trained, and what of the notes may spoil its scores."""
    grave = [meaning for mark, meaning in GRAVE.items() if any(mark in note for note in notes)]
    return f"{name}: can be trained" + (f"; but first see: {', '.join(grave)}" if grave else "")


def unlike_tokens(splits: Mapping[str, Sequence[Document]], corpus: Corpus) -> list[str]:
    """Return how many sentences get other tokens from text, with an example: a model of the one reads text worse.

    Raises:
        UsageError: a language that no tokeniser knows.
    """
    try:
        tokenizer = TextTokenizer(corpus.language)
    except UsageError as error:
        if str(error) != NO_SPACY:
            raise
        return ["tokens are not compared with those of text: spaCy is not installed"]
    documents = [each for part in splits.values() for each in part]
    found = unlike(documents, tokenizer)
    if not found:
        return []
    document, tokens = found[0]
    pairs = zip(document.tokens, tokens, strict=False)
    index = next((place for place, (own, new) in enumerate(pairs) if own != new), 0)
    here = slice(max(index - 1, 0), index + 2)
    new, own = (" ".join(each[here]) for each in (tokens, document.tokens))
    return [
        f"{len(found)} of {len(documents)} sentences get {OTHER_TOKENS} from raw text in {corpus.language}, such as "
        f"{new!r} for {own!r} ({document.id}); `tokens: language` trains on those that `cman extract` reads"
    ]


def table(splits: Mapping[str, Sequence[Document]]) -> list[list[str]]:
    """Return the counts of each split, a column a split."""
    counts = statistics(splits, [])["splits"]
    rows = [["", *splits]]
    for key in ("sentences", "tokens", "longest"):
        rows.append([key, *(str(counts[split][key]) for split in splits)])
    for kind in ("entities", "relations"):
        rows.append([kind, *(str(counts[split][kind]["all"]) for split in splits)])
        for label in dict.fromkeys(label for split in splits for label in counts[split][kind]["types"]):
            title = "  " + " ".join(label.split())
            rows.append([title, *(str(counts[split][kind]["types"].get(label, 0)) for split in splits)])
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
        trained = Counter(item.type for each in splits["train"] for item in getattr(each, kind))
        few = [f"{label} ({count})" for label, count in sorted(trained.items()) if count < ENOUGH]
        if few:
            notes.append(f"{kind}: {FEW} in train: {', '.join(few)}")
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
    longest = max(len(each.tokens) for documents in splits.values() for each in documents)
    if longest > WINDOW:
        count = sum(len(each.tokens) > WINDOW for documents in splits.values() for each in documents)
        notes.append(f"{count} sentences have {LONG}; an encoder of 512 pieces reads such a sentence in windows")
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
