"""`cman fit`: the one verb from annotated files to a model, without a configuration and from any folder."""

import re
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from cman.cli.options import DeviceOption, KernelsOption, backend
from cman.cli.training import run_of
from cman.cli.verb import verb
from cman.errors import UsageError
from cman.gpu import own_gpu

BEST = "cman-best"
BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "spert"}


@verb
def fit(
    train: Annotated[Path, typer.Option(help="Annotated documents: a file, or a folder of brat's.")],
    output: Annotated[Path, typer.Option(help="Model folder to write; a name that is free.")],
    dev: Annotated[
        Path | None, typer.Option(help="Those that the scores are calibrated on; else a part of train.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Those that the card's scores are of; else a part of train.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="jsonl, spert, conll04, brat, ...; by default what the name ends in.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the text, a code of spaCy's such as en.")] = "en",
    experiment: Annotated[str, typer.Option(help="Which model; `cman-best` finds most.")] = BEST,
    encoder: Annotated[
        str | None, typer.Option(help="Folder or hub name of a transformer in the place of MiniLM-L6.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as training.epochs=30; may be given again.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the corpus, on the card; else what the files are called.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores; 1 by default in training, else all.")] = None,
    device: DeviceOption = None,
    kernels: KernelsOption = None,
) -> None:
    """Train a model of your own annotated files, with measured defaults; stopped, the same command goes on.

    Example: cman fit --train train.json --dev dev.json --test test.json --output model
    """
    from cman.config.configuration import parse_configuration

    chosen: Any = backend(kernels) or "auto"
    name = _word(name or "") or _corpus_name(train)
    paths = {split: path for split, path in (("train", train), ("dev", dev), ("test", test)) if path is not None}
    settings = _settings(setting or [])
    if experiment == BEST and settings.get("training.protocol") != "fixed":  # fixed has no dev to choose one on
        settings.setdefault("rel.threshold", "auto")
    value: dict[str, Any] = {
        "corpora": {name: {"format": format or _format_of(train), "language": language, "paths": _texts(paths)}},
        "experiments": [experiment],
        "seeds": [seed],
        "experiment_settings": {experiment: settings},  # over what the experiment itself changes
    }
    if encoder is not None:
        value["encoders"] = {"own": {"path" if Path(encoder).is_dir() else "name": encoder}}
        settings["contextual.encoder"] = "own"
    configuration = parse_configuration(value, "fit")
    corpus = configuration.corpus(name)
    if not corpus.is_own:
        raise UsageError(f"--format {corpus.format}: found {', '.join(paths)}, wanted train, dev and test of your own")
    for split, path in paths.items():
        if not path.exists():
            raise UsageError(f"--{split}: found no {path}, wanted annotated documents")
    run = run_of(configuration, name, experiment, corpus.divisions[0], seed)
    from cman.fit import fit
    from cman.machine import available_device

    fit(configuration, run, output.resolve(), available_device(own_gpu(device or "auto")), threads, chosen)
    use = f"cman extract --model {quote(str(output))} --input FILE"
    typer.echo(f"{output}: the model; README.md in it has the scores. Use it: {use}")


def _word(name: str) -> str:
    """Return a name as a corpus may have it."""
    return re.sub(r"[^A-Za-z0-9_@-]+", "-", name).strip("-_@")


def _corpus_name(train: Path) -> str:
    """Return what the files are called without the split's name; else what the folder with them is."""
    path = train.resolve()
    stem = path.name if path.is_dir() else path.name[: len(path.name) - len("".join(path.suffixes[-2:]))]
    own = re.sub(r"(?i)(?<![a-z])(train|training|dev|test|all)(?![a-z])", "", stem)
    return _word(re.sub(r"[-_. ]{2,}", "-", own)) or _word(path.parent.name) or "mine"


def _texts(paths: dict[str, Path]) -> dict[str, str]:
    return {split: str(path) for split, path in paths.items()}


def _format_of(path: Path) -> str:
    """Return the format of annotated files by the name of one.

    Raises:
        UsageError: the name does not say.
    """
    if path.is_dir():
        return "brat"
    kind = BY_SUFFIX.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"--format: found none, and {path} does not say by its name; wanted one, such as conll04")
    if kind == "jsonl" and path.is_file():
        with path.open(encoding="utf-8", errors="replace") as stream:
            if '"sentences"' in stream.readline(1 << 20):  # a text of sentences a line
                return "dygie"
    return kind


def _settings(given: list[str]) -> dict[str, Any]:
    from cman.config.strict_yaml import load_yaml

    settings = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign:
            raise UsageError(f"--set: found {each!r}, wanted KEY=VALUE such as training.epochs=30")
        settings[key.strip()] = load_yaml(f"value: {value}", f"--set {key}")["value"]
    return settings
