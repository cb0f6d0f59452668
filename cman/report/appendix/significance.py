"""Significance of each comparison that a table or a figure of the paper draws, by approximate randomisation.

Each experiment of a table stands against that table's reference, the full model; Figure 7 compares CMAN with the
baseline at each share of the training data. The first table's family also has the rows that control for inputs and
sizes; other experiments that the paper does not have stand in a family of their own.
"""

from collections.abc import Iterable, Iterator, Sequence
from string import ascii_lowercase

from cman.report.appendix.compared import GROUPS, HEADS, adjusted, cells, keep
from cman.report.appendix.evidence import Comparison, Evidence, on_a_share
from cman.report.appendix.layout import Note, Printed, Row, Section

Family = tuple[str, list[tuple[str, str]]]  # a table or figure, and its pairs of experiment and reference

REFERENCE = "cman"
MAIN = {"conll04": "Table I", "ade": "Table II", "drec": "Table III"}
HEADLINE = ("multihead", "multihead-at", "multihead-contextual", "multihead-matched", "cman-static")
TABLES = (
    ("Table IV", ("cman-encoded-label",)),
    ("Table VI", ("cman-lstm", "cman-gru", "cman-bigru")),
    (
        "Table VII",
        ("cman-no-self-attention", "cman-no-bla", "cman-no-attention", "cman-no-uncertainty", "cman-mlp"),
    ),
)
SEPARATE = "Figure 8", ("cman-separate",)
LIMITS = (
    "The test asks whether these trained models would differ on other sentences like the tested ones. It can not say "
    "whether other seeds would differ in the same way: it takes the trainings as they are, and a few seeds (n) are no "
    "sample of them. All models learned from the same training data, whose choice it does not question either. A large "
    "p does not show that two models are equal."
)


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("significance", "Significance of the comparisons that the tables draw", evidence.corpus)
    section.absent = "Nothing ran that could be compared: wanted cman and another experiment with a seed in common."
    for name, families in (("tables", _tables(evidence)), ("others", _others(evidence))):
        _add_table(section, evidence, name, families)
    if not section.figures:
        return section
    section.text = (
        "Paired approximate randomisation (Noreen 1989; Yeh 2000) over test sentences, within each seed and fold: a "
        "sentence's counts of true positive, predicted and gold items change sides between the two runs of a seed with "
        "probability one half, in all seeds or in none. The statistic is the absolute difference of the mean over runs "
        "of strict micro F1, p the share of rounds that are at least as extreme, (1 + count) / "
        f"(1 + {evidence.rounds}); p is corrected within a table and task (Holm 1979).",
        LIMITS,
        "The paper draws Table IV on DREC, Tables VI and VII and the figures on CoNLL04; here each comparison is made "
        "on every corpus that has its runs.",
    )
    return section


def _add_table(section: Section, evidence: Evidence, name: str, families: Iterable[Family]) -> None:
    rows: list[Row] = []
    notes: dict[str, str] = {}  # text -> mark
    for title, pairs in families:
        made = [found for pair in pairs if (found := evidence.comparison(*pair)) is not None]
        if not made:
            continue
        rows.append(Row(f"{title}: minus {_references(made)}"))
        for comparison, corrected in zip(made, adjusted(made), strict=True):
            marks = [notes.setdefault(text, _mark(len(notes))) for text in comparison.unequal.values()]
            figures = cells(comparison, corrected, deviation=False)
            rows.append(Row(comparison.experiment.first.title, figures, ",".join(marks)))
            keep(section, title, comparison, corrected)
    if not rows:
        return
    section.tables.append(
        Printed(
            name=f"significance-{name}",
            caption="Differences of strict micro F1 in points, p, and p after Holm's correction within the rows under "
            "one heading; n: pairs of runs of equal seed and split. Bold: below 0.05 after correction.",
            stub="Experiment",
            groups=GROUPS,
            heads=HEADS,
            spread=(False,) * len(HEADS),
            rows=tuple(rows),
            notes=tuple(Note(text, mark) for text, mark in notes.items()),
        )
    )


def _tables(evidence: Evidence) -> Iterator[Family]:
    yield MAIN.get(evidence.corpus.removesuffix("-sample"), "Main table"), [(name, REFERENCE) for name in HEADLINE]
    for title, experiments in TABLES:
        yield title, [(name, REFERENCE) for name in experiments]


def _others(evidence: Evidence) -> Iterator[Family]:
    shares = sorted(name for name in evidence.groups if name.startswith("multihead-at@"))
    yield "Figure 7", [(name, f"{REFERENCE}@{name.partition('@')[2]}") for name in shares]
    title, experiments = SEPARATE
    yield title, [(name, REFERENCE) for name in experiments]
    named = {REFERENCE, *HEADLINE, *experiments, *(name for _, members in TABLES for name in members)}
    # A model trained on a part of the data is no variant of the full one.
    others = [name for name in evidence.groups if name not in named and not on_a_share(name)]
    yield "Other experiments", [(name, REFERENCE) for name in others]


def _mark(place: int) -> str:
    return ascii_lowercase[place % 26] * (place // 26 + 1)


def _references(made: Sequence[Comparison]) -> str:
    titles = {comparison.reference.first.title for comparison in made}
    return titles.pop() if len(titles) == 1 else "CMAN on the same share"
