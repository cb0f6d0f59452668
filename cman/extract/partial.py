"""The output of a run that is not finished: its lines so far, and how far in the input they reach.

    OUT.partial        extractions (JSONL) of the documents done so far
    OUT.partial.json   lines and bytes of the input that they cover, bytes of both outputs, and what run it is

After each chunk of documents the lines are written, then the state, atomically. A run that ends in between, or in the
middle of a write, leaves lines that the state does not know yet, the last one perhaps torn; they are cut off when it is
resumed, and the documents are read again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cman.errors import CmanError, UsageError
from cman.extract.extraction import Extraction
from cman.extract.reading import Record
from cman.files import read_json, write_json


@dataclass(frozen=True)
class State:
    """How far a run is."""

    lines: int = 0
    input_bytes: int = 0
    documents: int = 0
    failed: int = 0
    output_bytes: int = 0
    error_bytes: int = 0


class Partial:
    """The unfinished files of a run.

    Args:
        target: the file that the run is to make.
        errors: the file of what could not be processed; it is written as it goes, too.
        run: what makes this run another than one with other arguments.
        resume: go on where a run with the same arguments stopped; from the start if there is none.

    Raises:
        UsageError: an unfinished run stands here and `resume` is False, or it is another run.
    """

    def __init__(self, target: Path, errors: Path, run: dict[str, Any], resume: bool) -> None:
        self.lines = target.with_name(f"{target.name}.partial")
        self.mark = target.with_name(f"{target.name}.partial.json")
        self.errors, self.run, self.state = errors, run, State()
        if self.mark.exists():
            self.state = self._stopped(resume)
        self.lines.parent.mkdir(parents=True, exist_ok=True)
        self.errors.parent.mkdir(parents=True, exist_ok=True)
        for path, size in ((self.lines, self.state.output_bytes), (self.errors, self.state.error_bytes)):
            path.touch()
            with path.open("r+b") as stream:
                stream.truncate(size)
        self._save()

    def add(self, done: Sequence[Extraction], failed: Sequence[tuple[Record, str]], last: Record) -> None:
        """Write a chunk: what was found, and what failed with its reason; `last` is the last record of the chunk.

        Raises:
            CmanError: see `append`; the state is still that of the chunk before.
        """
        output = "".join(extraction_line(each) for each in done).encode()
        reasons = "".join(
            json.dumps({"line": record.line, "id": record.id, "error": why}, ensure_ascii=False) + "\n"
            for record, why in failed
        ).encode()
        for path, content in ((self.lines, output), (self.errors, reasons)):
            append(path, content)
        self.state = State(
            lines=last.line,
            input_bytes=last.end,
            documents=self.state.documents + len(done) + len(failed),
            failed=self.state.failed + len(failed),
            output_bytes=self.state.output_bytes + len(output),
            error_bytes=self.state.error_bytes + len(reasons),
        )
        self._save()

    def close(self) -> None:
        """Remove what only an unfinished run needs."""
        self.lines.unlink(missing_ok=True)
        self.mark.unlink()
        if not self.state.error_bytes:
            self.errors.unlink()

    def _stopped(self, resume: bool) -> State:
        if not resume:
            raise UsageError(
                f"{self.lines}: found what a stopped run left, wanted --resume to go on, or its two files removed"
            )
        value = read_json(self.mark)
        try:
            state, run = State(**value["state"]), value["run"]
        except (KeyError, TypeError) as error:
            raise CmanError(f"{self.mark}: is no state of a stopped run ({error!r})") from None
        for key, expected in self.run.items():
            if run.get(key) != expected:
                raise UsageError(
                    f"--resume: found a stopped run with {key} {run.get(key)!r}, wanted {expected!r}: not the same run"
                )
        for path, size in ((self.lines, state.output_bytes), (self.errors, state.error_bytes)):
            if (path.stat().st_size if path.exists() else 0) < size:
                raise CmanError(f"{path}: found less than the {size} bytes that {self.mark.name} says were written")
        return state

    def _save(self) -> None:
        write_json(self.mark, {"run": self.run, "state": asdict(self.state)})


def append(path: Path, content: bytes) -> None:
    """Write all of `content` behind what a file has.

    Raises:
        CmanError: the file cannot take it all, such as on a full disk; a part of it may have been written.
    """
    try:
        # Buffered: the raw stream may take less than it is given and say so only by what it returns.
        with path.open("ab") as stream:
            stream.write(content)
    except OSError as error:
        raise CmanError(f"{path}: cannot be written ({error.strerror}); wanted room for {len(content)} bytes") from None


def extraction_line(extraction: Extraction) -> str:
    """Return an extraction as one line of JSON."""
    return json.dumps(extraction.to_json(), ensure_ascii=False) + "\n"
