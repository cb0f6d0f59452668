"""The options that several verbs share, and what is made of them: a configuration, a backend."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cman.errors import UsageError
from cman.streams import standard_input

if TYPE_CHECKING:
    from cman.config.configuration import Configuration

ConfigOption = Annotated[Path, typer.Option("--config", help="Configuration file (YAML or JSON); - is standard input.")]
CorpusOption = Annotated[str, typer.Option(help="Corpus, a name under `corpora` of the configuration.")]
SplitOption = Annotated[str, typer.Option(help="Division of the corpus into train, dev and test.")]
ResultsOption = Annotated[Path, typer.Option(help="Folder that everything is written below.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Cores to use; the configuration's by default.")]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu or cuda; the configuration's by default.")]
KernelsOption = Annotated[str | None, typer.Option(help="auto or reference; the configuration's by default.")]
ReleasedModelOption = Annotated[
    Path | None, typer.Option("--model", help="Model folder; models/conll04 of the checkout by default.")
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Follow what the model folder names outside of itself: packages, hubs.")
]

PrecisionOption = Annotated[
    str,
    typer.Option(
        help="Of the frozen encoder's products: auto (bfloat16 on a processor that has it, else float32), float32, "
        "bfloat16, or int8, which costs accuracy."
    ),
]
EncoderOption = Annotated[
    Path | None, typer.Option(help="Folder of the frozen encoder that the model reads, if it stands elsewhere.")
]


def configuration_at(path: Path) -> "Configuration":
    """Return the configuration of a file, or of standard input where the path is `-`.

    Raises:
        CmanError: see `cman.config.configuration.read_configuration`.
    """
    from cman.config.configuration import load_configuration, read_configuration

    if str(path) != "-":
        return read_configuration(path)
    try:
        return load_configuration(standard_input().read().decode("utf-8"), "standard input")
    except UnicodeDecodeError:
        raise UsageError("standard input: found bytes that are not UTF-8, wanted a configuration") from None


def released_model() -> Path:
    """Return the folder of the model that comes with a checkout.

    Raises:
        UsageError: there is none, such as beside an installed wheel.
    """
    from cman.layout import RELEASED

    if not (RELEASED / "config.json").is_file():
        raise UsageError(
            "--model: found none, and this is no checkout, which has one; wanted a folder that `cman fit` made"
        )
    return RELEASED


def arithmetic(given: str) -> Any:
    """Return the precision of `--precision`, before anything is loaded.

    Raises:
        UsageError: no such precision.
    """
    if given not in ("auto", "float32", "bfloat16", "int8"):
        raise UsageError(f"--precision: found {given!r}, wanted auto, float32, bfloat16 or int8")
    return given


def backend(given: str | None) -> Any:
    """Return the backend of `--kernels`, None where nothing is given.

    Raises:
        UsageError: no such backend.
    """
    if given not in (None, "auto", "reference"):
        raise UsageError(f"--kernels: found {given!r}, wanted auto or reference")
    return given
