"""Documents from one format into another; what the other cannot hold is an error, or left out and counted.

Which formats can be read and written, and what each can hold, is said by their files (`cman.corpora.formats`).
"""

from importlib import import_module
from pathlib import Path
from typing import cast

from cman.config.formats import FORMATS
from cman.corpora.formats import ReadableFormat, WritableFormat, module_name
from cman.corpora.likeness import telling
from cman.errors import CmanError, UsageError


def convert_file(
    source: str, target: str, path: Path, output: Path, split: str | None, language: str, lossy: bool
) -> list[str]:
    """Convert one file or folder and return what the reader noticed and what was left out.

    Raises:
        UsageError: no such format, or a split of a file that has none.
        CmanError: the input is malformed, or holds what the format cannot hold and `lossy` is False.
    """
    modules = {name: import_module(module_name(name)) for name in FORMATS}
    for option, given, function in (("--from", source, "read_file"), ("--to", target, "write")):
        known = [name for name, module in modules.items() if hasattr(module, function)]
        if given not in known:
            raise UsageError(f"{option}: found {given!r}, wanted one of {', '.join(known)}")
    if split is not None and not hasattr(modules[source], "HOLDS_SPLITS"):
        raise UsageError(f"--split: found {split!r}, wanted none: only SpERT's files hold several")
    reader, writer = cast(ReadableFormat, modules[source]), cast(WritableFormat, modules[target])
    warnings: list[str] = []
    documents = telling(lambda: reader.read_file(path, split, language, warnings), source, [path])
    documents, lost = writer.fitting(documents)
    if lost.total():
        listed = ", ".join(f"{count} {what}" for what, count in lost.items() if count)
        if not lossy:
            raise CmanError(f"{path}: {target} cannot hold {listed}; wanted documents without, or --lossy")
        warnings.append(f"{path}: left out: {listed}")
    writer.write(output, documents)
    return warnings
