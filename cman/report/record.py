"""Copies a finished run into the folder of record: small plain files that tables can be made from without training.

A record holds `scores.json`, `provenance.json`, `history.csv`, `predictions.jsonl.gz` and, if the run has them,
`ranking.jsonl.gz` and `label_copies.json`, under `{corpus}/{experiment}/{split}/seed{n}` as its provenance names them,
wherever the run folder itself lies. It has a manifest of their hashes, appears as a whole or not at all, and equal runs
give equal bytes.
"""

import gzip
import io
import shutil
from pathlib import Path

from cman.errors import CmanError
from cman.exchange import replace_folder, restore
from cman.files import atomic_path, sync
from cman.hashes import check_content
from cman.lock import locked
from cman.manifest import list_files
from cman.report.predictions import read_predicted
from cman.report.results import read_run

COPIED = ("scores.json", "provenance.json", "history.csv")
OPTIONAL = ("label_copies.json",)  # runs made before it was counted have none
PREDICTIONS = "predictions.jsonl"
PACKED = (PREDICTIONS, "ranking.jsonl")  # older runs have no ranking


def _copied(source: Path) -> bytes:
    content = source.read_bytes()
    check_content(source, content)
    return content


def _packed(source: Path) -> bytes:
    # The gzip header normally carries the file's name and time, which would change the bytes of equal predictions.
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        stream.write(_copied(source))
    return packed.getvalue()


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
    names = [*COPIED, *(name for name in OPTIONAL if (run_folder / name).is_file())]
    contents = {name: _copied(run_folder / name) for name in names}
    contents |= {f"{name}.gz": _packed(run_folder / name) for name in PACKED if (run_folder / name).is_file()}
    beside = target.with_name(f".{target.name}.new")
    with locked(target, "recorded"):
        restore(target)
        shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
        beside.mkdir()
        try:
            for name, content in contents.items():
                with atomic_path(beside / name) as temporary:
                    temporary.write_bytes(content)
            list_files(beside, contents)
            replace_folder(beside, target)
            sync(target.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return target
