"""The verb for text: entities and relations out of it with a trained model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cman.cli.options import EncoderOption, ReleasedModelOption, TrustOption, released_model
from cman.cli.verb import verb
from cman.errors import UsageError
from cman.files import is_stream


@verb
def extract(
    model: ReleasedModelOption = None,
    input: Annotated[Path, typer.Option(help="Text, one document a line, or .jsonl; - is standard input.")] = Path("-"),
    output: Annotated[Path, typer.Option(help="File to write; - is standard output.")] = Path("-"),
    format: Annotated[str, typer.Option(help="jsonl, csv (triples) or parquet.")] = "jsonl",
    input_format: Annotated[
        str | None, typer.Option(help="text or jsonl; by default jsonl where the name ends like that.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Least confidence of what is written."),
    ] = None,
    entity_threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="The same of entities alone; their relations go with them.")
    ] = None,
    relation_threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="The same of relations alone.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of the text, such as en; the model's by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same command was stopped.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Where failed documents go; OUTPUT.errors.jsonl by default.")
    ] = None,
    max_characters: Annotated[int, typer.Option(min=1, help="Longest text; a longer one is a failed document.")] = (
        1_000_000
    ),
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use; all by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    kernels: Annotated[str, typer.Option(help="auto or reference.")] = "auto",
    trust: TrustOption = False,
    encoder: EncoderOption = None,
) -> None:
    """Find entities and relations in text, with character offsets and confidences.

    Example: cman extract --input text.txt --output out.jsonl
    """
    folder = released_model() if model is None else model
    _one_of("--format", format, ("jsonl", "csv", "parquet"))
    _one_of("--input-format", input_format, (None, "text", "jsonl"))
    _one_of("--kernels", kernels, ("auto", "reference"))
    if str(output) == "-" or is_stream(output):
        _refuse_for_stream("standard output" if str(output) == "-" else str(output), format, resume, errors)
    elif output.resolve() == input.resolve():
        raise UsageError(f"--output: found the input {input}, wanted another file")
    from cman.extract.extractor import Extractor
    from cman.extract.run import extract

    choice: Any = kernels
    options: dict[str, Any] = {
        "threshold": threshold,
        "entity_threshold": entity_threshold,
        "relation_threshold": relation_threshold,
        "language": language,
    }
    extract(
        lambda: Extractor.load(
            folder, trust=trust, encoder=encoder, device=device, threads=threads, kernels=choice, **options
        ),
        folder,
        input,
        output,
        form="jsonl" if input_format == "jsonl" or (input_format is None and input.suffix == ".jsonl") else "text",
        output=format,  # type: ignore[arg-type]
        errors=errors,
        resume=resume,
        longest=max_characters,
        options=options | {"max_characters": max_characters},
    )


def _one_of(option: str, found: str | None, wanted: tuple[str | None, ...]) -> None:
    if found not in wanted:
        raise UsageError(f"{option}: found {found!r}, wanted {', '.join(name for name in wanted if name)}")


def _refuse_for_stream(found: str, format: str, resume: bool, errors: Path | None) -> None:
    if format == "parquet":
        raise UsageError(f"--format parquet: found {found}, wanted a file under --output")
    if resume or errors is not None:
        raise UsageError(f"{'--resume' if resume else '--errors'}: found {found}, wanted a file under --output")
