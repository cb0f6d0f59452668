"""Which regime of `config/convergence.yaml` everything is trained by: the rule of docs/study.md over its histories.

A run's experiment is MODEL@REGIME, or MODEL alone in the first regime. Of the regimes in which every model has
converged, the one with the best mean of dev relation F1 after the last epoch; of those within 0.3 of it, the cheapest.
If none qualifies, the one whose largest shortfall is smallest, and that is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cman.errors import CmanError
from cman.evaluation.convergence import Convergence, read_convergence
from cman.files import read_json, write_csv

FIRST = "first"  # the regime without a name
TIE = 0.3
COLUMNS = ("regime", "model", "epochs", "converged", "loss_fall", "dev_rise", "moved", "dev_relation_f1", "seconds")


@dataclass(frozen=True)
class Trained:
    """One model in one regime."""

    model: str
    regime: str
    end: Convergence
    seconds: float

    def line(self) -> dict[str, str]:
        """Return its line of the file; what is not known is empty."""
        figures = (self.end.loss_fall, self.end.dev_rise, self.end.moved, self.end.dev_f1)
        known = {True: "yes", False: "no", None: ""}[self.end.converged]
        shown = ("" if value is None else f"{value:.2f}" for value in figures)
        values = (self.regime, self.model, str(self.end.epochs), known, *shown, f"{self.seconds:.1f}")
        return dict(zip(COLUMNS, values, strict=True))


def read_trained(folder: Path) -> Trained:
    """Return what a run folder tells, scored or not.

    Raises:
        CmanError: it has no history or provenance, or a malformed one.
    """
    facts = read_json(folder / "provenance.json")
    if not isinstance(facts, dict) or not isinstance(facts.get("experiment"), str):
        raise CmanError(f"{folder / 'provenance.json'}: found no experiment, wanted that of a run")
    model, _, regime = facts["experiment"].partition("@")
    seconds = facts.get("seconds")
    end = read_convergence(folder / "history.csv")
    return Trained(model, regime or FIRST, end, float(seconds) if isinstance(seconds, int | float) else 0.0)


def regimes(runs: Sequence[Trained]) -> dict[str, list[Trained]]:
    """Return the runs of each regime that has all models, which are those of the first regime.

    Raises:
        CmanError: a model stands twice in a regime.
    """
    found: dict[str, dict[str, Trained]] = {}
    for run in runs:
        if found.setdefault(run.regime, {}).setdefault(run.model, run) is not run:
            raise CmanError(f"{run.model}@{run.regime}: found two runs, wanted one seed")
    models = found.get(FIRST, {}).keys()
    return {name: list(members.values()) for name, members in found.items() if members.keys() >= models}


def chosen(complete: Mapping[str, Sequence[Trained]]) -> tuple[str, bool]:
    """Return the regime that the rule chooses, and whether all of its models have converged.

    Raises:
        CmanError: there is no regime with every model.
    """
    if not complete:
        raise CmanError("found no regime with all models, wanted at least the first of config/convergence.yaml")
    ready = {name: members for name, members in complete.items() if all(each.end.converged for each in members)}
    if not ready:
        return min(complete, key=lambda name: max(each.end.shortfall for each in complete[name])), False
    best = max(map(mean_f1, ready.values()))
    near = [name for name, members in ready.items() if mean_f1(members) >= best - TIE]
    return min(near, key=lambda name: sum(each.seconds for each in ready[name])), True


def mean_f1(members: Sequence[Trained]) -> float:
    """Return the mean over models of dev relation F1 after the last epoch."""
    return sum(each.end.dev_f1 or 0.0 for each in members) / len(members)


def report(folders: Sequence[Path], output: Path | None = None) -> Iterator[str]:
    """Yield a line a regime and what the rule chooses; write all runs as CSV.

    Raises:
        CmanError: see `read_trained`, `regimes` and `chosen`.
    """
    runs = [read_trained(folder) for folder in folders]
    complete = regimes(runs)
    if output is not None:
        write_csv(output, COLUMNS, (run.line() for run in runs))
    yield f"{'regime':12}{'models':>8}{'converged':>11}{'shortfall':>11}{'dev relation F1':>17}{'minutes':>9}"
    for name, members in complete.items():
        count = sum(bool(each.end.converged) for each in members)
        short = max(each.end.shortfall for each in members)
        minutes = sum(each.seconds for each in members) / 60
        yield f"{name:12}{len(members):8}{count:11}{short:11.2f}{mean_f1(members):17.2f}{minutes:9.1f}"
    for name in dict.fromkeys(run.regime for run in runs if run.regime not in complete):
        yield f"{name:12}lacks a model of the first regime and is not chosen from"
    name, ready = chosen(complete)
    yield f"chosen: {name}" + ("" if ready else "; no regime has converged, its largest shortfall is the smallest")
