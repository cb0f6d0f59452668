"""The verb for text: entities and relations out of it with a trained model."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from cman.cli.options import (
    EncoderOption,
    PrecisionOption,
    ReleasedModelOption,
    TrustOption,
    arithmetic,
    released_model,
)
from cman.cli.verb import verb
from cman.errors import UsageError
from cman.files import is_stream
from cman.gpu import own_gpu

BY_SUFFIX = {".csv": "csv", ".parquet": "parquet", ".nt": "ntriples"}
FORMATS = ("jsonl", "csv", "parquet", "ntriples", "graph")
INPUT_FORMATS = ("text", "jsonl", "csv", "tsv", "parquet")


@verb
def extract(
    model: ReleasedModelOption = None,
    input: Annotated[
        list[Path] | None,
        typer.Option(help="Text, JSON lines or a table; a file, folder or glob, several times; - is standard input."),
    ] = None,
    output: Annotated[Path, typer.Option(help="File to write; - is standard output.")] = Path("-"),
    format: Annotated[
        str | None,
        typer.Option(
            help="jsonl, csv (triples; entities beside it), parquet, ntriples or graph (nodes and edges); by "
            "default what OUTPUT ends like, else jsonl."
        ),
    ] = None,
    input_format: Annotated[
        str | None, typer.Option(help="text, jsonl, csv, tsv or parquet; by default what the name ends like.")
    ] = None,
    documents: Annotated[
        str, typer.Option(help="What of a text file is a document: line, paragraph or file.")
    ] = "line",
    join_lines: Annotated[
        bool, typer.Option("--join-lines", help="Read the wrapped lines of a paragraph as one; divided words, too.")
    ] = False,
    text_column: Annotated[str | None, typer.Option(help="Of a table; text by default.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Of a table; id by default, if there is one.")] = None,
    keep_fields: Annotated[
        bool, typer.Option("--keep-fields", help="Keep what else a line or a row has, under `fields`.")
    ] = False,
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
    link: Annotated[
        str | None, typer.Option(help="MODULE:FUNCTION that gives an entity an id of a knowledge base, or None.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of the text, such as en; the model's by default.")] = None,
    shard: Annotated[
        str | None, typer.Option(help="One part of the input, such as 3/16 (from 0); see docs/bulk.md.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Instead: make the outputs of all shards one file.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same command was stopped.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Where failed documents go; OUTPUT.errors.jsonl by default.")
    ] = None,
    max_characters: Annotated[int, typer.Option(min=1, help="Longest text; a longer one is a failed document.")] = (
        1_000_000
    ),
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use; all by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: PrecisionOption = "auto",
    kernels: Annotated[str, typer.Option(help="auto or reference.")] = "auto",
    trust: TrustOption = False,
    encoder: EncoderOption = None,
) -> None:
    """Find entities and relations in text, with character offsets and confidences.

    Example: cman extract --input text.txt --output out.jsonl
    """
    format = BY_SUFFIX.get(output.suffix.lower(), "jsonl") if format is None else format
    _one_of("--format", format, FORMATS)
    form: Any = format
    if merge:
        _merge(output, form, shard)
        return
    folder = released_model() if model is None else model
    _one_of("--input-format", input_format, (None, *INPUT_FORMATS))
    _one_of("--documents", documents, ("line", "paragraph", "file"))
    _one_of("--kernels", kernels, ("auto", "reference"))
    if join_lines and documents == "line":
        raise UsageError("--join-lines: found --documents line, wanted paragraph or file, which have lines to join")
    if keep_fields and format not in ("jsonl", "parquet"):
        raise UsageError(f"--keep-fields: found --format {format}, wanted jsonl or parquet")
    from cman.extract.inputs import Input
    from cman.extract.shards import Shard
    from cman.extract.sources import sources_of

    part = None if shard is None else Shard.parse(shard)
    if str(output) == "-" or is_stream(output):
        name = "standard output" if str(output) == "-" else str(output)
        _refuse_for_stream(name, format, resume, errors, part is not None)
    sources = sources_of(input or [Path("-")], input_format)
    if any(output.resolve() == source.path.resolve() for source in sources if not source.is_standard):
        raise UsageError(f"--output: found the input {output}, wanted another file")
    if output.is_dir():
        raise UsageError(f"--output: found the folder {output}, wanted a file")
    forms = {each.form for each in sources}
    for what, fitting, effective in (
        ("plain text", {"text"}, {"--documents": documents != "line", "--join-lines": join_lines}),
        ("a table", {"csv", "tsv", "parquet"}, {"--text-column": text_column, "--id-column": id_column}),
    ):
        idle = next((option for option, given in effective.items() if given), None)
        if idle is not None and not forms & fitting:
            raise UsageError(f"{idle}: found no input of {what}, wanted some, or no {idle}")
    if part is not None:
        if format == "graph":
            raise UsageError("--shard: found --format graph, wanted another: nodes are those of the whole input")
        output = part.output(output)
    chosen: Any = documents
    given = Input(sources, max_characters, chosen, join_lines, keep_fields, text_column, id_column, part)
    from cman.extract.extractor import Extractor
    from cman.extract.run import extract

    choice: Any = kernels
    where = own_gpu(device)
    options: dict[str, Any] = {
        "threshold": threshold,
        "entity_threshold": entity_threshold,
        "relation_threshold": relation_threshold,
        "language": language,
        "precision": arithmetic(precision),
    }
    extract(
        lambda: Extractor.load(
            folder, trust=trust, encoder=encoder, device=where, threads=threads, kernels=choice, **options
        ),
        folder,
        given,
        output,
        output=form,
        errors=errors,
        resume=resume,
        options=options | {"max_characters": max_characters} | ({} if link is None else {"link": link}),
        link=None if link is None else _function(link),
    )


@verb
def collect(
    inputs: Annotated[list[Path], typer.Argument(help="Outputs of `cman extract` in JSON lines.")],
    output: Annotated[Path, typer.Option(help="CSV to write.")],
    least: Annotated[int, typer.Option(min=1, help="Least number of mentions of a triple that is written.")] = 1,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", help="Texts that differ in case alone are one.")
    ] = False,
) -> None:
    """Count the same triple of many documents: mentions, documents, confidences and sources, the most frequent first.

    Example: cman collect out.jsonl --output triples.csv
    """
    from cman.extract.collect import collect

    typer.echo(f"{output}: {collect(inputs, output, least, ignore_case)} triples")


def _merge(output: Path, form: Any, shard: str | None) -> None:
    from cman.extract.shards import merge

    if shard is not None or str(output) == "-" or is_stream(output) or form == "graph":
        raise UsageError("--merge: wanted --output and the --format of the shards alone, which is not graph")
    typer.echo(f"{output}: {merge(output, form)} shards")


def _function(name: str) -> Any:
    """Return the function that `--link` names; it is the user's own and is run.

    Raises:
        UsageError: there is none.
    """
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"--link: found {name!r} ({error}), wanted MODULE:FUNCTION that can be imported") from None
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise UsageError(f"--link: found {name!r}, which is no function, wanted one of an entity")
    return found


def _one_of(option: str, found: str | None, wanted: tuple[str | None, ...]) -> None:
    if found not in wanted:
        raise UsageError(f"{option}: found {found!r}, wanted {', '.join(name for name in wanted if name)}")


def _refuse_for_stream(found: str, format: str, resume: bool, errors: Path | None, sharded: bool) -> None:
    if format in ("parquet", "graph"):
        raise UsageError(f"--format {format}: found {found}, wanted a file under --output")
    if sharded:
        raise UsageError(f"--shard: found {found}, wanted a file under --output")
    if resume or errors is not None:
        raise UsageError(f"{'--resume' if resume else '--errors'}: found {found}, wanted a file under --output")
