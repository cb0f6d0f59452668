"""`cman figures`: Figures 5 to 8 of one corpus, as pictures, CSV and JSON."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

from cman.errors import UsageError
from cman.files import atomic_text, write_json
from cman.report.figures.data import FigureData
from cman.report.figures.draw import draw
from cman.report.figures.parts import distance_figure, length_figure
from cman.report.figures.whole import sharing_figure, size_figure
from cman.report.predictions import read_predicted
from cman.report.results import Run, group_runs, read_run

log = logging.getLogger(__name__)

CORPUS = "conll04"  # the paper's figures are of this one, or else of the sample in its image
CSV_HEADER = ("experiment", "title", "task", "group", "items", "f1", "sd", "seeds")


def write_figures(folders: Sequence[Path], corpora: Path, output: Path, corpus: str | None = None) -> list[Path]:
    """Write the figures of the runs of one corpus and return the paths.

    Args:
        folders: run folders or records, at least one, of any corpora.
        corpora: the folder of prepared corpora, such as `results/corpora`.
        output: the folder of figures.
        corpus: which corpus; CoNLL04 or its sample by default, or else the first by name.

    Raises:
        UsageError: no run of that corpus.
        CmanError: a run is malformed, of another version of its corpus, or its predictions do not give its scores.
    """
    runs = [read_run(folder) for folder in folders]
    name = _chosen(runs, corpus)
    chosen = [run for run in runs if run.corpus == name]
    documents = {predicted.run.folder: predicted for predicted in read_predicted(chosen, corpora)}
    groups = group_runs(chosen)
    title, sample = chosen[0].corpus_title, chosen[0].sample
    paths = []
    for data in (
        distance_figure(groups, documents),
        length_figure(groups, documents),
        size_figure(groups),
        sharing_figure(groups),
    ):
        if not data.series:
            log.info("%s: no run of its experiments; it says so", data.name)
        paths += [*draw(data, title, sample, output / data.name), *_numbers(data, name, sample, output)]
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


def _numbers(data: FigureData, corpus: str, sample: bool, output: Path) -> list[Path]:
    table, behind = output / f"{data.name}.csv", output / f"{data.name}.json"
    with atomic_text(table) as stream:
        writer = csv.DictWriter(stream, CSV_HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(line for line, _ in data.rows())
    write_json(behind, data.to_json(corpus, sample))
    return [table, behind]
