"""The paper's claims about a corpus with their evidence and verdicts: the ledger's rows (`cman.report.ledger`).

They are those of docs/results.md. What other sections say of a difference that is one of them ends in its verdict.
"""

from collections.abc import Iterable

from cman.report.appendix.section import DASH, Section
from cman.report.evidence import Evidence, Names
from cman.report.frame import fixed, probability, signed
from cman.report.ledger.page import thresholds
from cman.report.ledger.rows import Row as Claimed
from cman.report.table import Cell, Column, Row

COLUMNS = (
    Column("paper"),
    Column("here"),
    Column("Holm"),
    Column("detectable"),
    Column("by threshold", text=True),
    Column("average precision"),
    Column("verdict", text=True),
)


def build(evidence: Evidence, ledger: Iterable[Claimed]) -> Section | None:
    """Return the section of the ledger's rows that are about a corpus; None where no claim is measured on it."""
    rows = _about(evidence, ledger)
    if not rows:
        return None
    section = Section("claims", "The paper's claims", evidence)
    for row in rows:
        _add(section, row)
    section.text = (
        "Each claim is a difference of two models that is positive if it holds, of strict micro F1 at the threshold "
        "that was chosen on dev, or else at the model's own. In brackets: its 95 % interval over sentences and seeds. "
        "Detectable: the difference that this design would show with a power of 80 %. A verdict needs trainings in "
        "the regime of docs/study.md, two seeds, and the same sign and verdict at thresholds from 0.3 to 0.7, in "
        "average precision and in a second regime; p is corrected over the claims alone (Holm). What is exploratory "
        "or not robust is undecided.",
    )
    section.table("claims", "The claims with their evidence, in points of F1", COLUMNS, map(_row, rows), stub="Claim")
    return section


def verdicts(evidence: Evidence, ledger: Iterable[Claimed]) -> dict[Names, str]:
    """Return the verdict of each claim about a corpus's relations by its two models, with the reason if undecided."""
    return {
        (row.claim.first, row.claim.second): verdict(row)
        for row in _about(evidence, ledger)
        if row.claim.task == "relations" and not row.claim.contrast
    }


def verdict(row: Claimed) -> str:
    """Return what a row says in words."""
    return f"{row.verdict}: {row.reason}" if row.reason else row.verdict


def _about(evidence: Evidence, ledger: Iterable[Claimed]) -> list[Claimed]:
    return [row for row in ledger if row.runs and row.runs[0].corpus == evidence.corpus]


def _add(section: Section, row: Claimed) -> None:
    claim, found = row.claim, row.measured
    figures = {"difference": row.point, "average_precision": row.precision, "p_holm": row.p_holm}
    if found is not None:
        figures |= {"low": found.low, "high": found.high, "detectable": found.detectable}
    figures |= {f"at_{threshold:g}": each.effect for threshold, each in row.by_threshold.items()}
    item = f"{claim.number} {claim.contrast}".strip()
    for name, value in figures.items():
        section.add(claim.first, item, name, value, row.runs, claim.task, claim.second)


def _row(row: Claimed) -> Row:
    claim, found, runs = row.claim, row.measured, row.runs
    interval = "" if found is None else f"{fixed(found.low, 1)}, {fixed(found.high, 1)}"
    here = DASH if row.point is None else Cell(signed(row.point), interval=interval, runs=runs)
    return Row(
        f"{claim.number}: {claim.text}",
        (
            Cell(signed(claim.published), source=claim.where),
            here,
            Cell(probability(row.p_holm)),
            Cell(fixed(None if found is None else found.detectable)),
            Cell(thresholds(row) if row.by_threshold else ""),
            Cell(signed(row.precision)),
            Cell(verdict(row)),
        ),
        experiment=claim.first,
        grey=row.seeds == 1,
    )
