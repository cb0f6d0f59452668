"""Where a transformer's files are: in an installed package, in a folder, or in the hub's cache on this machine."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from cman.config.inputs import Encoder
from cman.errors import CmanError
from cman.hashes import hashed
from cman.validation import checked

# What decides a transformer's features: its configuration, its tokenizer and its weights.
KINDS = (".json", ".txt", ".model", ".safetensors")
PICKLED = (".bin",)  # weights of older models, fetched only where there are no others


@dataclass(frozen=True)
class EncoderSource:
    """Where a contextual encoder comes from: the keys of `encoders.NAME`, which says what each is."""

    package: str | None = None
    path: Path | None = None
    name: str | None = None
    revision: str | None = None
    options: str | None = None
    weights: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    stateful: bool = False
    title: str | None = None

    @classmethod
    def of(cls, configured: Encoder) -> "EncoderSource":
        """Return what a configuration says."""
        return cls(**configured.model_dump())

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return vars(self) | {"path": None if self.path is None else str(self.path), "sha256": dict(self.sha256)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str) -> "EncoderSource":
        """Return the source that `to_json` wrote.

        Raises:
            CmanError: the keys are not those of an encoder; the message names `where` and the first such key.
        """
        return cls.of(checked(Encoder, value, where))


def moved(encoder: EncoderSource, folder: Path) -> EncoderSource:
    """Return the source of an encoder whose files stand in a folder of this machine; ELMo's keep their names."""
    if encoder.options is None or encoder.weights is None:
        return EncoderSource(path=folder, title=encoder.title)
    names = (PurePosixPath(urlsplit(place).path).name for place in (encoder.options, encoder.weights))
    options, weights = (str(folder / unquote(name)) for name in names)
    return replace(encoder, options=options, weights=weights)


def beside(encoder: EncoderSource, folder: Path) -> EncoderSource:
    """Return the source of a model folder's encoder, with relative paths that lead to files.

    They count from the current folder; where that has no such files, from the model's own, or the nearest one above it
    that does, as when a project is copied as a whole or a model is used from elsewhere; a link to the model stands for
    what it leads to. Whether they are the encoder's is said by their hashes.
    """
    given = [each for each in (encoder.path, encoder.options, encoder.weights) if _is_relative(each)]
    named, real = folder.absolute(), folder.resolve()
    for above in (Path(), named, *named.parents, *real.parents):
        if given and all((above / str(each)).exists() for each in given):
            options, weights = (
                str(above / str(each)) if _is_relative(each) else each for each in (encoder.options, encoder.weights)
            )
            path = encoder.path if encoder.path is None else above / encoder.path
            return replace(encoder, path=path, options=options, weights=weights)
    return encoder


def _is_relative(value: Path | str | None) -> bool:
    return value is not None and not urlsplit(str(value)).scheme and not Path(value).is_absolute()


def model_directory(encoder: EncoderSource, name: str) -> Path:
    """Return the folder that holds an encoder's `config.json`; a model of the hub is downloaded at its first use.

    Raises:
        CmanError: the package is not installed or ships no model, the path has no `config.json`, or the hub's model
            is neither on this machine nor can be downloaded.
    """
    if encoder.path is not None:
        if not (encoder.path / "config.json").is_file():
            raise CmanError(f"encoders.{name}.path: {encoder.path} has no config.json, wanted a model directory")
        return encoder.path
    if encoder.name is not None:
        return _of_the_hub(encoder.name, encoder.revision, name)
    return _of_a_package(str(encoder.package), name)


def _of_a_package(package: str, name: str) -> Path:
    # A dotted name would import what stands before the dot.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        # The outermost config.json beside weights is the encoder's; packages add others for their own layers.
        candidates = [path.parent for path in folder.rglob("config.json") if list(path.parent.glob("*.safetensors"))]
        if candidates:
            return min(candidates, key=lambda path: len(path.parts))
    problem = "ships no model" if spec else "is not installed"
    raise CmanError(f"encoders.{name}.package: the package {package!r} {problem}, wanted one that ships a model")


def _of_the_hub(model: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import snapshot_download

    where = f"encoders.{name}.name: {model!r}"
    try:
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=[f"*{kind}" for kind in KINDS]))
        if not list(folder.glob("*.safetensors")):
            every = [f"*{kind}" for kind in (*KINDS, *PICKLED)]
            folder = Path(snapshot_download(model, revision=revision, allow_patterns=every))
    except (OSError, ValueError) as error:  # all that the hub's client raises for names, answers and connections
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise CmanError(
            f"{where} is not in the hub's cache on this machine and cannot be downloaded ({reason}); wanted a "
            "connection and a model's name such as google-bert/bert-base-cased, or a local copy under the key 'path'"
        ) from None
    if not (folder / "config.json").is_file():
        raise CmanError(f"{where} has no config.json, wanted a transformer model")
    return folder


def file_names(folder: Path) -> list[str]:
    """Return the names of the files of a model directory that may decide its features; none if there is no folder."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in files if path.suffix in (*KINDS, *PICKLED) and path.is_file())


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each of these files by name."""
    return {name: hashed(folder / name).sha256 for name in file_names(folder)}
