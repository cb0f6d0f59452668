"""The verbs around the evidence: keeping runs as records, repeating them, convergence and interventions."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from cman.cli.options import ResultsOption, configuration_at
from cman.cli.verb import verb
from cman.errors import CmanError, UsageError
from cman.layout import Layout

log = logging.getLogger("cman")


@verb
def convergence(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUNS", help="Runs of config/convergence.yaml, of one seed.")
    ],
    output: Annotated[Path | None, typer.Option(help="All figures, CSV.")] = None,
) -> None:
    """Say which of these trainings have converged, and which regime the rule of docs/study.md chooses.

    Example: cman convergence results/runs/conll04/*/main/seed1
    """
    from cman.report.convergence import report

    for line in report(folders, output):
        typer.echo(line)


@verb
def probe(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUNS", help="Run folders with a model that reads labels; means are over them."),
    ],
    output: Annotated[Path | None, typer.Option(help="All figures and the curves by threshold, CSV.")] = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Put other labels in the place of the first phase's, with and without the gate, and see what comes of it.

    Example: cman probe results/runs/conll04/cman/main/seed1 --output probe.csv
    """
    from cman.probe import probe, table

    for line in table(probe(runs, Layout(results), output)):
        typer.echo(line)


@verb
def record(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    to: Annotated[Path, typer.Option(help="Folder of records.")] = Path("results/record"),
    corpora: Annotated[Path, typer.Option(help="Prepared corpora; where a run's is, its scores are checked.")] = Path(
        "results/corpora"
    ),
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Instead: train what these records are of again, and compare.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="With --repeat: has their corpus; by default that of config/ which does.")
    ] = None,
    work: Annotated[Path, typer.Option(help="With --repeat: folder that everything is written below.")] = Path(
        "results/repeat"
    ),
    tolerance: Annotated[
        float,
        typer.Option(min=0.0, help="With --repeat: points by which relation F1 may differ, entity F1 by half."),
    ] = 3.0,
) -> None:
    """Keep the scores, predictions, history and provenance of runs, without their models.

    Example: cman record results/runs/conll04/cman/main/seed1
    """
    if repeat:
        _repeat(runs, config, work, tolerance)
        return
    from cman.report.record import record

    for run in runs:
        log.info("%s", record(run, to, corpora))


def _repeat(folders: list[Path], config: Path | None, work: Path, tolerance: float) -> None:
    from cman.repeat import repeat
    from cman.report.results import read_run
    from cman.workflow.code import Code
    from cman.workflow.known import cache_folder

    outside = []
    for folder in folders:
        chosen = config or with_corpus(read_run(folder).corpus)
        allowed = {"entities": tolerance / 2, "relations": tolerance}
        sources = Code(kept=cache_folder()).digest("cman.training.train")
        done = repeat(folder, configuration_at(chosen), Layout(work), sources, tolerance=allowed)
        for line in done.lines():
            typer.echo(line)
        outside += [] if done.within else [str(folder)]
    if outside:
        raise CmanError(f"{', '.join(outside)}: not within the tolerance")


def with_corpus(name: str) -> Path:
    """Return the configuration of the checkout's `config/` that has a corpus of this name, first the one called so.

    Raises:
        UsageError: none has.
    """
    for path in sorted(Path("config").glob("*.yaml"), key=lambda path: (path.stem != name, path)):
        if path.stem != "published" and name in configuration_at(path).corpora:
            return path
    raise UsageError(f"--config: found no configuration with the corpus {name!r} below config/, wanted one")
