"""`results/runs.json`, as `cman plan` writes it: which runs a configuration shows, and that they are those it asks for.

A run folder may hold the scores of other settings, of other code or of another version of its corpus, because its
training has failed since. The digest in its `scores.json` says what it was made from, and must be the one in the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cman.errors import CmanError, reads
from cman.files import read_json
from cman.validation import Closed, checked

Facts = Mapping[Path, Mapping[str, Any]]  # titles and other facts of presentation, by run folder

NO_FACTS: Facts = MappingProxyType({})
SHORT = 12  # digits of a digest in an error


class Listed(Closed):
    """One run of the file."""

    folder: Path
    prepared: bool
    digest: str | None
    facts: dict[str, Any]


class Listing(Closed):
    """The content of the file."""

    absent: list[str]
    runs: list[Listed]


@dataclass(frozen=True)
class Shown:
    """What is shown: run folders, their facts, and the corpora that could not be had."""

    folders: Sequence[Path]
    facts: Facts
    absent: Sequence[str] = ()


@reads("what `cman plan` writes")
def read_listing(path: Path, prepared: bool = False) -> Shown:
    """Return the runs that a file lists, each of which must be what the file was written for.

    Args:
        prepared: only the runs whose gold documents are prepared.

    Raises:
        CmanError: the file is malformed, or a run's scores are missing or of another digest.
    """
    listing = checked(Listing, read_json(path), str(path), strict=False)
    chosen = [run for run in listing.runs if run.prepared or not prepared]
    for run in chosen:
        _check(run)
    return Shown([run.folder for run in chosen], {run.folder: run.facts for run in chosen}, listing.absent)


def _check(run: Listed) -> None:
    if run.digest is None:
        return
    scores = read_json(run.folder / "scores.json")
    digest = scores.get("digest") if isinstance(scores, dict) else None
    if digest != run.digest:
        have = "no digest" if digest is None else f"the digest {str(digest)[:SHORT]}"
        raise CmanError(
            f"{run.folder}: found scores with {have}, wanted {run.digest[:SHORT]} of this configuration; make "
            f"them: snakemake --cores all {run.folder}/scores.json"
        )
