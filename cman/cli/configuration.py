"""`cman config`: the part of a configuration that one run depends on, or the resolved settings of a run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cman.cli.options import ConfigOption, configuration_at
from cman.cli.verb import verb
from cman.errors import UsageError


@verb
def config(
    config: ConfigOption,
    corpus: Annotated[str | None, typer.Option(help="Corpus; without it, the whole configuration.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Experiment; without it, the corpus's part alone.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
    features: Annotated[str | None, typer.Option(help="A name under `encoders` or `vectors`, to keep of them.")] = None,
    settings: Annotated[bool, typer.Option("--settings", help="Print the resolved settings of the run.")] = False,
) -> None:
    """Print a configuration with all of its defaults, or the part of it that one run depends on.

    Example: cman config --config config/conll04.yaml --corpus conll04 --experiment cman --settings
    """
    from cman.files import write_json

    configuration = configuration_at(config)
    if settings:
        if corpus is None or experiment is None:
            raise UsageError("--settings: found no --experiment, wanted one, and --corpus")
        part = configuration.settings_of(corpus, experiment).model_dump(mode="json")
    elif corpus is None:
        part = configuration.model_dump(mode="json")
    else:
        part = configuration.narrowed(corpus, experiment, features)
    if output is None:
        typer.echo(json.dumps(part, indent=2, ensure_ascii=False))
    else:
        write_json(output, part)
