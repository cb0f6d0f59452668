"""The rows of the ledger: each claim with what the records say of it, and the verdict that docs/study.md's rules give.

The primary figure is strict micro F1 at the threshold that was chosen on dev, or at the model's own where none was;
p is of the same figure. A row is robust if sign and verdict stay at thresholds from 0.3 to 0.7 and in the second
regime, and the sign in average precision; entities have no threshold, and neither they nor a growth an average
precision. What a record does not hold makes it unknown, and only what is known to be robust is decided. A record whose
settings are not those of the regime is exploratory and decides nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import TypeGuard

import numpy as np

from cman.config.configuration import flattened
from cman.evaluation.convergence import Convergence, convergence_of
from cman.evaluation.power import Arm, Figure, bounds, detectable, draws, effect
from cman.evaluation.significance import Pair, holm, randomisation
from cman.report.evidence import ALPHA, Evidence
from cman.report.frame import signed
from cman.report.ledger.claims import CLAIMS, REGIME, Claim
from cman.report.ledger.counts import CONTRASTS, at_threshold, counted, least, ranking_of
from cman.report.predictions import Predicted
from cman.report.results import ALL, Run

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
MARGIN = 1.0  # "no effect larger than", in points
TOLERANCE = 3.0  # of `cman record --repeat`, in points of relation F1
SUPPORTED, CONTRADICTED, UNDECIDED, IMPOSSIBLE = "supported", "contradicted", "undecided", "not testable here"
TASKS = ("entities", "relations")


def margin(published: float | None) -> float:
    """Return the least effect that matters to a claim, in points: half of what the paper gives, where that is more."""
    return MARGIN if published is None else max(MARGIN, published / 2)


@dataclass(frozen=True)
class Measured:
    """One difference: its size, its interval over sentences and seeds, and the effect that such draws would show."""

    effect: float
    low: float
    high: float
    detectable: float

    def speaks(self, published: float | None) -> str:
        """Return what the interval alone says: for the claim, against an effect that matters, or neither."""
        if self.low > 0:
            return SUPPORTED
        return CONTRADICTED if self.high < margin(published) else UNDECIDED


@dataclass(frozen=True)
class Row:
    """A claim with its evidence; without a measurement where no corpus has both models.

    Attributes:
        runs: of both models.
        by_threshold: the difference at each threshold at which all runs know their relations.
        precision: the difference of average precision, in points; None unless all runs have it.
        second: the difference in the second regime.
        unlike: both models are there, and one of the two alone was trained in the regime: nothing is compared.
        p: of randomisation; None where no pair of runs shares split and seed.
        p_holm: after correction over the ledger.
    """

    claim: Claim
    title: str = ""
    runs: tuple[Run, ...] = ()
    measured: Measured | None = None
    by_threshold: Mapping[float, Measured] = field(default_factory=dict)
    precision: float | None = None
    second: Measured | None = None
    p: float | None = None
    p_holm: float | None = None
    regime: Mapping[str, object] | None = None
    unlike: bool = False

    @cached_property
    def exploratory(self) -> bool:
        """Whether a run was trained in another regime than the chosen one."""
        return not all(_within(run, self.regime) for run in self.runs)

    @property
    def converged(self) -> int:
        """How many of the runs had converged."""
        return sum(end.converged is True for end in self._ends)

    @cached_property
    def _ends(self) -> list[Convergence]:
        return [end for run in self.runs if (end := convergence_of(run.folder)) is not None]

    @property
    def seeds(self) -> int:
        """The smaller of the numbers of seeds of the two models."""
        names = {self.claim.first, self.claim.second}
        return min((len({run.seed for run in self.runs if run.experiment == name}) for name in names), default=0)

    def doubts(self) -> Iterator[str]:
        """Yield what keeps the row from being robust, as far as it is known, and what is not known."""
        if self.measured is None:
            return
        sign, verdict = self.measured.effect > 0, self.measured.speaks(self.claim.published)
        if self.claim.task == "relations":
            for threshold, found in self.by_threshold.items():
                if (found.effect > 0) != sign or found.speaks(self.claim.published) != verdict:
                    yield f"otherwise at {threshold:g}"
            if unknown := [f"{each:g}" for each in THRESHOLDS if each not in self.by_threshold]:
                yield f"not known at {', '.join(unknown)}"
        if self.claim.ranked and self.precision is None:
            yield "no average precision"
        elif self.precision is not None and (self.precision > 0) != sign:
            yield "otherwise in average precision"
        # Against a model that diverged the other is better whatever the claim.
        if diverged := sum(end.diverged for end in self._ends):
            yield f"{diverged} of its {len(self.runs)} trainings diverged"
        if self.second is None:
            yield "no second regime"
        elif (self.second.effect > 0) != sign or self.second.speaks(self.claim.published) != verdict:
            yield "otherwise in the second regime"

    @property
    def point(self) -> float | None:
        """The difference of means by the scores of the runs, which are there without a prepared corpus, too."""
        if self.measured is not None:
            return self.measured.effect
        if not self.runs or self.claim.contrast:
            return None
        means = [
            fmean(100 * run.scores[self.claim.task]["strict"][ALL].f1 for run in self.runs if run.experiment == name)
            for name in (self.claim.first, self.claim.second)
        ]
        return means[0] - means[1]

    @property
    def verdict(self) -> str:
        """Return one of the four verdicts."""
        if self.claim.impossible:
            return IMPOSSIBLE
        if self.measured is None or self.exploratory or self.seeds < 2 or any(self.doubts()):
            return UNDECIDED
        spoken = self.measured.speaks(self.claim.published)
        if spoken == SUPPORTED and (self.p_holm is None or self.p_holm >= ALPHA):
            return UNDECIDED
        return spoken

    @property
    def reason(self) -> str:
        """Return why it is not decided; empty where it is."""
        if self.claim.impossible:
            return self.claim.impossible
        if not self.runs:
            return "not run" if not self.unlike else "one of the two is of another regime"
        if self.exploratory:
            return "exploratory"
        if self.measured is None:
            return "the corpus is not prepared"
        if self.seeds < 2:
            return "one seed"
        if self.verdict != UNDECIDED:
            return ""
        if self.measured.speaks(self.claim.published) == UNDECIDED:
            return f"the interval holds 0 and {signed(margin(self.claim.published))}"
        return "; ".join(self.doubts()) or "p after the correction"

    @property
    def minutes(self) -> tuple[float, float]:
        """How long its trainings took, those on a processor and those on a GPU."""
        both = [0.0, 0.0]
        for run in self.runs:
            on_gpu = not str(run.provenance.get("device", "cpu")).startswith("cpu")
            both[on_gpu] += float(run.provenance.get("seconds", 0)) / 60
        return both[0], both[1]

    @property
    def command(self) -> str:
        """Return what trains all of it again and compares."""
        if not self.runs:
            return ""
        folders = {"/".join(run.folder.parts[-4:-2]) for run in self.runs}
        splits = "main" if {run.split for run in self.runs} == {"main"} else "fold*"
        return f"cman record --repeat {' '.join(f'results/record/{each}/{splits}/seed*' for each in sorted(folders))}"


def ledger(
    evidence: Sequence[Evidence],
    rounds: int,
    regime: Mapping[str, object] | None = REGIME,
    claims: Sequence[Claim] = CLAIMS,
) -> list[Row]:
    """Return the row of each claim, p corrected over all of them.

    Args:
        rounds: of each randomisation; corpora that are not at hand have effects without anything beside them.
    """
    by_corpus = {found.corpus: found for found in evidence}
    rows = [_row(claim, by_corpus, rounds, regime) for claim in claims]
    tested = [row for row in rows if row.p is not None]
    corrected = dict(zip(map(id, tested), holm([row.p for row in tested if row.p is not None]), strict=True))
    return [replace(row, p_holm=corrected.get(id(row))) for row in rows]


def _row(claim: Claim, by_corpus: Mapping[str, Evidence], rounds: int, regime: Mapping[str, object] | None) -> Row:
    there = [each for each in map(by_corpus.get, claim.corpora) if _has(each, claim)]
    found = next((each for each in there if _alike(each, claim, regime)), None)
    if found is None:
        return Row(claim, regime=regime, unlike=bool(there))
    groups = [found.groups[name] for name in (claim.first, claim.second)]
    runs = tuple(run for group in groups for run in group.runs)
    row = Row(claim, found.title, runs, precision=_precision(runs, claim), regime=regime)
    if not found.predicted:
        return row
    models = _Models(found, claim)
    thresholds = [each for each in THRESHOLDS if each >= models.floor and claim.task == "relations"]
    other = by_corpus.get(claim.second_regime)
    return replace(
        row,
        measured=models.measured(None),
        by_threshold={each: models.measured(each) for each in thresholds},
        second=_Models(other, claim).measured(None) if _has(other, claim) and other.predicted else None,
        p=models.p(rounds, found.seed),
    )


def _trained(run: Run) -> dict[str, object]:
    """Return a run's settings by key; epochs are those of as many updates on all data, if it learned from a share."""
    flat = flattened(run.settings)
    share = flat.get("training.fraction", 1.0)
    return flat if share == 1.0 else flat | {"training.epochs": round(flat["training.epochs"] * share)}


def _within(run: Run, regime: Mapping[str, object] | None) -> bool:
    return regime is not None and all(_trained(run).get(name) == value for name, value in regime.items())


def _alike(found: Evidence, claim: Claim, regime: Mapping[str, object] | None) -> bool:
    """Return whether all runs of both models are of the regime, or none is."""
    runs = (run for name in (claim.first, claim.second) for run in found.groups[name].runs)
    return len({_within(run, regime) for run in runs}) == 1


def _has(found: Evidence | None, claim: Claim) -> TypeGuard[Evidence]:
    return found is not None and {claim.first, claim.second} <= found.groups.keys()


class _Models:
    """The runs of both models on one corpus, with what they know below their threshold."""

    def __init__(self, found: Evidence, claim: Claim) -> None:
        self.claim = claim
        self.sides = [[*found.predicted[name].values()] for name in (claim.first, claim.second)]
        self.rankings = {each.run.folder: ranking_of(each) for side in self.sides for each in side}
        self.floor = max(self._least(each) for side in self.sides for each in side)

    def _least(self, run: Predicted) -> float:
        return least(run, self.rankings[run.run.folder])

    def measured(self, threshold: float | None) -> Measured:
        """Return the difference at a threshold; None is that of dev, or the model's own where dev chose none."""
        figure = Figure(self.claim.task, CONTRASTS[self.claim.contrast])
        first, second = (self._arm(side, threshold) for side in self.sides)
        drawn = draws(first, second, figure)
        return Measured(effect(first, second, figure), *bounds(drawn), detectable(drawn))

    def p(self, rounds: int, seed: int) -> float | None:
        """Return p of the primary figure over the pairs of runs of one split and seed; None if there is no pair."""
        first, second = ({run.run.key: self._counts(run, None) for run in side} for side in self.sides)
        pairs: dict[str, list[Pair]] = {}
        for key in sorted(first.keys() & second.keys()):
            pairs.setdefault(key[0], []).append((first[key], second[key]))
        if not pairs:
            return None
        return randomisation(pairs, rounds, seed, CONTRASTS[self.claim.contrast]).p[TASKS.index(self.claim.task)]

    def _arm(self, side: Sequence[Predicted], threshold: float | None) -> Arm:
        arm: dict[str, list[np.ndarray]] = {}
        for run in side:
            arm.setdefault(run.run.split, []).append(self._counts(run, threshold))
        return arm

    def _counts(self, run: Predicted, threshold: float | None) -> np.ndarray:
        at = run.run.provenance.get("dev_threshold") if threshold is None else threshold
        known = None if at is None or at < self._least(run) else at
        return counted(run, at_threshold(run, self.rankings[run.run.folder], known), self.claim.contrast)


def _precision(runs: Sequence[Run], claim: Claim) -> float | None:
    if not claim.ranked:
        return None
    found = {name: [run.ranking.get("average_precision") for run in runs if run.experiment == name]
             for name in (claim.first, claim.second)}  # fmt: skip
    means = [fmean(each for each in values if each is not None) for values in found.values() if None not in values]
    return means[0] - means[1] if len(means) == 2 else None
