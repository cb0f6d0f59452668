"""How often the second CRF repeats the label that it reads, on the test documents.

The second phase reads the labels of the first, gold ones in training. A rate near 100 % means that it copies them.
`label_copies.json` of a run counts it; older runs may lack the file, and a model without a second phase counts nothing.
"""

from dataclasses import dataclass

from cman.files import read_json
from cman.report.appendix.evidence import Evidence, on_a_share, over_seeds
from cman.report.appendix.layout import Cell, Printed, Row, Section, percent
from cman.report.results import Run, field

NAME = "label_copies.json"
RATES = (("tokens", "copied"), ("entity_tokens", "copied_entity_tokens"))  # of what, and how many of them


@dataclass(frozen=True)
class Copies:
    """The counts of a run's file; all 0 for a model without a second phase."""

    tokens: int
    copied: int
    entity_tokens: int
    copied_entity_tokens: int


def build(evidence: Evidence) -> Section:
    """Return the section.

    Raises:
        CmanError: a `label_copies.json` is malformed.
    """
    section = Section("copies", "How often the second CRF repeats the label it reads", evidence.corpus)
    section.absent = f"Nothing was counted: no run of a model with a second phase holds {NAME}."
    rows = []
    for name, group in evidence.groups.items():
        found = {(run.split, run.seed): (run, read_copies(run)) for run in group.runs}
        kept = {key: (run, copies) for key, (run, copies) in found.items() if copies is not None}
        counted = {key: (run, copies) for key, (run, copies) in kept.items() if copies.tokens}
        if kept and not counted:
            continue  # one phase
        runs = [run for run, _ in counted.values()]
        cells = []
        for whole, part in RATES:
            values = {
                key: 100 * getattr(copies, part) / getattr(copies, whole)
                for key, (_, copies) in counted.items()
                if getattr(copies, whole)
            }
            cells.append(Cell())
            if values:
                summary = over_seeds(values)
                section.spread(name, whole, "copy_rate", summary, runs, "")
                cells[-1] = Cell(percent(summary.mean), percent(summary.sd))
        if not on_a_share(name):
            rows.append(Row(group.first.title, (*cells, Cell(str(len(runs)) if runs else ""))))
    if not section.figures:
        return section
    section.text = (
        "In training the second phase reads gold labels and predicts the same labels; in prediction it reads those of "
        "the first CRF. The rate is the share of test tokens for which the second CRF gives the label that it read, "
        "over all tokens and over those whose label read is not O.",
    )
    section.tables.append(
        Printed(
            name="copies",
            caption=f"Label-copy rate in percent, mean and sample standard deviation over seeds; n: runs with {NAME}. "
            "Models without a second phase are not listed.",
            stub="Experiment",
            groups=(),
            heads=("all tokens", "entity tokens", "n"),
            spread=(True, True, False),
            rows=tuple(rows),
        )
    )
    return section


def read_copies(run: Run) -> Copies | None:
    """Return the counts of a run's file, None where it has none."""
    path = run.folder / NAME
    if not path.is_file():
        return None
    content = read_json(path)
    return Copies(**{name: field(content, name, int, str(path)) for name in Copies.__dataclass_fields__})
