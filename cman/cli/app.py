"""The command line: one verb a stage, in the order of the pipeline.

Each verb reads files and writes files and can be run again alone; paths follow `cman.layout` below `--results`. What
a verb needs is imported inside of it, so that `--help` and wrong arguments answer at once. Exit status 0 done,
1 failed, 2 wrong use.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cman import __version__
from cman.cli.configuration import config
from cman.cli.corpora import convert, fetch, prepare, split
from cman.cli.extract import collect, extract
from cman.cli.fit import fit
from cman.cli.folders import ensemble, release, verify
from cman.cli.plan import plan
from cman.cli.prediction import embed, predict
from cman.cli.records import convergence, probe, record
from cman.cli.report import appendix, browser, card, explain, figures, results, score, summary, tables
from cman.cli.serve import serve
from cman.cli.speed import kernels, speed
from cman.cli.training import train
from cman.streams import OUTPUT, drop_output, prepare_streams

VERBS = (
    *(config, plan, fetch, prepare, convert, split, embed, train, predict, score, card),
    *(tables, appendix, figures, browser, kernels),
)
MORE_VERBS = (
    record,
    verify,
    release,
    ensemble,
    results,
    summary,
    explain,
    convergence,
    probe,
    fit,
    extract,
    collect,
    serve,
)


class InOrder(TyperGroup):
    """The verbs in the order of the pipeline: typer would list `speed`, which has verbs of its own, last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names as `--help` lists them."""
        return [*(verb.__name__ for verb in VERBS), "speed", *(verb.__name__ for verb in MORE_VERBS)]


app = typer.Typer(
    name="cman",
    cls=InOrder,
    help="Joint entity and relation extraction with a two-phase cross-modal attention network.",
    epilog="Each verb's --help has an example. A model of your own files: cman fit. All tables: snakemake --cores all",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(given: bool) -> None:
    if given:
        typer.echo(f"cman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = (
        False
    ),
) -> None:
    pass


for verb in (*VERBS, *MORE_VERBS):
    app.command()(verb)
app.add_typer(speed, name="speed")


def main() -> None:
    """Run the command line."""
    prepare_streams()
    try:
        app()
    except OSError as error:  # of a page of help, which no verb prints
        drop_output()
        message = f"error: {error.filename or OUTPUT}: {error.strerror or error}"
        print(message, file=sys.stderr)
        sys.exit(1)
