"""Folders annotated with brat: NAME.txt and NAME.ann, also in folders below it; `cman.corpora.spans` does the rest.

Where the arguments of a relation have names of their own, `annotation.conf` says which is the head, or the relation's
first line does. What is written is text and spans, but no tokens, as reading divides the text again, and no scores.
"""

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cman.config.own import Across, Discontinuous, OwnText
from cman.corpora.brat_lines import Roles, annotation_lines, read_annotations, read_roles
from cman.corpora.document import Document, without_scores
from cman.corpora.formats import RawFile, own_files
from cman.corpora.spans import SHOWN, SpanReader
from cman.corpora.tokenize import TextTokenizer
from cman.errors import CmanError
from cman.files import read_text, write_text

NUMBERED_AFTER = "-"  # a document is a sentence of a text, whose name and number it has
CONFIGURATION = "annotation.conf"
ARCHIVERS = {"__MACOSX"}  # what packing programs put beside
OF_BRAT = {CONFIGURATION, "visual.conf", "tools.conf", "kb_shortcuts.conf"}


def files(corpus: OwnText) -> list[RawFile]:
    """Return the .txt and .ann files of each split's folder; a folder without any itself, so that it is missed."""
    folders = list(corpus.split_paths.values())
    return own_files([path for folder in folders for path in brat_files(folder, folders) or [folder]])


def read(corpus: OwnText, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_brat`."""
    tokenizer, roles, folders = TextTokenizer(corpus.language), Roles(), list(corpus.split_paths.values())
    return {
        split: read_brat(folder, tokenizer, corpus.discontinuous, warnings, roles, folders, corpus.across)
        for split, folder in corpus.split_paths.items()
    }


def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one folder; see `read_brat`."""
    return read_brat(path, TextTokenizer(language), "hull", warnings, across="join")


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents without scores, and how many there were."""
    lost: Counter[str] = Counter()
    return [without_scores(document, lost) for document in documents], lost


def write(folder: Path, documents: Sequence[Document]) -> None:
    """Write a new folder, which is there complete or not at all.

    Raises:
        CmanError: the folder exists, or a document's id can be no file's name or a type has blanks.
    """
    if folder.exists():
        raise CmanError(f"{folder}: exists already, wanted the name of a new folder")
    made = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
    made.mkdir(parents=True)
    try:
        for document in documents:
            if not re.fullmatch(r"[\w@-][\w.@-]*(/[\w@-][\w.@-]*)*", document.id):
                raise CmanError(f"{folder}: document {document.id!r}: field id: wanted one that can be a file's name")
            text, lines = annotation_lines(document, f"{folder}: document {document.id!r}")
            write_text(made / f"{document.id}.txt", text)
            write_text(made / f"{document.id}.ann", "".join(f"{line}\n" for line in lines))
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def brat_files(folder: Path, others: Sequence[Path] = ()) -> list[Path]:
    """Return the .txt and .ann files of a folder and those below it, sorted; none if there is no such folder.

    What is hidden, such as copies that an editor or a notebook keeps, is none of them.

    Args:
        others: folders that are left out where they stand below it, such as that of another split.
    """
    apart = [other for other in others if other != folder and other.is_relative_to(folder)]
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (".txt", ".ann")
        and not any(part.startswith(".") or part in ARCHIVERS for part in path.relative_to(folder).parts)
        and not any(path.is_relative_to(other) for other in apart)
    )


def read_brat(
    folder: Path,
    tokenizer: TextTokenizer,
    discontinuous: Discontinuous,
    warnings: list[str],
    roles: Roles | None = None,
    others: Sequence[Path] = (),
    across: Across = "drop",
) -> list[Document]:
    """Read a folder; what is read otherwise than it is written is added to `warnings`.

    Args:
        roles: of relations, as earlier folders of the corpus have them; those of this one are added.
        others: see `brat_files`.
        across: what is done about relations between sentences.

    Raises:
        CmanError: no such folder, a file without its partner, or the first malformed line.
    """
    files = brat_files(folder, others)
    if not files:
        raise CmanError(f"{folder}: found no .txt and .ann files, wanted a folder annotated with brat")
    roles = {} if roles is None else roles
    for path in (folder / CONFIGURATION, folder.parent / CONFIGURATION):
        if path.is_file():
            roles |= {key: order for key, order in read_roles(path).items() if key not in roles}
    known = set(roles)
    pairs = _pairs(files)
    reader = SpanReader(tokenizer, discontinuous, across)
    documents: list[Document] = []
    for text_file, annotation_file in pairs:
        text = read_text(text_file, keep_mark=True)
        marked = text.startswith("\ufeff")
        text = text.removeprefix("\ufeff")
        annotations = read_annotations(annotation_file, text, roles, marked)
        name = text_file.relative_to(folder).with_suffix("").as_posix()
        documents += reader.documents(name, text, annotations)
    if not documents:
        raise CmanError(f"{folder}: found no sentence, wanted at least one")
    warnings += reader.warnings(str(folder))
    warnings += [
        f"{folder}: {kind}: {head} is the head and {tail} the tail, as in its first line; {CONFIGURATION} may say it"
        for (kind, names), (head, tail) in roles.items()
        if (kind, names) not in known
    ]
    warnings += _not_read(folder, files, others)
    return documents


def _pairs(files: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return each text with its annotations.

    Raises:
        CmanError: one without the other, or two of the same name.
    """
    by_name: dict[Path, dict[str, Path]] = {}
    for path in files:
        found = by_name.setdefault(path.with_suffix(""), {})
        other = found.setdefault(path.suffix.lower(), path)
        if other != path:
            raise CmanError(f"{path}: found {other.name} beside it, wanted one of the two")
    for found in by_name.values():
        if len(found) == 1:
            ((suffix, path),) = found.items()
            partner = path.with_suffix(".ann" if suffix == ".txt" else ".txt")
            raise CmanError(f"{path}: found no {partner.name} beside it, wanted both")
    return [(found[".txt"], found[".ann"]) for found in by_name.values()]


def _not_read(folder: Path, files: Sequence[Path], others: Sequence[Path]) -> list[str]:
    """Name the folders below that were read, and the files that were not."""
    below = Counter(path.parent.relative_to(folder).as_posix() for path in files if path.parent != folder)
    notes = [f"{folder}: read folders below it, too: {', '.join(sorted(below))}"] if below else []
    every = [path for path in folder.rglob("*") if path.is_file() and not any(part.startswith(".") for part in
             path.relative_to(folder).parts) and not any(path.is_relative_to(other) for other in others
             if other != folder)]  # fmt: skip
    strange = sorted({path.relative_to(folder).as_posix() for path in every if path.name not in OF_BRAT} -
                     {path.relative_to(folder).as_posix() for path in files})  # fmt: skip
    if strange:
        more = ", ..." if len(strange) > SHOWN else ""
        notes.append(f"{folder}: {len(strange)} files are not read: {', '.join(strange[:SHOWN])}{more}")
    return notes
