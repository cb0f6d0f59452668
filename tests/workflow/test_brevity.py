"""What a log says of many jobs."""

import logging
from typing import Any

from cman.workflow.brevity import Brief, shortened


def record(event: str | None, **values: Any) -> logging.LogRecord:
    made = logging.makeLogRecord(values)
    made.event = event
    return made


def test_a_reason_names_the_first_files_and_counts_the_others():
    many = ", ".join(f"run{number}/scores.json" for number in range(6))
    assert shortened(f"Missing output files: a, b; Input files updated by another job: {many}") == (
        "Missing output files: a, b; Input files updated by another job: "
        "run0/scores.json, run1/scores.json, run2/scores.json and 3 more"
    )
    four = "Updated input files: a, b, c, d"
    assert shortened(four) == four
    other = "Params have changed since last execution: <a, b, c, d, e, f>"
    assert shortened(other) == other


def test_a_dry_run_lists_so_many_jobs_of_a_rule_and_their_commands():
    brief = Brief(bool, most=2)  # bool() is False: not all
    shown = [
        brief.filter(record(event, rule_name=rule, reason=""))
        for rule in ("train", "train", "train", "score", "train")
        for event in ("job_info", "shellcmd")
    ]
    assert shown == [True] * 4 + [False] * 2 + [True] * 2 + [False] * 2
    assert brief.filter(record(None)) and brief.filter(record("job_error", rule_name="train"))
    everything = Brief(lambda: True, most=1)
    assert all(everything.filter(record("job_info", rule_name="train", reason="")) for _ in range(5))
