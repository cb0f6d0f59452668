"""`cman figures`: Figures 5 to 8 of one corpus, as pictures, CSV and JSON."""

import logging
from collections.abc import Sequence
from pathlib import Path

from cman.errors import CmanError, UsageError
from cman.files import write_csv, write_json
from cman.report.evidence import read_evidence
from cman.report.figures.draw import draw
from cman.report.figures.parts import FIGURES
from cman.report.published import read_published
from cman.report.results import Run, group_runs, read_run
from cman.report.runs import NO_FACTS, Facts

log = logging.getLogger(__name__)

CORPUS = "conll04"  # the paper's figures are of this one, or else of the sample in its image
CSV = ("experiment", "title", "task", "group", "items", "f1", "sd", "seeds")


def write_figures(
    folders: Sequence[Path],
    corpora: Path,
    output: Path,
    corpus: str | None = None,
    published: Path | None = None,
    facts: Facts = NO_FACTS,
) -> list[Path]:
    """Write the figures of the runs of one corpus and return the paths.

    Args:
        folders: run folders or records, at least one, of any corpora.
        corpora: the folder of prepared corpora, such as `results/corpora`.
        output: the folder of figures.
        corpus: which corpus; CoNLL04 or its sample by default, or else the first by name.
        published: the file of published figures; what the paper's text gives of CoNLL04 is drawn beside it.
        facts: titles of runs by folder, in the place of those of their provenance.

    Raises:
        UsageError: no run of that corpus.
        CmanError: a run is malformed, of another version of its corpus, or its predictions do not give its scores.
    """
    runs = [read_run(folder, facts.get(folder)) for folder in folders]
    name = _chosen(runs, corpus)
    (evidence,) = read_evidence(group_runs(run for run in runs if run.corpus == name), corpora, 0, 0)
    given = read_published(published).figures if published is not None and name == CORPUS else ()
    paths = []
    for figure, build in FIGURES.items():
        data = build(evidence, tuple(point for point in given if point.figure == figure))
        for point in data.published:
            if point.group not in data.groups:
                wanted = f"wanted one of {', '.join(data.groups)}"
                raise CmanError(f"{published}: figures: field group: found {point.group!r} of {figure}, {wanted}")
        if not data.series:
            log.info("%s: no run of its experiments; it says so", data.name)
        paths += draw(data, evidence.title, evidence.sample, output / data.name)
        paths += [output / f"{data.name}.csv", output / f"{data.name}.json"]
        lines = (
            {key: "" if value is None else str(value) for key, value in line.items()}  # all the digits that they have
            for line, _ in data.rows()
        )
        write_csv(paths[-2], CSV, lines)
        write_json(paths[-1], data.to_json(name, evidence.sample))
    log.info("figures of %s: %s", name, output)
    return paths


def _chosen(runs: Sequence[Run], corpus: str | None) -> str:
    found = sorted({run.corpus for run in runs})
    if corpus is not None:
        if corpus not in found:
            raise UsageError(f"--corpus: found {corpus!r}, wanted a corpus of the runs: {', '.join(found) or 'none'}")
        return corpus
    preferred = [name for name in (CORPUS, f"{CORPUS}-sample") if name in found]
    return [*preferred, *found][0]
