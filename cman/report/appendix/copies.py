"""How often the second CRF repeats the label that it reads, on the test documents.

The second phase reads the labels of the first, gold ones in training. A rate near 100 % means that it copies them.
`label_copies.json` of a run counts it; older runs may lack the file, and a model without a second phase counts nothing.
"""

from cman.files import read_json
from cman.report.appendix.section import Section
from cman.report.evidence import Evidence
from cman.report.frame import tidy
from cman.report.results import Run
from cman.report.table import Cell, Column, measured
from cman.validation import Read, Whole, checked

NAME = "label_copies.json"
RATES = {"tokens": "copied", "entity_tokens": "copied_entity_tokens"}  # of what, and how many of them


class _Copies(Read):
    tokens: Whole
    copied: Whole
    entity_tokens: Whole
    copied_entity_tokens: Whole


def build(evidence: Evidence) -> Section:
    """Return the section.

    Raises:
        CmanError: a `label_copies.json` is malformed.
    """
    section = Section("copies", "How often the second CRF repeats the label it reads", evidence)
    section.absent = f"Nothing was counted: no run of a model with a second phase holds {NAME}."
    counts = {run.name: read_copies(run) for group in evidence.groups.values() for run in group.runs}
    # A file that counts no token is that of a model with one phase.
    shown = {}
    for name, group in evidence.groups.items():
        kept = [each for run in group.runs if (each := counts[run.name])]
        if not kept or any(each["tokens"] for each in kept):
            shown[name] = [run for run in group.runs if (counts[run.name] or {}).get("tokens")]
    rates = tidy(
        (run, [("", "", whole, "copy_rate", 100 * known[part] / known[whole])
               for whole, part in RATES.items() if (known := counts[run.name]) and known[whole]])
        for runs in shown.values()
        for run in runs
    )  # fmt: skip
    found = section.summarise(rates)
    if not section.figures:
        return section
    cells = {
        name: [*(measured(found.get((name, "", whole, "copy_rate"))) for whole in RATES), Cell(str(len(runs) or ""))]
        for name, runs in shown.items()
    }
    section.text = (
        "In training the second phase reads gold labels and predicts the same labels; in prediction it reads those of "
        "the first CRF. The rate is the share of test tokens for which the second CRF gives the label that it read, "
        "over all tokens and over those whose label read is not O.",
    )
    section.table(
        "copies",
        f"Label-copy rate in percent, mean and sample standard deviation over seeds; n: runs with {NAME}. Models "
        "without a second phase are not listed",
        [Column("all tokens"), Column("entity tokens"), Column("n")],
        section.rows(cells),
    )
    return section


def read_copies(run: Run) -> dict[str, int] | None:
    """Return the counts of a run's file, None where it has none."""
    path = run.folder / NAME
    if not path.is_file():
        return None
    return dict(checked(_Copies, read_json(path), str(path)))
