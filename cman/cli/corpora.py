"""Verbs about corpora of one's own: `cman convert`, and what `cman prepare --check` prints."""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from cman.cli.verb import verb
from cman.layout import Layout

log = logging.getLogger("cman")


@verb
def convert(
    source: Annotated[str, typer.Option("--from", help="jsonl, spert, conll04, brat or drec.")],
    target: Annotated[str, typer.Option("--to", help="jsonl, spert, conll04 or brat.")],
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


def print_check(name: str, corpus: Any, layout: Layout) -> None:
    """Print what is to be said of a corpus: a table on a terminal, plain lines elsewhere.

    Raises:
        CmanError: the corpus cannot be read or trained on.
    """
    from cman.corpora.check import check

    rows, notes, reason = check(name, corpus, layout)
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if console.is_terminal:
        shown = Table(title=name)
        for place, column in enumerate(rows[0]):
            shown.add_column(column, justify="right" if place else "left")
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
    typer.echo(f"{name}: can be trained")
