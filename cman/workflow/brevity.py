"""What Snakemake says of jobs, cut to what is read: a plan of fifty seeds would be twenty megabytes of file names.

A reason names a few files and counts the others. A dry run lists so many jobs of each rule one by one, which are all of
five seeds of the paper; its table counts all of them, and with `--verbose` all are listed.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable

LISTED = 500  # jobs of a rule
NAMED = 3  # files of a reason
# Snakemake's clauses, such as "Missing output files: a, b; Input files updated by another job: c".
CLAUSE = re.compile(r"((?:output|input) files(?: updated by another job)?: )([^;]*)", flags=re.IGNORECASE)


class Brief(logging.Filter):
    """Shortens reasons, and leaves out the jobs of a rule that has very many."""

    def __init__(self, all_listed: Callable[[], bool], most: int = LISTED) -> None:
        """Take what says whether all jobs are listed, which is not known yet, and how many of a rule are otherwise."""
        super().__init__()
        self.all_listed, self.most, self.seen, self.hidden = all_listed, most, Counter[str](), False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown; a job's command follows the job."""
        event = getattr(record, "event", None)
        kind = getattr(event, "value", event)
        if kind == "shellcmd":
            return not self.hidden
        if kind != "job_info":
            return True
        record.reason = shortened(str(getattr(record, "reason", "")))
        rule = str(getattr(record, "rule_name", ""))
        self.seen[rule] += 1
        self.hidden = self.seen[rule] > self.most and not self.all_listed()
        return not self.hidden


def shortened(reason: str) -> str:
    """Return a reason that names the first files of each kind and says how many more there are."""
    return CLAUSE.sub(lambda clause: clause[1] + _few(clause[2].split(", ")), reason)


def _few(names: list[str]) -> str:
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(sorted(names)[:NAMED])} and {len(names) - NAMED} more"
