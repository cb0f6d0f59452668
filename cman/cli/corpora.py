"""The verbs that bring in what comes from elsewhere and make documents of it: `fetch`, `prepare`, `convert`."""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from cman.cli.options import ConfigOption, CorpusOption, ResultsOption, configuration_at
from cman.cli.verb import verb
from cman.errors import UsageError
from cman.layout import Layout

log = logging.getLogger("cman")


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
    configuration = configuration_at(config)
    if features is not None:
        from cman.fetch.inputs import fetch_inputs

        fetch_inputs(configuration, features, file, Layout(results), mirror or configuration.mirror)
        return
    assert corpus is not None
    from cman.corpora.raw import obtain, raw_files

    chosen = configuration.corpus(corpus)
    for name in [file] if file is not None else raw_files(chosen):
        obtain(chosen, name, Layout(results).raw(corpus) / name, mirror or configuration.mirror)


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
        _print_check(corpus, configuration_at(config).corpus(corpus), Layout(results))
        return
    from cman.corpora.prepare import prepare

    prepare(corpus, configuration_at(config).corpus(corpus), Layout(results))


@verb
def convert(
    source: Annotated[str, typer.Option("--from", help="Format of the input, such as jsonl, spert or brat.")],
    target: Annotated[str, typer.Option("--to", help="Format to write, such as jsonl, spert or conll04.")],
    input: Annotated[Path, typer.Option(help="File, or folder of brat.")],
    output: Annotated[Path, typer.Option(help="File, or new folder of brat.")],
    split: Annotated[str | None, typer.Option(help="Which list of a SpERT file that holds several.")] = None,
    language: Annotated[str, typer.Option(help="spaCy's code, for the sentences and tokens of brat.")] = "en",
    lossy: Annotated[bool, typer.Option("--lossy", help="Leave out what the format cannot hold, and count it.")] = (
        False
    ),
) -> None:
    """Convert annotated documents from one format into another.

    Example: cman convert --from spert --to jsonl --input train.json --output train.jsonl
    """
    from cman.corpora.convert import convert_file

    warnings = convert_file(source, target, input, output, split, language, lossy)
    for warning in warnings:
        log.warning("%s", warning)


@verb
def split(
    source: Annotated[str, typer.Option("--from", help="Format of the input, such as jsonl, doccano or brat.")],
    input: Annotated[Path, typer.Option(help="File, or folder of brat.")],
    output: Annotated[Path, typer.Option(help="Folder for train.jsonl, dev.jsonl and test.jsonl.")],
    dev: Annotated[float, typer.Option(min=0.01, max=0.9, help="Share of all sentences.")] = 0.15,
    test: Annotated[float, typer.Option(min=0.01, max=0.9, help="Share of all sentences.")] = 0.15,
    seed: Annotated[int, typer.Option(help="Of the choice; sentences of one text stay together.")] = 1,
    language: Annotated[str, typer.Option(help="spaCy's code, for formats of text.")] = "en",
) -> None:
    """Divide annotated documents into train, dev and test, always alike.

    Example: cman split --from doccano --input all.jsonl --output data
    """
    from cman.corpora.splits import split_file

    if dev + test >= 1:
        raise UsageError(f"--dev, --test: found {dev:g} and {test:g}, wanted less than 1 together")
    warnings: list[str] = []
    counts = split_file(source, input, output, dev, test, seed, language, warnings)
    for warning in warnings:
        log.warning("%s", warning)
    typer.echo(f"{output}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


def _print_check(name: str, corpus: Any, layout: Layout) -> None:
    """Print what is to be said of a corpus: a table on a terminal, plain lines elsewhere.

    Raises:
        CmanError: the corpus cannot be read or trained on.
    """
    from cman.corpora.check import check, verdict

    rows, notes, reason = check(name, corpus, layout)
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if console.is_terminal:
        shown = Table(title=name)
        for index, column in enumerate(rows[0]):
            shown.add_column(column, justify="right" if index else "left")
        for row in rows[1:]:
            shown.add_row(*row)
        console.print(shown, markup=False)
    else:
        for row in rows:
            typer.echo("\t".join(row))
    for note in notes:
        typer.echo(note)
    if reason is not None:
        raise reason
    typer.echo(verdict(name, notes))
