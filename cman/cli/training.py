"""`cman train`, and how a run comes out of a configuration."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cman.cli.options import (
    ConfigOption,
    CorpusOption,
    DeviceOption,
    KernelsOption,
    ResultsOption,
    SplitOption,
    ThreadsOption,
    backend,
    configuration_at,
)
from cman.cli.verb import verb
from cman.errors import UsageError
from cman.gpu import own_gpu
from cman.layout import Layout

if TYPE_CHECKING:
    from cman.config.configuration import Configuration
    from cman.training.runs import Run


@verb
def train(
    config: ConfigOption,
    corpus: CorpusOption,
    experiment: Annotated[str, typer.Option(help="Experiment of the paper, or a name under `variants`.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; the configuration's first by default.")] = None,
    split: SplitOption = "main",
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    kernels: KernelsOption = None,
    digest: Annotated[
        str | None, typer.Option(help="Of everything upstream, hexadecimal; for the workflow, which knows it.")
    ] = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Train one model; killed and started again, it continues after the last finished epoch.

    Example: cman train --config config/conll04.yaml --corpus conll04 --experiment cman --seed 1
    """
    if digest is not None and not re.fullmatch("[0-9a-f]+", digest):
        raise UsageError(f"--digest: found {digest!r}, wanted hexadecimal digits")
    configuration = configuration_at(config)
    if seed is None and not configuration.seeds:
        raise UsageError("--seed: found none, wanted one, or `seeds` in the configuration")
    # A wrong name is told before torch is loaded.
    run = run_of(configuration, corpus, experiment, split, configuration.seeds[0] if seed is None else seed, digest)
    chosen = backend(kernels) or configuration.kernels
    from cman.training.train import train

    where = own_gpu(device or configuration.device)
    train(run, Layout(results), where, threads or configuration.threads, chosen)


def run_of(
    configuration: "Configuration", corpus: str, experiment: str, split: str, seed: int, digest: str | None = None
) -> "Run":
    """Return the training of one experiment on one division of a corpus with one seed.

    Raises:
        UsageError: unknown corpus or experiment, or a division that the corpus is not trained on.
    """
    from cman.fetch.models import EncoderSource
    from cman.report.titles import titles
    from cman.training.runs import Run
    from cman.workflow.code import Code
    from cman.workflow.known import cache_folder

    settings = configuration.settings_of(corpus, experiment)
    chosen = configuration.corpus(corpus)
    known = chosen.divisions
    if split not in known:
        raise UsageError(f"--split: found {split!r}, wanted one of the divisions of {corpus}: {', '.join(known)}")
    sources = Code(kept=cache_folder()).digest("cman.training.train")
    encoder = configuration.encoders[settings.contextual.encoder] if settings.contextual.enabled else None
    return Run(
        corpus=corpus,
        experiment=experiment,
        split=split,
        seed=seed,
        settings=settings,
        encoder=None if encoder is None else EncoderSource.of(encoder),
        language=chosen.language,
        facts=titles(configuration, corpus, experiment),
        digest=digest,
        code=digest or sources,
        sources=sources,
    )
