"""The verbs that compute over documents: their features, and a trained model's predictions."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cman.cli.options import (
    ConfigOption,
    CorpusOption,
    DeviceOption,
    EncoderOption,
    KernelsOption,
    PrecisionOption,
    ResultsOption,
    SplitOption,
    ThreadsOption,
    TrustOption,
    arithmetic,
    backend,
    configuration_at,
)
from cman.cli.verb import verb
from cman.gpu import own_gpu
from cman.layout import Layout


@verb
def embed(
    config: ConfigOption,
    corpus: CorpusOption,
    name: Annotated[str, typer.Option(help="A name under `encoders` or `vectors`.")] = "minilm",
    split: SplitOption = "main",
    all_layers: Annotated[
        bool, typer.Option("--all-layers", help="Keep also layers that no experiment of the configuration reads.")
    ] = False,
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    results: ResultsOption = Path("results"),
) -> None:
    """Compute what training reads of a corpus once: contextual features, or the word vectors that it needs.

    Example: cman embed --config config/conll04.yaml --corpus conll04 --name minilm
    """
    from cman.features.embed import embed
    from cman.fetch.inputs import input_source

    configuration, layout = configuration_at(config), Layout(results)
    configuration.corpus(corpus)
    source = input_source(configuration, name, layout)
    layers = "all" if all_layers else configuration.layers_of(corpus, name)
    embed(source, corpus, name, split, layout, own_gpu(device or configuration.device), threads, layers)


@verb
def predict(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    input: Annotated[Path, typer.Option(help="Documents (JSONL); their own annotations are ignored.")],
    output: Annotated[Path, typer.Option(help="Where the predicted documents go (JSONL).")],
    features: Annotated[Path | None, typer.Option(help="Cached features of the input; else computed now.")] = None,
    copies: Annotated[Path | None, typer.Option(help="Also count how often the second phase repeats the first.")] = (
        None
    ),
    ranking: Annotated[
        Path | None, typer.Option(help="Also write the score of every relation from 0.02 up between the entities.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="Also read the documents as raw text, as `cman extract` does, into this file.")
    ] = None,
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = "float32",
    kernels: KernelsOption = None,
    trust: TrustOption = False,
    encoder: EncoderOption = None,
) -> None:
    """Predict entities and relations of tokenised documents.

    Example: cman predict --model results/runs/conll04/cman/main/seed1/model --input test.jsonl --output out.jsonl
    """
    from cman.model.predict import predict_file

    where = own_gpu(device or "auto")
    operations: Any = backend(kernels) or "auto"
    predict_file(
        model,
        input,
        output,
        features,
        where,
        threads,
        operations,
        copies,
        ranking,
        trust,
        elsewhere=encoder,
        text=text,
        precision=arithmetic(precision),
    )
