"""Writes the appendix: LaTeX to read, a CSV of every figure, and JSON that names the runs behind each of them.

All corpora among the runs have all sections; one that nothing ran for says so in a line. The bytes depend on the runs,
the prepared corpora, the number of rounds and the seed only.
"""

from collections.abc import Callable, Sequence
from csv import writer
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cman.errors import UsageError
from cman.files import atomic_text, write_json, write_text
from cman.report.appendix import (
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
from cman.report.appendix.evidence import Evidence, on_a_share, read_evidence
from cman.report.appendix.layout import Figure, Section
from cman.report.latex import render
from cman.report.results import Run, read_run, reference

TEMPLATE = "appendix.tex.j2"
CSV_HEADER = ("section", "corpus", "experiment", "reference", "task", "item", "figure", "value", "runs")
SECTIONS: tuple[Callable[[Evidence], Section], ...] = (
    question.build,
    encoder.build,
    significance.build,
    intervals.build,
    scores.build,
    types.build,
    repeated.build,
    copies.build,
    weights.build,
    confusion.build,
    errors.build,
)


@dataclass(frozen=True)
class Part:
    """All sections about one corpus."""

    corpus: str
    title: str
    sample: bool
    remarks: tuple[str, ...]
    sections: tuple[Section, ...]


def write_appendix(run_folders: Sequence[Path], corpora: Path, output: Path, rounds: int, seed: int) -> None:
    """Write `output` (LaTeX) and, beside it under the same name, `.csv` and `.json`; each atomically.

    Args:
        corpora: the folder of prepared corpora.
        rounds: of each test and of each bootstrap interval.
        seed: of both.

    Raises:
        UsageError: no run is given, or `output` would overwrite its own CSV or JSON.
        CmanError: a run or a prepared corpus is missing or malformed, or they do not belong together.
    """
    if not run_folders:
        raise UsageError("runs: found none, wanted at least one run folder")
    if output.suffix in (".csv", ".json"):
        raise UsageError(f"--output: found {output.name!r}, wanted a LaTeX file; CSV and JSON are written beside it")
    evidence = read_evidence((read_run(folder) for folder in run_folders), corpora, rounds, seed)
    parts = [_part(found) for found in evidence]
    figures = [figure for part in parts for section in part.sections for figure in section.figures]
    write_text(output, render(parts, TEMPLATE))
    with atomic_text(output.with_suffix(".csv")) as stream:
        lines = writer(stream, lineterminator="\n")
        lines.writerow(CSV_HEADER)
        lines.writerows(_line(figure) for figure in figures)
    write_json(output.with_suffix(".json"), _provenance(figures, rounds, seed))


def _part(evidence: Evidence) -> Part:
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
    sections = tuple(build(evidence) for build in SECTIONS)
    return Part(evidence.corpus, evidence.title, evidence.sample, tuple(remarks), sections)


def _line(figure: Figure) -> tuple[str, ...]:
    names = (figure.section, figure.corpus, figure.experiment, figure.reference, figure.task, figure.item, figure.name)
    return (*names, written(figure.value), str(len(figure.runs)))


def written(value: float | int | None) -> str:
    """Return a value as the CSV has it: whole numbers as they are, others with six decimals, nothing for none."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value + 0.0:.6f}".replace("-0.000000", "0.000000")


def _provenance(figures: Sequence[Figure], rounds: int, seed: int) -> dict[str, Any]:
    runs = {run_name(run): run for figure in figures for run in figure.runs}
    return {
        "rounds": rounds,
        "seed": seed,
        "runs": {name: reference(runs[name]) for name in sorted(runs)},
        "figures": [
            {
                **dict(zip(CSV_HEADER, _line(figure)[:-2], strict=False)),
                "value": figure.value if isinstance(figure.value, int | None) else float(written(figure.value)),
                "runs": sorted({run_name(run) for run in figure.runs}),
            }
            for figure in figures
        ],
    }


def run_name(run: Run) -> str:
    """Return what the JSON calls a run."""
    return f"{run.corpus}/{run.experiment}/{run.split}/seed{run.seed}"
