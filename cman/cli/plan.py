"""`cman plan`: the runs that a configuration asks for, with the digest of everything that each depends on."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cman.cli.options import ConfigOption, configuration_at
from cman.cli.verb import verb


@verb
def plan(
    config: ConfigOption,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
) -> None:
    """List the runs that a configuration asks for, each with its folder, its titles and what it depends on.

    Example: cman plan --config config/conll04.yaml
    """
    from cman.binary import kernels_digest
    from cman.files import write_json
    from cman.workflow.code import Code
    from cman.workflow.digests import Digests
    from cman.workflow.known import cache_folder
    from cman.workflow.listing import listing
    from cman.workflow.plan import Plan

    configuration = configuration_at(config)
    runs = listing(Digests(Plan(configuration), Code(kept=cache_folder()), kernels_digest(configuration.kernels)))
    if output is None:
        typer.echo(json.dumps(runs, indent=2, ensure_ascii=False))
    else:
        write_json(output, runs)
