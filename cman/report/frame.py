"""The one tidy table that every printed figure is a pivot of: a line for each run and figure.

    corpus, experiment, split, seed, task, matching, type, figure, value, run

Of a type of the corpus, figures are precision, recall, f1 and gold, its number of gold items. Of all types together
`type` is empty, which no type is, and figures are `micro_` (of the counts of all) and `macro_` (mean over the types
seen in gold or prediction) precision, recall and f1 and, of relations under strict matching, what needs their ranking
(`RANKED`). Figures are in percent; what is not defined is missing: scores of relations where the test documents have
none, and overall F1 then, the mean of strict micro entity and relation F1.

A figure of an experiment is the mean over its seeds (with folds: the mean over folds within a seed first), its
deviation the sample standard deviation over seeds, or over folds where there is one seed alone.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from cman.evaluation.counts import Counts
from cman.evaluation.scores import MATCHINGS
from cman.report.results import ALL, COUNTED, RANKED, Level, Run

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["corpus", "experiment", "split", "seed"]
COLUMNS = [*KEYS, "task", "matching", "type", "figure", "value", "run"]
FIGURES = ("precision", "recall", "f1")
MICRO, MACRO = "micro_f1", "macro_f1"
STRICT = MATCHINGS[0]

Measured = tuple[str, str, str, str, float | None]  # task, matching, type, figure, value


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (n - 1) of one figure; a single value has no deviation, nothing no mean."""

    mean: float | None = None
    sd: float | None = None
    runs: tuple[Run, ...] = ()


def _averages(level: Level) -> Iterator[tuple[str, str, float | None]]:
    """Return type, figure and value of all types together and of each, undefined where nothing is gold."""
    types = {name: counts for name, counts in level.items() if name != ALL}
    seen = [counts for counts in types.values() if counts.predicted or counts.gold]
    defined = bool(level[ALL].gold)
    for figure in FIGURES:
        yield ALL, f"micro_{figure}", _percent(level[ALL], figure) if defined else None
        values = [_percent(counts, figure) for counts in seen]
        yield ALL, f"macro_{figure}", math.fsum(values) / len(values) if values and defined else None
        for name, counts in types.items():
            yield name, figure, _percent(counts, figure)
    for name, counts in types.items():
        yield name, "gold", counts.gold


def _percent(counts: Counts, figure: str) -> float:
    # One division of whole numbers, so that 84.375 is 84.375.
    if figure == "f1":
        items = counts.predicted + counts.gold
        return 200 * counts.true_positive / items if items else 0.0
    items = counts.predicted if figure == "precision" else counts.gold
    return 100 * counts.true_positive / items if items else 0.0


def _scores(run: Run) -> Iterator[Measured]:
    micro: dict[str, float | None] = {}
    for task in COUNTED:
        for matching in MATCHINGS:
            for kind, figure, value in _averages(run.scores[task][matching]):
                if (matching, figure) == (STRICT, MICRO):
                    micro[task] = value
                yield task, matching, kind, figure, value
    for figure in RANKED:
        yield "relations", STRICT, ALL, figure, run.ranking.get(figure)
    single = [value for value in micro.values() if value is not None]
    yield "overall", STRICT, ALL, MICRO, sum(single) / len(COUNTED) if len(single) == len(COUNTED) else None


def tidy(measured: Iterable[tuple[Run, Iterable[Measured]]]) -> "pd.DataFrame":
    """Return the table of what was measured of runs, sorted by run."""
    import pandas as pd  # the card of a model needs no more than the columns

    return pd.DataFrame(_columns(measured), columns=COLUMNS).astype({"value": float})


def score_frame(runs: Iterable[Run]) -> "pd.DataFrame":
    """Return the table of all scores of runs."""
    return tidy((run, _scores(run)) for run in runs)


def score_columns(run: Run) -> dict[str, list[Any]]:
    """Return the same table of one run as lists, a column each."""
    return _columns([(run, _scores(run))])


def _columns(measured: Iterable[tuple[Run, Iterable[Measured]]]) -> dict[str, list[Any]]:
    lines = [
        (run.corpus, run.experiment, run.split, run.seed, *names, math.nan if value is None else value, run)
        for run, figures in sorted(measured, key=lambda pair: (pair[0].name, pair[0].seed))
        for *names, value in figures
    ]
    return {name: [line[index] for line in lines] for index, name in enumerate(COLUMNS)}


def summaries(
    frame: "pd.DataFrame | Mapping[str, Sequence[Any]]", by: Sequence[str], *, total: bool = False
) -> dict[Any, Summary]:
    """Return mean and deviation of each group of lines, in the order of the first line of each.

    Args:
        by: columns, such as experiment and task; the keys of the result are tuples of their values.
        total: whether values add up over folds, as counts do, rather than being averaged.
    """
    values: dict[tuple[str, ...], dict[int, list[float]]] = {}
    runs: dict[tuple[str, ...], dict[str, Run]] = {}
    columns = [frame[name] for name in (*by, "seed", "value", "run")]
    for *names, seed, value, run in zip(*columns, strict=True):
        key = tuple(names)
        runs.setdefault(key, {})[run.name] = run
        known = values.setdefault(key, {})
        if not math.isnan(value):
            known.setdefault(seed, []).append(value)
    return {key: _summary(list(seeds.values()), tuple(runs[key].values()), total) for key, seeds in values.items()}


def _summary(seeds: Sequence[Sequence[float]], runs: tuple[Run, ...], total: bool) -> Summary:
    if not seeds:
        return Summary(runs=runs)
    single = seeds[0] if len(seeds) == 1 and not total else None
    values = single or [math.fsum(members) if total else statistics.mean(members) for members in seeds]
    return Summary(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None, runs)


def fixed(value: float | None, places: int = 2) -> str:
    """Return a figure with so many decimals, halves rounded up as a reader does by hand; empty for a missing figure."""
    if value is None:
        return ""
    # Nine decimals first: 84.375 may be stored as 84.37499999999999 after an average, which is a half all the same.
    return str(Decimal(f"{value:.9f}").quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))


def percent(value: float | None) -> str:
    """Return a figure with two decimals, none of them with a minus that rounds to nothing."""
    return fixed(value).removeprefix("-") if value is not None and abs(value) < 0.005 else fixed(value)


def signed(value: float | None) -> str:
    """Return a difference with its sign and two decimals; nothing has a sign where it rounds to 0."""
    text = percent(value)
    return f"+{text}" if value is not None and value > 0 and float(text) else text


def probability(p: float | None) -> str:
    """Return p with three decimals, and small ones as a bound."""
    if p is None:
        return ""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1.000"


def exact(value: float | None) -> str:
    """Return a value as a CSV has it: whole numbers as they are, others with six decimals, nothing for none."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value + 0.0:.6f}".replace("-0.000000", "0.000000")
