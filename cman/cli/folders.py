"""The verbs about folders: whether they still are what was written, a model to hand out, several models as one."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from cman.cli.options import TrustOption
from cman.cli.verb import verb
from cman.errors import CmanError

log = logging.getLogger("cman")


@verb
def verify(
    folders: Annotated[list[Path], typer.Argument(help="Folders; all below them that have a manifest, too.")],
    write: Annotated[
        bool, typer.Option("--write", help="Accept the files as they are: make the manifests anew.")
    ] = False,
) -> None:
    """Compare files with the manifests beside them (manifest.sha256), or make these anew.

    Example: cman verify results
    """
    from cman.hashes import MANIFEST
    from cman.manifest import verify_folder, write_manifest

    files = damaged = 0
    for folder in folders:
        if not folder.is_dir():
            raise CmanError(f"{folder}: found no folder, wanted one with a {MANIFEST}")
        found = sorted(path.parent for path in folder.rglob(MANIFEST))
        if write and not found:
            found = [folder]
        if not found:
            raise CmanError(f"{folder}: found no {MANIFEST} in it, wanted one; `cman verify --write` makes a model's")
        for each in found:
            try:
                files += write_manifest(each) if write else verify_folder(each)
            except CmanError as error:
                log.error("%s", error)
                damaged += 1
    if damaged:
        raise CmanError(f"{damaged} folders have files that are missing, damaged or changed, wanted none")
    typer.echo(f"{files} files {'are listed' if write else 'are what was written'}")


@verb
def release(
    model: Annotated[Path, typer.Option(help="Model folder with its card.")],
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    trust: TrustOption = False,
) -> None:
    """Copy a model folder with weights in half precision, to hand it out.

    Example: cman release --model results/runs/conll04/cman-best/main/seed1/model --to models/conll04
    """
    from cman.model.release import release

    typer.echo(f"{to}: {release(model, to, trust) / 1e6:.1f} MB")


@verb
def ensemble(
    models: Annotated[list[Path], typer.Argument(help="Model folders of one experiment, corpus and division.")],
    to: Annotated[Path, typer.Option(help="Model folder to write.")],
    trust: TrustOption = False,
) -> None:
    """Make one model of several seeds: their scores are averaged; a frozen encoder is read once.

    Example: cman ensemble runs/seed1/model runs/seed2/model runs/seed3/model --to ensemble
    """
    from cman.model.release import ensemble

    ensemble(models, to, trust)
    typer.echo(f"{to}: {len(models)} members")
