"""Comparisons as cells, figures and sentences; sections about differences share them.

Holm's correction is made within a family of comparisons and a task. Sentences are generated from the figures: a
difference is called distinguishable from zero where its corrected p is below 0.05, and not otherwise.
"""

from collections.abc import Sequence

from cman.evaluation.sentences import TASKS
from cman.evaluation.significance import holm
from cman.report.appendix.evidence import Comparison
from cman.report.appendix.layout import Cell, Heading, Section, probability, signed, spoken

ALPHA = 0.05
SINGULAR = {"entities": "entity F1", "relations": "relation F1", "overall": "overall F1"}
GROUPS = (*(Heading(name.capitalize(), 3) for name in TASKS), Heading(""))
HEADS = ("difference", "p", "Holm") * len(TASKS) + ("n",)


def adjusted(family: Sequence[Comparison]) -> list[tuple[float, ...]]:
    """Return Holm's p of each comparison of a family for entities, relations and overall."""
    tasks = [holm([comparison.p[task] for comparison in family]) for task in range(len(TASKS))]
    return list(zip(*tasks, strict=True))


def cells(comparison: Comparison, corrected: Sequence[float], *, deviation: bool) -> tuple[Cell, ...]:
    """Return difference, p and Holm's p of each task, and the number of pairs; bold where it is significant."""
    result = []
    for difference, p, holm_p in zip(comparison.difference, comparison.p, corrected, strict=True):
        sd = signed(difference.sd).removeprefix("+") if deviation else ""
        result += [
            Cell(signed(difference.mean), sd, strong=holm_p < ALPHA),
            Cell(probability(p)),
            Cell(probability(holm_p), strong=holm_p < ALPHA),
        ]
    return (*result, Cell(str(comparison.pairs)))


def empty_cells() -> tuple[Cell, ...]:
    """Return the dashes of a comparison that could not be made, as many as `cells`."""
    return (Cell(),) * len(HEADS)


def keep(section: Section, item: str, comparison: Comparison, corrected: Sequence[float]) -> None:
    """Add a comparison's figures to a section."""
    names = comparison.experiment.first.experiment, comparison.reference.first.experiment
    for place, task in enumerate(TASKS):
        difference = comparison.difference[place]
        values = {"difference": difference.mean, "difference_sd": difference.sd}
        values |= {"p": comparison.p[place], "p_holm": corrected[place]}
        for name, value in values.items():
            section.add(names[0], item, name, value, comparison.runs, task, names[1])
    section.add(names[0], item, "pairs", comparison.pairs, comparison.runs, "", names[1])


def conclusion(what: str, comparison: Comparison, corrected: Sequence[float], asked: str = "") -> str:
    """Return what the figures of a comparison say, and what else than the model differs between the two.

    Args:
        asked: what differs on purpose and needs no mention, a key of `unequal`.
    """
    said = [
        f"{SINGULAR[task]} {spoken(comparison.difference[place].mean)} (Holm {_equals(corrected[place])})"
        for place, task in enumerate(TASKS)
    ]
    clear = [text for text, p in zip(said, corrected, strict=True) if p < ALPHA]
    vague = [text for text, p in zip(said, corrected, strict=True) if p >= ALPHA]
    if not clear:
        verdict = f"none of the three differences is distinguishable from zero: {_list(vague)}"
    elif not vague:
        verdict = f"all three differences are distinguishable from zero: {_list(clear)}"
    else:
        verdict = (
            f"distinguishable from zero {'is' if len(clear) == 1 else 'are'} {_list(clear)}; "
            f"not distinguishable {'is' if len(vague) == 1 else 'are'} {_list(vague)}"
        )
    names = f"{comparison.experiment.first.title} minus {comparison.reference.first.title}"
    alone = " A single pair of runs shows no spread over seeds." if comparison.pairs == 1 else ""
    others = [f" {text}" for kind, text in comparison.unequal.items() if kind != asked]
    return f"{what} ({names}): {verdict}.{alone}{''.join(others)}"


def number_of(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _equals(p: float) -> str:
    text = probability(p)
    return f"p{text}" if text.startswith("<") else f"p={text}"  # in one piece, so that no line ends in it


def _list(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
