"""The output of a run that is not finished: its lines so far, and how far in the input they reach.

    OUT.partial        extractions (JSONL) of the documents done so far
    OUT.partial.json   lines and bytes of the input that they cover, what both outputs hold, and what run it is

After each chunk of documents the lines are written, then the state, atomically. A run that ends in between, or in the
middle of a write, leaves lines that the state does not know yet, the last one perhaps torn; they are cut off when it is
resumed, and the documents are read again. At the end the lines are compared with the state, get their name, and the
state goes last: one without its lines says that all was done.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cman.errors import CmanError, UsageError
from cman.extract.growing import Extent, Growing, extent_of
from cman.extract.reading import Record
from cman.files import read_json, write_json
from cman.lock import Lock

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """How far a run is."""

    lines: int = 0
    input_bytes: int = 0
    source: int = 0  # of the inputs, that of the last document
    documents: int = 0
    failed: int = 0
    complete: bool = False  # all of the input is done; what is left is to give the output its name
    output: Extent = field(default_factory=Extent)
    errors: Extent = field(default_factory=Extent)


class Partial:
    """The unfinished files of a run.

    Args:
        target: the file that the run is to make.
        errors: the file of what could not be processed; it is written as it goes, too.
        run: what makes this run another than one with other arguments.
        resume: go on where a run with the same arguments stopped; from the start if there is none.
        lock: of the target; nothing is written once another process has taken it over.

    Raises:
        UsageError: an unfinished run stands here and `resume` is False, or it is another run.
        CmanError: what a stopped run left is damaged.
    """

    def __init__(self, target: Path, errors: Path, run: dict[str, Any], resume: bool, lock: Lock) -> None:
        self.run, self.lock, self.state, self._errors = run, lock, State(), errors
        lines = target.with_name(f"{target.name}.partial")
        self.mark = target.with_name(f"{target.name}.partial.json")
        self.ended = False  # by an earlier process, which could not remove its state any more
        if self.mark.exists():
            stopped = self._stopped(lines, resume)
            if stopped is not None:
                self.state = stopped
                self.ended = stopped.complete and not lines.exists() and target.exists()
        if self.ended:
            return
        self.lines, self.errors = Growing(lines, self.state.output), Growing(errors, self.state.errors)
        self._save()

    def add(self, done: Sequence[str], failed: Sequence[tuple[Record, str]], last: Record) -> None:
        """Write a chunk: lines of what was found, and what failed with its reason; `last` is its last record.

        Raises:
            CmanError: see `Growing.append`, or another process took over; the state is still that of the chunk before.
        """
        self.lock.check()
        self.lines.append("".join(done).encode())
        self.errors.append(
            "".join(
                json.dumps({"line": record.line, "id": record.id, "error": why}, ensure_ascii=False) + "\n"
                for record, why in failed
            ).encode()
        )
        self.state = State(
            lines=last.line,
            input_bytes=last.end,
            source=last.source,
            documents=self.state.documents + len(done) + len(failed),
            failed=self.state.failed + len(failed),
            output=self.lines.extent,
            errors=self.errors.extent,
        )
        self._save()

    def finish(self, name: Callable[[Path], None]) -> None:
        """Give the lines their name once they are all that was written, and remove what only an unfinished run needs.

        Args:
            name: makes the target of the file of lines; that file may be gone then.

        Raises:
            CmanError: a file is not what was written, or another process took over.
        """
        if not self.ended:
            self.lock.check()
            for file in (self.lines, self.errors):
                file.check()
            counted, written = self.state.documents, self.state.output.lines + self.state.errors.lines
            if counted != written:
                raise CmanError(f"{self.mark}: found {written} lines of {counted} documents, wanted a line for each")
            self.state = replace(self.state, complete=True)
            self._save()
            name(self.lines.path)
            self.lines.path.unlink(missing_ok=True)
        if not self.state.errors.size:
            self._errors.unlink(missing_ok=True)
        self.mark.unlink()

    def _stopped(self, lines: Path, resume: bool) -> State | None:
        """Return the state of the run that stopped; None if it was done but for its state, and is to begin anew."""
        value = read_json(self.mark)
        try:
            sealed, state, run = value["sha256"], dict(value["state"]), value["run"]
            if sealed != _seal(run, state):
                raise ValueError("its own SHA-256 is another")
            output, errors = extent_of(state.pop("output")), extent_of(state.pop("errors"))
            stopped = State(**state, output=output, errors=errors)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CmanError(f"{self.mark}: is no state of a stopped run ({error!r}); remove it to begin anew") from None
        if not resume:
            if stopped.complete and not lines.exists():
                return None
            raise UsageError(
                f"{lines}: found what a stopped run left, wanted --resume to go on, or its two files removed"
            )
        for key, expected in self.run.items():
            if run.get(key) != expected:
                raise UsageError(
                    f"--resume: found a stopped run with {key} {run.get(key)!r}, wanted {expected!r}: not the same run"
                )
        return stopped

    def _save(self) -> None:
        state = asdict(self.state)
        write_json(self.mark, {"run": self.run, "state": state, "sha256": _seal(self.run, state)})


def _seal(run: Any, state: Any) -> str:
    return hashlib.sha256(json.dumps([run, state]).encode()).hexdigest()
