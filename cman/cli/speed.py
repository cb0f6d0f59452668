"""`cman kernels` and `cman speed`: what runs the operations, and how fast they, decoding and extraction are."""

from pathlib import Path
from typing import Annotated

import typer

from cman.cli.options import (
    ConfigOption,
    CorpusOption,
    PrecisionOption,
    ResultsOption,
    SplitOption,
    arithmetic,
    configuration_at,
)
from cman.cli.training import run_of
from cman.cli.verb import verb
from cman.layout import Layout


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


speed = typer.Typer(help="Measure speed.\n\nExample: cman speed kernels --threads 1", no_args_is_help=True)


@speed.command("kernels")
@verb
def speed_kernels(
    crf: Annotated[list[str] | None, typer.Option(metavar="B,L,K", help="Shape of a CRF; repeatable.")] = None,
    pairs: Annotated[
        list[str] | None, typer.Option(metavar="B,N,D,R", help="Shape of the pair scores; repeatable.")
    ] = None,
    lstm: Annotated[list[str] | None, typer.Option(metavar="B,L,D,H", help="Shape of an LSTM; repeatable.")] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="Cores to use; repeatable; 1 and 2 by default.")] = (
        None
    ),
    seconds: Annotated[float, typer.Option(min=0.0, help="Time for each contender of an operation.")] = 1.0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    compile: Annotated[bool, typer.Option(help="Also compile the definition by torch.compile.")] = True,
    compile_limit: Annotated[float, typer.Option(min=0.0, help="Seconds that one compilation may take.")] = 60.0,
    memory: Annotated[bool, typer.Option(help="Also measure peak memory, each in a process of its own.")] = True,
    full_lengths: Annotated[bool, typer.Option("--full-lengths", help="No padding in the CRF's sentences.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the inputs.")] = 0,
    output: Annotated[Path, typer.Option(help="CSV; the figure is written beside it.")] = Path(
        "results/speed/kernels.csv"
    ),
) -> None:
    """Time each operation against its peers, after all of them agreed on the result.

    Example: cman speed kernels --crf 32,40,9 --pairs 16,40,128,6 --threads 1
    """
    from cman.speed.shapes import chosen_shapes

    shapes = chosen_shapes(crf or [], pairs or [], lstm or [])  # a wrong shape is told before torch is loaded
    from cman.speed.kernels import Options, speed_of_kernels

    limit = compile_limit if compile else 0.0
    options = Options(tuple(threads or (1, 2)), seconds, device, limit, memory, full_lengths, seed)
    speed_of_kernels(shapes, options, output)


@speed.command("decoding")
@verb
def speed_decoding(
    runs: Annotated[list[Path], typer.Argument(help="Run folders with a model, of one corpus or several.")],
    corpora: Annotated[Path, typer.Option(help="Folder of prepared corpora.")] = Path("results/corpora"),
    features: Annotated[Path, typer.Option(help="Folder of cached features.")] = Path("results/features"),
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences of a batch, for all models.")] = 16,
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time for each model, features and backend.")] = 1.0,
    rounds: Annotated[int, typer.Option(min=1, help="Fewest turns of each, however long they take.")] = 20,
    confidences: Annotated[bool, typer.Option(help="Also compute the entities' scores; the paper has none.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Documents of a corpus; all by default.")] = None,
    output: Annotated[Path, typer.Option(help="CSV.")] = Path("results/speed/decoding.csv"),
) -> None:
    """Time the decoding of test documents by trained models, for Table V.

    Example: cman speed decoding results/runs/conll04/*/main/seed1
    """
    from cman.speed.decoding import Options, check_runs, speed_of_decoding

    check_runs(runs)
    speed_of_decoding(
        runs, corpora, features, Options(batch_size, seconds, threads, limit, rounds, confidences), output
    )


@speed.command("training")
@verb
def speed_training(
    config: ConfigOption,
    corpus: CorpusOption,
    experiment: Annotated[str, typer.Option(help="Experiment of the paper, or a name under `variants`.")],
    split: SplitOption = "main",
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 1,
    steps: Annotated[int, typer.Option(min=2, help="Batches, each trained on once in either way.")] = 40,
    results: ResultsOption = Path("results"),
    output: Annotated[Path, typer.Option(help="CSV.")] = Path("results/speed/training.csv"),
) -> None:
    """Time a training step, with the compiled operations and in plain PyTorch.

    Example: cman speed training --config config/conll04.yaml --corpus conll04 --experiment cman
    """
    run = run_of(configuration_at(config), corpus, experiment, split, 1)
    from cman.speed.training import speed_of_training

    speed_of_training(run, Layout(results), threads, steps, output)


@speed.command("extraction")
@verb
def speed_extraction(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    input: Annotated[Path, typer.Option(help="Texts, one a line, or .jsonl; all of them are in memory.")],
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender; the median counts.")] = 5,
    precision: PrecisionOption = "auto",
    output: Annotated[Path, typer.Option(help="CSV.")] = Path("results/speed/extraction.csv"),
) -> None:
    """Time extraction from text, and its contextual encoder alone in the same rounds.

    Example: cman speed extraction --model results/runs/conll04/cman/main/seed1/model --input text.txt
    """
    from cman.speed.extraction import speed_of_extraction

    speed_of_extraction(model, input, threads, output, rounds, arithmetic(precision))
