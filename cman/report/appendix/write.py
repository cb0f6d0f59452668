"""Writes the appendix: LaTeX to read, a CSV of every figure, and JSON that names the runs behind each of them.

All corpora among the runs have all sections, and one that nothing ran for says so in a line; only the paper's claims
stand with those corpora alone that one is measured on. The bytes depend on the runs, the prepared corpora, the number
of rounds and the seed only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cman.errors import UsageError
from cman.files import write_csv, write_json, write_text
from cman.report.appendix import (
    claims,
    confusion,
    copies,
    encoder,
    errors,
    intervals,
    question,
    repeated,
    scores,
    significance,
    types,
    weights,
)
from cman.report.appendix.section import CSV, KEYS, Figure, Section
from cman.report.evidence import Evidence, Names, compare_all, on_a_share, read_evidence
from cman.report.frame import exact
from cman.report.ledger.rows import ledger
from cman.report.results import group_runs, read_run
from cman.report.runs import NO_FACTS, Facts
from cman.report.table import Part, render

SECTIONS = (question, encoder, significance, intervals, scores, types, repeated, copies, weights, confusion, errors)


def write_appendix(
    run_folders: Sequence[Path], corpora: Path, output: Path, rounds: int, seed: int, facts: Facts = NO_FACTS
) -> None:
    """Write `output` (LaTeX) and, beside it under the same name, `.csv` and `.json`; each atomically.

    Args:
        corpora: the folder of prepared corpora.
        rounds: of each test and of each bootstrap interval.
        seed: of both.
        facts: titles of runs by folder, in the place of those of their provenance.

    Raises:
        UsageError: no run is given, or `output` would overwrite its own CSV or JSON.
        CmanError: a run or a prepared corpus is missing or malformed, or they do not belong together.
    """
    if not run_folders:
        raise UsageError("runs: found none, wanted at least one run folder")
    if output.suffix in (".csv", ".json"):
        raise UsageError(f"--output: found {output.name!r}, wanted a LaTeX file; CSV and JSON are written beside it")
    evidence = read_evidence(
        group_runs(read_run(folder, facts.get(folder)) for folder in run_folders), corpora, rounds, seed
    )
    compare_all((found, pairs(found)) for found in evidence)
    rows = ledger(evidence, rounds)
    built = []
    for found in evidence:
        found.verdicts.update(claims.verdicts(found, rows))
        claimed = claims.build(found, rows)
        sections = [section.build(found) for section in SECTIONS]
        built.append((found, sections if claimed is None else [claimed, *sections]))
    figures = [figure for _, sections in built for section in sections for figure in section.figures]
    parts = [_part(found, sections) for found, sections in built]
    write_text(output, render(parts, "What the paper leaves out: significance, intervals, controls, errors."))
    write_csv(output.with_suffix(".csv"), CSV, (figure.line for figure in figures))
    write_json(output.with_suffix(".json"), _provenance(figures, rounds, seed))


def pairs(evidence: Evidence) -> list[Names]:
    """Return all comparisons of an appendix about one corpus."""
    return [names for section in (question, encoder, significance) for names in section.pairs(evidence)]


def _part(evidence: Evidence, sections: Sequence[Section]) -> Part:
    remarks = []
    if evidence.sample:
        remarks.append(
            f"{evidence.title} is a generated sample corpus: its figures show that everything runs, and say nothing "
            "about the corpus that it is an image of."
        )
    if any(on_a_share(name) for name in evidence.groups):
        remarks.append(
            "Of experiments on a share of the training data only the significance is printed; their other figures "
            "stand in the CSV."
        )
    remarks.append("Grey: a single seed. A dash: not run, or not defined.")
    for section in sections:
        if not section.figures:
            section.text = (section.absent,)
    sample = " (sample corpus)" * evidence.sample
    return Part(f"What the paper leaves out: {evidence.title}{sample}", sections, remarks)


def _provenance(figures: Sequence[Figure], rounds: int, seed: int) -> dict[str, Any]:
    runs = {run.name: run for figure in figures for run in figure.runs}
    return {
        "rounds": rounds,
        "seed": seed,
        "runs": {name: runs[name].reference() for name in sorted(runs)},
        "figures": [
            {
                **dict(zip(KEYS, figure.names, strict=True)),
                "value": figure.value if isinstance(figure.value, int | None) else float(exact(figure.value)),
                "runs": sorted({run.name for run in figure.runs}),
            }
            for figure in figures
        ],
    }
