"""Copies a finished run into the folder of record: small plain files that tables can be made from without training.

A record holds `scores.json`, `provenance.json`, `history.csv`, `predictions.jsonl.gz` and, if the run has them,
`ranking.jsonl.gz` and `label_copies.json`, under `{corpus}/{experiment}/{split}/seed{n}` as its provenance names them,
wherever the run folder itself lies. It appears as a whole or not at all, and equal runs give equal bytes.
"""

import gzip
import os
import shutil
import tempfile
from pathlib import Path

from cman.errors import CmanError
from cman.report.predictions import read_predicted
from cman.report.results import read_run

COPIED = ("scores.json", "provenance.json", "history.csv")
OPTIONAL = ("label_copies.json",)  # runs made before it was counted have none
PREDICTIONS = "predictions.jsonl"
PACKED = (PREDICTIONS, "ranking.jsonl")  # older runs have no ranking


def _compress(source: Path, target: Path) -> None:
    # The gzip header normally carries the file's name and time, which would change the bytes of equal predictions.
    with (
        source.open("rb") as plain,
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed)


def _replace_folder(new: Path, target: Path) -> None:
    if not target.exists():
        os.rename(new, target)
        return
    # A rename cannot replace a folder that holds files, so the old one steps aside first and returns on failure.
    aside = new.with_name(f"{new.name}.old")
    os.rename(target, aside)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(aside, target)
        raise
    shutil.rmtree(aside)


def record(run_folder: Path, root: Path, corpora: Path | None = None) -> Path:
    """Copy a run into `root/{corpus}/{experiment}/{split}/seed{n}`, replacing an older record of the same run.

    Args:
        run_folder: a finished run with its four files.
        root: the folder of records, such as `results/record`.
        corpora: the folder of prepared corpora; if it holds the run's, its scores are made again and compared.

    Returns:
        The folder of the record.

    Raises:
        CmanError: one of the files is missing, `scores.json` or `provenance.json` is malformed, or the predictions do
            not give the scores.
    """
    for name in (*COPIED, PREDICTIONS):
        if not (run_folder / name).is_file():
            raise CmanError(f"{run_folder / name}: found no such file, wanted a finished run with {name}")
    run = read_run(run_folder)
    if corpora is not None and (corpora / run.corpus / run.split / "test.jsonl").is_file():
        read_predicted([run], corpora)
    target = root / run.corpus / run.experiment / run.split / f"seed{run.seed}"
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o777 & ~umask)  # mkdtemp makes private folders; a record is as readable as any other
        for name in (*COPIED, *(name for name in OPTIONAL if (run_folder / name).is_file())):
            shutil.copyfile(run_folder / name, beside / name)
        for name in (name for name in PACKED if (run_folder / name).is_file()):
            _compress(run_folder / name, beside / f"{name}.gz")
        _replace_folder(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target
