"""The command line: one verb a stage, in the order of the pipeline.

Each verb reads files and writes files and can be run again alone; paths follow `cman.layout` below `--results`. What
a verb needs is imported inside of it, so that `--help` and wrong arguments answer at once. Exit status 0 done,
1 failed, 2 wrong use.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cman import __version__
from cman.cli.corpora import convert, print_check
from cman.cli.extract import extract
from cman.cli.report import appendix, browser, figures, record, tables
from cman.cli.serve import serve
from cman.cli.speed import speed
from cman.cli.verb import verb
from cman.errors import UsageError
from cman.layout import Layout

app = typer.Typer(
    name="cman",
    help="Joint entity and relation extraction with a two-phase cross-modal attention network.",
    epilog="Each verb's --help has an example. All of them in order: snakemake --cores all",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
log = logging.getLogger("cman")

ConfigOption = Annotated[Path, typer.Option("--config", help="Configuration file (YAML or JSON); - is standard input.")]
CorpusOption = Annotated[str, typer.Option(help="Corpus, a name under `corpora` of the configuration.")]
ExperimentOption = Annotated[str, typer.Option(help="Experiment of the paper, or a name under `variants`.")]
SplitOption = Annotated[str, typer.Option(help="Division of the corpus into train, dev and test.")]
ResultsOption = Annotated[Path, typer.Option(help="Folder that everything is written below.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Cores to use; the configuration's by default.")]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu or cuda; the configuration's by default.")]
KernelsOption = Annotated[str | None, typer.Option(help="auto or reference; the configuration's by default.")]


def _configuration(path: Path) -> Any:
    from cman.config.configuration import load_configuration, read_configuration

    if str(path) != "-":
        return read_configuration(path)
    try:
        return load_configuration(sys.stdin.read(), "standard input")
    except UnicodeDecodeError:
        raise UsageError("standard input: found bytes that are not UTF-8, wanted a configuration") from None


def _kernels(given: str | None) -> Any:
    if given not in (None, "auto", "reference"):
        raise UsageError(f"--kernels: found {given!r}, wanted auto or reference")
    return given


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = (
        False
    ),
) -> None:
    pass


@app.command()
@verb
def config(
    config: ConfigOption,
    corpus: CorpusOption,
    experiment: Annotated[str | None, typer.Option(help="Experiment; without it, the corpus's part alone.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
    features: Annotated[str | None, typer.Option(help="A name under `encoders` or `vectors`, to keep of them.")] = None,
    settings: Annotated[bool, typer.Option("--settings", help="Print the resolved settings of the run.")] = False,
) -> None:
    """Print the part of a configuration that one run depends on.

    Example: cman config --config config/conll04.yaml --corpus conll04 --experiment cman --settings
    """
    from cman.files import write_json

    configuration = _configuration(config)
    if settings and experiment is None:
        raise UsageError("--settings: found no --experiment, wanted one")
    if settings:
        part = configuration.settings_of(corpus, experiment).model_dump(mode="json")
    else:
        part = configuration.narrowed(corpus, experiment, features)
    if output is None:
        typer.echo(json.dumps(part, indent=2, ensure_ascii=False))
    else:
        write_json(output, part)


@app.command()
@verb
def fetch(
    config: ConfigOption,
    corpus: Annotated[str | None, typer.Option(help="Corpus, a name under `corpora` of the configuration.")] = None,
    features: Annotated[str | None, typer.Option(help="Instead: a name under `encoders` or `vectors`.")] = None,
    file: Annotated[str | None, typer.Option(help="One file of the corpus or the features; all by default.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="Folder of copies; else `mirror:`, else CMAN_MIRROR.")] = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Get raw files: from a path, a mirror or their public address; a sample corpus is generated.

    Example: cman fetch --config config/conll04.yaml --corpus conll04
    """
    if (corpus is None) == (features is None):
        raise UsageError("--corpus, --features: wanted exactly one of the two")
    configuration = _configuration(config)
    if features is not None:
        from cman.fetch.inputs import fetch_inputs

        fetch_inputs(configuration, features, file, Layout(results), mirror or configuration.mirror)
        return
    assert corpus is not None
    from cman.corpora.raw import obtain, raw_files

    chosen = configuration.corpus(corpus)
    for name in [file] if file is not None else raw_files(chosen):
        obtain(chosen, name, Layout(results).raw(corpus) / name, mirror or configuration.mirror)


@app.command()
@verb
def prepare(
    config: ConfigOption,
    corpus: CorpusOption,
    check: Annotated[bool, typer.Option("--check", help="Only read and report; write nothing.")] = False,
    results: ResultsOption = Path("results"),
) -> None:
    """Turn raw files into documents and statistics, checking every line.

    Example: cman prepare --config config/conll04.yaml --corpus conll04
    """
    if check:
        print_check(corpus, _configuration(config).corpus(corpus), Layout(results))
        return
    from cman.corpora.prepare import prepare

    prepare(corpus, _configuration(config).corpus(corpus), Layout(results))


app.command()(convert)


@app.command()
@verb
def embed(
    config: ConfigOption,
    corpus: CorpusOption,
    name: Annotated[str, typer.Option(help="A name under `encoders` or `vectors`.")] = "minilm",
    split: SplitOption = "main",
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Compute what training reads of a corpus once: contextual features, or the word vectors that it needs.

    Example: cman embed --config config/conll04.yaml --corpus conll04 --name minilm
    """
    from cman.features.embed import embed

    configuration = _configuration(config)
    embed(configuration, corpus, name, split, Layout(results), device or configuration.device, threads)


@app.command()
@verb
def train(
    config: Annotated[list[Path], typer.Option("--config", help="Configuration file; repeatable, for more rows.")],
    corpus: CorpusOption,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Experiment; repeatable; all that the configuration runs by default.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Seed; repeatable; the configuration's by default.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Division into train, dev and test; repeatable; those run by default.")
    ] = None,
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    kernels: KernelsOption = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Train one model or several in turn; killed and started again, it continues after the last finished epoch.

    Example: cman train --config config/conll04.yaml --corpus conll04 --experiment cman --seed 1
    """
    from cman.training.cells import cells_of

    configurations = [_configuration(path) for path in config]
    cells = cells_of(configurations, corpus, experiment, split, seed)  # a wrong name is told before torch is loaded
    from cman.training.train import train_several

    train_several(
        cells,
        corpus,
        Layout(results),
        device or configurations[0].device,
        threads or configurations[0].threads,
        _kernels(kernels) or configurations[0].kernels,
    )


@app.command()
@verb
def predict(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    input: Annotated[Path, typer.Option(help="Documents (JSONL); their own annotations are ignored.")],
    output: Annotated[Path, typer.Option(help="Where the predicted documents go (JSONL).")],
    features: Annotated[Path | None, typer.Option(help="Cached features of the input; else computed now.")] = None,
    copies: Annotated[Path | None, typer.Option(help="Also count how often the second phase repeats the first.")] = (
        None
    ),
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    kernels: KernelsOption = None,
) -> None:
    """Predict entities and relations of tokenised documents.

    Example: cman predict --model results/runs/conll04/cman/main/seed1/model --input test.jsonl --output out.jsonl
    """
    from cman.model.predict import predict_file

    predict_file(model, input, output, features, device or "auto", threads, _kernels(kernels) or "auto", copies)


@app.command()
@verb
def score(
    gold: Annotated[Path, typer.Option(help="Gold documents (JSONL).")],
    predictions: Annotated[Path, typer.Option(help="Predicted documents (JSONL), the same ones.")],
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
    card: Annotated[Path | None, typer.Option(help="Run folder whose model gets a card with these scores.")] = None,
) -> None:
    """Count what is right under strict, boundaries and relaxed matching.

    Example: cman score --gold gold.jsonl --predictions out.jsonl
    """
    from cman.evaluation.scores import score_files, summary
    from cman.files import write_json

    scores = score_files(gold, predictions)
    if output is None:
        typer.echo(json.dumps(scores, indent=2))
    else:
        write_json(output, scores)
    if card is not None:
        from cman.report.card import write_card

        write_card(card, scores)
    log.info("%s", summary(scores))


for report in (tables, appendix, figures, browser):
    app.command()(report)


@app.command()
@verb
def kernels(
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
) -> None:
    """Print what runs the operations: backend and instruction set, sources, torch, devices.

    Example: cman kernels --output kernels.txt
    """
    from cman.files import write_text
    from cman.kernels.report import lines

    if output is None:
        typer.echo("\n".join(lines()))
    else:
        write_text(output, "\n".join(lines()) + "\n")


app.add_typer(speed, name="speed")


for other in (record, extract, serve):
    app.command()(other)


def main() -> None:
    """Run the command line."""
    app()
