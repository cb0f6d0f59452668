"""The ledger as lines of docs/results.md, and the sentence that README has of it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from cman.evaluation.convergence import convergence_of
from cman.report.frame import fixed, probability, signed
from cman.report.ledger.claims import REGIME_SHORTFALL
from cman.report.ledger.rows import CONTRADICTED, IMPOSSIBLE, SUPPORTED, TOLERANCE, UNDECIDED, Row

ORDER = (SUPPORTED, CONTRADICTED, UNDECIDED, IMPOSSIBLE)


def first_line(rows: Sequence[Row]) -> str:
    """Return what has to be known before a row is read: whether the records can decide anything, and converged."""
    folders = {run.folder for row in rows for run in row.runs}
    ends = [convergence_of(folder) for folder in sorted(folders)]
    done = sum(end is not None and end.converged is True for end in ends)
    told = f"{done} of the {len(ends)} trainings behind these rows had converged by the rule of [the study](study.md)"
    if resting := sum(end is not None and end.still_rising for end in ends):
        told += f", and of {resting} more the loss had come to rest and F1 on dev still rose"
    known = [row for row in rows if row.runs]
    if all(row.exploratory for row in known):
        chosen = any(row.regime is not None for row in known)
        why = "no regime has been chosen yet"
        if chosen:
            why = f"none of them is of the regime that was chosen ({REGIME_SHORTFALL})"
        return f"The records are exploratory, so no claim is decided by them: {why}, and {told}."
    rest = list(dict.fromkeys(row.claim.number for row in known if row.exploratory))
    return f"{told[0].upper()}{told[1:]}." + (f" Exploratory are those of {', '.join(rest)}." if rest else "")


def sentence(rows: Sequence[Row]) -> str:
    """Return the sentences of README: how many questions have which verdict, and which are decided, with intervals."""
    counts = Counter(row.verdict for row in rows)
    listed = ", ".join(f"{counts[name]} {name}" for name in ORDER if counts[name])
    told = [f"Against the paper, of {len(rows)} questions: {listed}."]
    for verdict in (SUPPORTED, CONTRADICTED):
        decided = [f"{row.claim.number}, {row.claim.text}: {interval(row)}" for row in rows if row.verdict == verdict]
        if decided:
            told.append(f"{verdict.capitalize()}: {'; '.join(decided)}.")
    return " ".join(told)


def interval(row: Row) -> str:
    """Return the difference, and its interval where it was measured."""
    measured = signed(row.point) if row.point is not None else "–"
    if row.measured is None:
        return measured
    return f"{measured} [{signed(row.measured.low)}, {signed(row.measured.high)}]"


def cells(row: Row) -> list[str]:
    """Return the cells of a row of the first table."""
    claim, found = row.claim, row.measured
    p = f" ({probability(row.p_holm)})" if row.p_holm is not None else ""
    reason = f": {row.reason}" if row.reason else ""
    return [
        claim.number,
        claim.text,
        f"{'' if claim.published is None else signed(claim.published) + ', '}{claim.where}",
        f"`{claim.first}` − `{claim.second}`" + (f", {row.title}, seeds: {row.seeds}" if row.runs else ""),
        interval(row) + p,
        fixed(None if found is None else found.detectable) or "–",
        thresholds(row),
        signed(row.precision) if row.precision is not None else "–",
        "–" if row.second is None else signed(row.second.effect),
        f"**{row.verdict}**{reason}",
    ]


def thresholds(row: Row) -> str:
    """Return the differences at the lowest and the highest threshold that are known."""
    if not row.by_threshold:
        return "–"
    return ", ".join(f"{threshold:g}: {signed(found.effect)}" for threshold, found in row.by_threshold.items())


def commands(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Yield what repeats each claim: its number, its trainings' minutes by device, the tolerance, the command."""
    for row in rows:
        if row.runs:
            minutes = (f"{each:.0f}" if each else "–" for each in row.minutes)
            yield [row.claim.number, *minutes, f"{TOLERANCE:g}", f"`{row.command}`"]
