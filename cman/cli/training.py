"""`cman train`: one model or several."""

from pathlib import Path
from typing import Annotated

import typer

from cman.cli.options import (
    CorpusOption,
    DeviceOption,
    KernelsOption,
    ResultsOption,
    ThreadsOption,
    backend,
    configuration_at,
)
from cman.cli.verb import verb
from cman.layout import Layout


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

    configurations = [configuration_at(path) for path in config]
    cells = cells_of(configurations, corpus, experiment, split, seed)  # a wrong name is told before torch is loaded
    from cman.training.train import train_several

    train_several(
        cells,
        corpus,
        Layout(results),
        device or configurations[0].device,
        threads or configurations[0].threads,
        backend(kernels) or configurations[0].kernels,
    )
