"""Run folders: what was run (`provenance.json`), how it scored (`scores.json`), and which runs belong in one row.

Scores are stored as counts; every figure is derived from true positives, predicted and gold counts (`frame`). Facts of
presentation, such as a title, come from the provenance unless they are given beside it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from cman.errors import CmanError, reads
from cman.evaluation.counts import Counts
from cman.evaluation.scores import MATCHINGS
from cman.files import read_json
from cman.layout import FOLDS
from cman.validation import Read, Text, Whole, checked

COUNTED = ("entities", "relations")  # what `scores.json` counts
ALL = ""  # in the place of a type: the counts of all types together

RANKED = ("average_precision", "f1_dev_threshold")  # of relations, strict

Level = Mapping[str, Counts]  # by type, and `ALL`
Share = Annotated[float, Field(ge=0, le=1)]


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]*")  # corpus, experiment and split are names of folders


def _fit_for_a_folder(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"found {name!r}, wanted a name fit for a folder (letters, digits, -_.@+)")
    return name


Name = Annotated[str, AfterValidator(_fit_for_a_folder)]


@dataclass(frozen=True)
class Run:
    """One run folder; `scores` by task, matching and type."""

    folder: Path
    corpus: str
    corpus_title: str
    sample: bool
    experiment: str
    title: str
    split: str
    seed: int
    protocol: str
    inputs_title: str
    division: str  # how a corpus with folds is divided; empty for a corpus without
    documents: int
    scores: Mapping[str, Mapping[str, Level]]
    ranking: Mapping[str, float | None]  # by `RANKED`, in percent; none for a run made before relations were ranked
    provenance: Mapping[str, Any] = field(repr=False)
    text: Mapping[str, Counts] = field(default_factory=dict)  # strict counts by task of documents read as raw text
    unlike: int = 0  # documents that have other tokens there

    @property
    def key(self) -> tuple[str, int]:
        """Split and seed, by which runs of two experiments are paired."""
        return self.split, self.seed

    @property
    def name(self) -> str:
        """What a JSON calls the run."""
        return f"{self.corpus}/{self.experiment}/{self.split}/seed{self.seed}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings it was trained with; none for a run that recorded none."""
        return self.provenance.get("settings") or {}

    @property
    def epochs(self) -> str:
        """The epochs it was trained for, `up to` where dev chose of them; empty if not recorded."""
        training = self.settings.get("training")
        if not training:
            return ""
        fixed = training["protocol"] == "fixed" or (training["protocol"], training.get("epoch_rule")) == (
            "retrain",
            "last",
        )
        return str(training["epochs"]) if fixed else f"up to {training['epochs']}"

    @property
    def training(self) -> str:
        """What else of its training an experiment may change, in words; empty for a run without settings."""
        training, dropout = self.settings.get("training"), self.settings.get("dropout")
        if not training or not dropout:
            return ""
        encoder = self.settings.get("encoder") or {"trainable": False}  # older runs were made before there was one
        tuned = f", encoder trained at {encoder['lr']:g}" if encoder["trainable"] else ""
        return (
            f"batches of {training['batch_size']}, learning rate {training['lr']:g} ({training['schedule']}), dropout "
            f"{dropout['inputs']:g} and {dropout['recurrent']:g}"
            f"{', adversarial' if self.settings['at']['enabled'] else ''}{tuned}"
        )

    @property
    def folds(self) -> int:
        """How many folds its corpus is divided into: as many as an own corpus says, else the ten public ones."""
        own = re.match(r"([0-9]+) folds", self.division)
        return int(own[1]) if own else len(FOLDS)

    def reference(self) -> dict[str, Any]:
        """Return what a figure's JSON says of a run behind it."""
        named = {name: getattr(self, name) for name in ("corpus", "experiment", "split", "seed")}
        revision = str((self.provenance.get("git") or {}).get("revision", ""))
        return {**named, "revision": revision, "folder": str(self.folder)}


@dataclass(frozen=True)
class Group:
    """The runs of one experiment on one corpus, sorted by split and seed: one row of a table."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """A run that speaks for all: title, protocol and inputs are the same in every run of a group."""
        return self.runs[0]

    @property
    def seeds(self) -> int:
        """How many seeds it was trained with."""
        return len({run.seed for run in self.runs})

    @property
    def spread(self) -> str:
        """What mean and deviation are taken over, where the corpus is divided into folds; else empty."""
        folds = list(dict.fromkeys(run.split for run in self.runs))
        if not folds[0].startswith("fold"):
            return ""
        named = f"{len(folds)} folds"
        if len(folds) < (total := self.first.folds):
            named = f"{len(folds)} of {total} folds ({', '.join(folds)})"
        if self.seeds == 1:
            deviation = "" if len(folds) == 1 else ", ± sample standard deviation over these folds"
            return f"mean over {named} of one seed{deviation}"
        return f"mean over {named} within a seed, then mean ± sample standard deviation over {self.seeds} seeds"


class _Counted(Read):
    true_positive: Whole
    predicted: Whole
    gold: Whole

    @model_validator(mode="after")
    def _fits(self) -> "_Counted":
        if self.true_positive > min(self.predicted, self.gold):
            raise ValueError(
                f"found {self.true_positive} true positives, wanted at most {self.predicted} (predicted) and "
                f"{self.gold} (gold)"
            )
        return self

    @property
    def counts(self) -> Counts:
        return Counts(self.true_positive, self.predicted, self.gold)


class _Level(Read):
    all: _Counted
    types: dict[str, _Counted]

    @property
    def counts(self) -> Level:
        return {ALL: self.all.counts} | {name: self.types[name].counts for name in sorted(self.types)}


class _Matchings(Read):
    strict: _Level
    boundaries: _Level
    relaxed: _Level


class _Ranking(Read):
    average_precision: Share | None
    at_dev_threshold: _Counted | None

    @property
    def figures(self) -> dict[str, float | None]:
        precision, at = self.average_precision, self.at_dev_threshold
        found = None if precision is None else 100 * precision, 100 * at.counts.f1 if at and at.gold else None
        return dict(zip(RANKED, found, strict=True))


class _Text(Read):
    """Of the same documents read as raw text, in which so many have other tokens."""

    unlike: Whole
    entities: _Matchings
    relations: _Matchings


class _Scores(Read):
    documents: Whole
    entities: _Matchings
    relations: _Matchings
    ranking: _Ranking | None = None
    text: _Text | None = None


class _Provenance(Read):
    corpus: Name
    experiment: Name
    split: Name
    seed: Whole
    corpus_title: Text
    title: Text
    protocol: Text
    inputs_title: Text
    sample: bool
    division: str | None = ""  # runs without folds were recorded before there were any


@reads("a finished run")
def read_run(folder: Path, facts: Mapping[str, Any] | None = None) -> Run:
    """Return the run that a folder holds.

    Args:
        facts: of presentation (`title`, `corpus_title`, `inputs_title`, `division`, `licence`, `sample`), which stand
            in the place of those that its provenance holds.

    Raises:
        CmanError: `scores.json` or `provenance.json` is missing or malformed; the message names file and field.
    """
    if not folder.is_dir():
        raise CmanError(f"{folder}: found no such folder, wanted a run folder with scores.json and provenance.json")
    provenance = read_json(folder / "provenance.json")
    if isinstance(provenance, dict):
        provenance = {**provenance, **(facts or {})}
    scores = checked(_Scores, read_json(folder / "scores.json"), str(folder / "scores.json"))
    named = checked(_Provenance, provenance, str(folder / "provenance.json"))
    run = Run(
        folder=folder,
        **{**dict(named), "division": named.division or ""},
        documents=scores.documents,
        scores={
            task: {matching: getattr(getattr(scores, task), matching).counts for matching in MATCHINGS}
            for task in COUNTED
        },
        ranking={} if scores.ranking is None else scores.ranking.figures,
        provenance=provenance,
        text={} if scores.text is None else {task: getattr(scores.text, task).strict.all.counts for task in COUNTED},
        unlike=0 if scores.text is None else scores.text.unlike,
    )
    try:
        _ = run.epochs, run.training  # what tables read of the settings
    except (KeyError, TypeError, ValueError) as error:
        raise CmanError(
            f"{folder / 'provenance.json'}: field settings: found nothing under {error}, wanted all settings of a run"
        ) from None
    return run


def check_agreement(runs: Sequence[Run], names: Iterable[str]) -> None:
    """Refuse runs that differ in a field.

    Raises:
        CmanError: with both values and both folders.
    """
    for run in runs[1:]:
        for name in names:
            found, wanted = getattr(run, name), getattr(runs[0], name)
            if found != wanted:
                raise CmanError(
                    f"{run.folder}: field {name}: found {found!r}, wanted {wanted!r} as in {runs[0].folder}; "
                    "runs that differ in it do not belong in one table row or table"
                )


def check_once(runs: Iterable[Run]) -> None:
    """Refuse a run that stands there twice.

    Raises:
        CmanError: with both folders.
    """
    for earlier, later in pairwise(sorted(runs, key=lambda run: (run.corpus, run.experiment, run.split, run.seed))):
        if earlier.name == later.name:
            raise CmanError(
                f"{earlier.folder} and {later.folder}: both are {later.corpus}/{later.experiment}, split "
                f"{later.split}, seed {later.seed}; wanted each run once"
            )


def _group(runs: Sequence[Run]) -> Group:
    runs = sorted(runs, key=lambda run: run.key)
    for earlier, later in pairwise(runs):
        if earlier.split == later.split:
            check_agreement((earlier, later), ("documents",))
    check_agreement(runs, ("title", "protocol", "inputs_title", "epochs", "training", "division"))
    splits: dict[int, list[str]] = {}
    for run in runs:
        splits.setdefault(run.seed, []).append(run.split)
    wanted = splits[runs[0].seed]
    if "main" in wanted and len(wanted) > 1:
        raise CmanError(f"{runs[0].folder}: found the splits {', '.join(wanted)}, wanted either main or folds")
    for seed, found in splits.items():
        if found != wanted:  # means over other folds could not be compared
            folder = next(run.folder for run in runs if run.seed == seed)
            raise CmanError(
                f"{folder}: seed {seed}: found the splits {', '.join(found)}, wanted {', '.join(wanted)} as seed "
                f"{runs[0].seed} has; every seed of a row needs the same"
            )
    return Group(tuple(runs))


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Return one group for each (corpus, experiment), sorted by these two names.

    Raises:
        CmanError: two runs of a group have the same split and seed, or differ in title, protocol, inputs, epochs,
            division or size of the test split; seeds of a group have other folds; or two runs of a corpus disagree on
            its title or on its being a sample.
    """
    experiments: dict[tuple[str, str], list[Run]] = {}
    corpora: dict[str, list[Run]] = {}
    for run in runs:
        experiments.setdefault((run.corpus, run.experiment), []).append(run)
        corpora.setdefault(run.corpus, []).append(run)
    check_once(run for members in corpora.values() for run in members)
    for members in corpora.values():
        check_agreement(members, ("corpus_title", "sample"))
    return [_group(experiments[key]) for key in sorted(experiments)]
