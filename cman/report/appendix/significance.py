"""Significance of each comparison that a table or a figure of the paper draws, by approximate randomisation.

Each experiment of a table stands against that table's reference, the full model; Figure 7 compares CMAN with the
baseline at each share of the training data. The first table's rows also have those that control for inputs and sizes;
other experiments that the paper does not have stand under a heading of their own, and those that lack a part of
`cman-best` beside the whole.
"""

from collections.abc import Iterable, Iterator, Sequence

from cman.report.appendix.section import COMPARED, Section, about, compared
from cman.report.evidence import Comparison, Evidence, Names, on_a_share
from cman.report.table import Row, Table

Heading = tuple[str, list[Names]]  # a table or figure, and its pairs of experiment and reference

REFERENCE = "cman"
MAIN = {"conll04": "Table I", "ade": "Table II", "drec": "Table III"}
HEADLINE = ("multihead", "multihead-at", "multihead-contextual", "multihead-matched", "cman-static")
TABLES = {
    "Table IV": ("cman-encoded-label",),
    "Table VI": ("cman-lstm", "cman-gru", "cman-bigru"),
    "Table VII": ("cman-no-self-attention", "cman-no-bla", "cman-no-attention", "cman-no-uncertainty", "cman-mlp"),
}
SEPARATE = ("cman-separate",)
# `config/best.yaml`: the whole, and what lacks one of its parts. The records of `cman-best` itself are of more epochs.
WHOLE = "cman-best-16-epochs"
PARTS = (
    "cman-best-pairs-of-tokens",
    "cman-best-settings-of-records",
    "cman-best-gold-candidates",
    "cman-best-last-weights",
    "cman-best-fused-alone",
    "cman-best-gold-labels",
    "cman-best-no-context",
    "cman-best-no-types",
    "cman-best-no-distance",
    "cman-best-pair-confidence",
)
LIMITS = (
    "The test asks whether these trained models would differ on other sentences like the tested ones. It can not say "
    "whether other seeds would differ in the same way: it takes the trainings as they are, and a few seeds (n) are no "
    "sample of them. All models learned from the same training data, whose choice it does not question either. A large "
    "p does not show that two models are equal."
)


def pairs(evidence: Evidence) -> list[Names]:
    """Return what the section compares."""
    return [names for _, members in (*_tables(evidence), *_others(evidence)) for names in members]


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("significance", "Significance of the comparisons that the tables draw", evidence)
    section.absent = "Nothing ran that could be compared: wanted cman and another experiment with a seed in common."
    for name, headings in (("tables", _tables(evidence)), ("others", _others(evidence))):
        _add_table(section, evidence, name, headings)
    if not section.figures:
        return section
    section.text = (
        "Paired approximate randomisation (Noreen 1989; Yeh 2000) over test sentences, within each seed and fold: a "
        "sentence's counts of true positive, predicted and gold items change sides between the two runs of a seed with "
        "probability one half, in all seeds or in none. The statistic is the absolute difference of the mean over runs "
        "of strict micro F1, p the share of rounds that are at least as extreme, (1 + count) / "
        f"(1 + {evidence.rounds}); p is corrected over all tests of this document (Holm 1979). Intervals are of the "
        "percentile bootstrap over test sentences, both models on the same draws.",
        LIMITS,
        "The paper draws Table IV on DREC, Tables VI and VII and the figures on CoNLL04; here each comparison is made "
        "on every corpus that has its runs.",
    )
    return section


def _add_table(section: Section, evidence: Evidence, name: str, headings: Iterable[Heading]) -> None:
    rows: list[Row] = []
    marks = Table("", ())
    for title, members in headings:
        made = [found for names in members if (found := evidence.comparisons.get(names)) is not None]
        if not made:
            continue
        rows.append(Row(f"{title}: minus {_references(made)}"))
        for comparison in made:
            notes = tuple(marks.mark(text) for text in comparison.unequal.values())
            named = comparison.experiment.first
            rows.append(Row(named.title, compared(comparison), notes, named.experiment, grey=comparison.seeds == 1))
            section.compare(title, comparison)
    if rows:
        table = section.table(f"significance-{name}", about(evidence), COMPARED, rows, stub="Experiment")
        table.notes = marks.notes


def _tables(evidence: Evidence) -> Iterator[Heading]:
    yield MAIN.get(evidence.corpus.removesuffix("-sample"), "Main table"), [(name, REFERENCE) for name in HEADLINE]
    for title, experiments in TABLES.items():
        yield title, [(name, REFERENCE) for name in experiments]


def _others(evidence: Evidence) -> Iterator[Heading]:
    shares = sorted(name for name in evidence.groups if name.startswith(("multihead-at@", "multihead-matched@")))
    yield "Figure 7", [(name, f"{REFERENCE}@{name.partition('@')[2]}") for name in shares]
    yield "Figure 8", [(name, REFERENCE) for name in SEPARATE]
    yield "Without a part of cman-best", [(name, WHOLE) for name in PARTS]
    named = {REFERENCE, *HEADLINE, *SEPARATE, *PARTS, *(name for members in TABLES.values() for name in members)}
    # A model trained on a part of the data is no variant of the full one.
    others = [name for name in evidence.groups if name not in named and not on_a_share(name)]
    yield "Other experiments", [(name, REFERENCE) for name in others]


def _references(made: Sequence[Comparison]) -> str:
    titles = {comparison.reference.first.title for comparison in made}
    return titles.pop() if len(titles) == 1 else "CMAN on the same share"
