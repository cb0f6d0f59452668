"""How much memory and time a job asks a cluster for: more each time it was ended for having too little.

A training that runs into its limit goes on from its checkpoint, so a time that is too short costs a start, not a run.
"""

from pathlib import Path

MEGABYTES = 3000  # of a training or of predictions, with frozen features; `docs/limits.md` has what was measured
START = 20  # minutes for imports, features and the predictions of dev
AN_EPOCH = 2  # minutes for a megabyte of training documents, on one core; CoNLL04 has half a megabyte


def memory(attempt: int, megabytes: int = MEGABYTES) -> int:
    """Return the memory of a job in megabytes: twice as much with each attempt."""
    return megabytes << (attempt - 1)


def minutes(attempt: int, epochs: int = 0, documents: Path | None = None) -> int:
    """Return the time of a job in minutes, by its epochs over a file of documents; twice as much with each attempt.

    Documents that are not prepared yet count as one megabyte.
    """
    try:
        size = 1.0 if documents is None else documents.stat().st_size / 1e6
    except OSError:
        size = 1.0
    return round(START + epochs * AN_EPOCH * max(size, 0.5)) << (attempt - 1)
