"""The verbs that count what predictions get right and make something of it: scores, tables, pages."""

import json as json_text
import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cman.cli.options import configuration_at
from cman.cli.verb import verb
from cman.errors import UsageError

if TYPE_CHECKING:
    from cman.config.configuration import Configuration
    from cman.report.runs import Shown

log = logging.getLogger("cman")


FoldersArgument = Annotated[list[Path] | None, typer.Argument(metavar="RUNS", help="Run folders or records.")]
RunsOption = Annotated[
    Path | None, typer.Option("--runs", help="Instead: what `cman plan` wrote; scores of other settings are refused.")
]


def _shown(folders: list[Path] | None, runs: Path | None, prepared: bool = True) -> "Shown":
    from cman.report.runs import Shown, read_listing

    if folders and runs is not None:
        raise UsageError("--runs: found run folders beside it, wanted one of the two")
    if runs is not None:
        return read_listing(runs, prepared)
    return Shown(folders or [], {})


def _some(shown: "Shown") -> "Shown":
    if not shown.folders:
        raise UsageError(
            "runs: found none, wanted at least one run folder; of records, the workflow takes those whose corpus is in "
            "the configuration: give its --configfile"
        )
    return shown


def _runs_of(configuration: "Configuration | None", corpus: str | None, experiment: str | None) -> list[Path]:
    from cman.workflow.plan import Plan

    if configuration is None or corpus is None or experiment is None:
        raise UsageError("runs: found none, wanted run folders, or --config, --corpus and --experiment")
    runs = Plan(configuration).by_experiment.get((corpus, experiment))
    if runs is None:
        raise UsageError(
            f"--corpus, --experiment: found {corpus} and {experiment}, wanted two of which --config has runs"
        )
    return [Path(run.folder) for run in runs]


@verb
def score(
    gold: Annotated[Path, typer.Option(help="Gold documents (JSONL).")],
    predictions: Annotated[Path, typer.Option(help="Predicted documents (JSONL), the same ones.")],
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
    provenance: Annotated[
        Path | None, typer.Option(help="Of the run: its digest, and the threshold that it chose on dev.")
    ] = None,
    ranking: Annotated[Path | None, typer.Option(help="What `cman predict --ranking` wrote beside them.")] = None,
    text: Annotated[Path | None, typer.Option(help="What `cman predict --text` wrote of the same documents.")] = None,
    overlap: Annotated[
        str | None,
        typer.Option(help="Score against what keep_longest, drop_sentences or drop_relations leaves of the gold."),
    ] = None,
    card: Annotated[Path | None, typer.Option(help="Then write the card of this run folder, as `cman card`.")] = None,
) -> None:
    """Count what is right under strict, boundaries and relaxed matching.

    Example: cman score --gold gold.jsonl --predictions out.jsonl
    """
    from cman.evaluation.scores import score_files, summary
    from cman.files import write_json
    from cman.manifest import list_file

    if overlap is not None and text is not None:
        raise UsageError("--overlap: found --text beside it, wanted one of the two")
    scores = score_files(gold, predictions, provenance, ranking, text, overlap)
    if output is None:
        typer.echo(json_text.dumps(scores, indent=2))
    else:
        write_json(output, scores)
        list_file(output)
    log.info("%s", summary(scores))
    if card is not None:
        # Not an import that the digest of scores follows: another card makes no other scores.
        import_module("cman.report.card").write_card(card)


@verb
def card(
    folders: FoldersArgument = None,
    config: Annotated[Path | None, typer.Option(help="Take titles, licence and language from it.")] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Instead of folders: all runs on it that --config asks for ...")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="... of this experiment.")] = None,
    output: Annotated[Path | None, typer.Option(help="List of the cards to write, when all are.")] = None,
) -> None:
    """Write the card of a trained model: what it is, what it knows and how well it did.

    Example: cman card results/runs/conll04/cman/main/seed1
    """
    from cman.report.card import write_cards

    configuration = None if config is None else configuration_at(config)
    if folders and (corpus or experiment):
        raise UsageError("--corpus, --experiment: found run folders beside them, wanted one of the two")
    if not folders:
        folders = _runs_of(configuration, corpus, experiment)
    write_cards(folders, configuration, output)


@verb
def tables(
    folders: FoldersArgument = None,
    runs: RunsOption = None,
    published: Annotated[Path, typer.Option(help="Published figures.")] = Path("config/published.yaml"),
    output: Annotated[Path, typer.Option(help="LaTeX file.")] = Path("results/tables.tex"),
    csv: Annotated[Path, typer.Option(help="The figures but for decoding times, as CSV.")] = Path("results/tables.csv"),
    json: Annotated[Path | None, typer.Option(help="The runs behind each cell; beside the LaTeX file.")] = None,
    decoding: Annotated[Path | None, typer.Option(help="Decoding times (CSV) for Table V.")] = None,
    corpora: Annotated[Path, typer.Option(help="Prepared corpora; where a run's is, its scores are checked.")] = Path(
        "results/corpora"
    ),
    absent: Annotated[list[str] | None, typer.Option(help="Corpus without runs: its table has dashes.")] = None,
) -> None:
    """Make the paper's tables from scored runs, published figures beside measured ones.

    Example: cman tables results/record/conll04/*/main/seed*
    """
    shown = _shown(folders, runs, prepared=False)
    without = [*shown.absent, *(absent or [])]
    if not shown.folders and not without:
        raise UsageError("runs: found none, wanted at least one run folder, or --absent")
    from cman.report.tables import write_tables

    write_tables(shown.folders, published, output, csv, without, json, decoding, corpora, facts=shown.facts)


@verb
def appendix(
    folders: FoldersArgument = None,
    runs: RunsOption = None,
    corpora: Annotated[Path, typer.Option(help="Folder of prepared corpora.")] = Path("results/corpora"),
    output: Annotated[Path, typer.Option(help="LaTeX file; CSV and JSON are written beside it.")] = Path(
        "results/appendix.tex"
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each test and each interval.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of tests and intervals.")] = 1,
) -> None:
    """Make what the paper leaves out: significance, intervals, controls, where errors come from.

    Example: cman appendix results/record/conll04/*/main/seed*
    """
    from cman.report.appendix.write import write_appendix

    shown = _some(_shown(folders, runs))
    write_appendix(shown.folders, corpora, output, rounds, seed, shown.facts)


@verb
def figures(
    folders: FoldersArgument = None,
    runs: RunsOption = None,
    corpora: Annotated[Path, typer.Option(help="Folder of prepared corpora.")] = Path("results/corpora"),
    corpus: Annotated[str | None, typer.Option(help="Corpus; CoNLL04 or its sample by default.")] = None,
    output: Annotated[Path, typer.Option(help="Folder of figures.")] = Path("results/figures"),
    published: Annotated[Path | None, typer.Option(help="Published figures, drawn beside those of CoNLL04.")] = None,
) -> None:
    """Draw Figures 5 to 8 from scored runs, with the numbers and the runs behind them.

    Example: cman figures results/record/conll04/*/main/seed*
    """
    from cman.report.figures.write import write_figures

    shown = _some(_shown(folders, runs))
    write_figures(shown.folders, corpora, output, corpus, published, shown.facts)


@verb
def browser(
    folders: FoldersArgument = None,
    runs: RunsOption = None,
    corpora: Annotated[Path, typer.Option(help="Folder of prepared corpora.")] = Path("results/corpora"),
    output: Annotated[Path, typer.Option(help="The page.")] = Path("results/browser.html"),
) -> None:
    """Make one page that shows gold and predicted annotations of every test sentence, with filters.

    Example: cman browser results/record/conll04/*/main/seed*
    """
    from cman.report.browser.write import write_browser

    shown = _some(_shown(folders, runs))
    write_browser(shown.folders, corpora, output, shown.facts)


@verb
def results(
    folders: Annotated[list[Path], typer.Argument(metavar="RUNS", help="Records.")],
    published: Annotated[Path, typer.Option(help="Published figures.")] = Path("config/published.yaml"),
    corpora: Annotated[Path, typer.Option(help="Prepared corpora; where a run's is, differences are tested.")] = Path(
        "results/corpora"
    ),
    interventions: Annotated[Path | None, typer.Option(help="What `cman probe` wrote of some of the models.")] = None,
    output: Annotated[Path, typer.Option(help="The page, Markdown.")] = Path("docs/results.md"),
) -> None:
    """Write the page of results from records.

    Example: cman results results/record/*/*/*/seed* --interventions results/record/probe.csv --output docs/results.md
    """
    from cman.report.results_page import write_results

    write_results(folders, published, corpora, output, interventions)


@verb
def summary(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
    published: Annotated[Path, typer.Option(help="Published figures.")] = Path("config/published.yaml"),
) -> None:
    """Say what was made and where to look, and print Table I of real CoNLL04 from the records.

    Example: cman summary
    """
    from cman.report.summary import summary

    typer.echo(summary(results, published))


@verb
def explain(
    run: Annotated[Path, typer.Argument(help="Run folder or record with scores.")],
    corpora: Annotated[Path, typer.Option(help="Folder of prepared corpora.")] = Path("results/corpora"),
) -> None:
    """Say which types a run does not find, where its errors come from, and what to try next.

    Example: cman explain results/runs/mine/cman-best/main/seed1
    """
    from cman.report.explain import explain

    typer.echo(explain(run, corpora))
