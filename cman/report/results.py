"""Run folders: what was run (`provenance.json`), how it scored (`scores.json`), and which runs belong in one row.

Scores are stored as counts; every figure is derived from true positives, predicted and gold counts (`frame`). Facts of
presentation, such as a title, come from the provenance unless they are given beside it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.evaluation.counts import Counts
from cman.evaluation.scores import MATCHINGS
from cman.files import read_json
from cman.layout import FOLDS

COUNTED = ("entities", "relations")  # what `scores.json` counts
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]*")  # corpus, experiment and split are names of folders
WANTED = {str: "a non-empty string", int: "a whole number from 0 on", float: "a number", bool: "true or false"}
ALL = ""  # in the place of a type: the counts of all types together

RANKED = ("average_precision", "f1_dev_threshold")  # of relations, strict

Level = Mapping[str, Counts]  # by type, and `ALL`


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
        """The epochs it was trained for, as its settings bound or its protocol chose them; empty if not recorded."""
        training = self.settings.get("training")
        if not training:
            return ""
        return "chosen on dev" if training["protocol"] != "fixed" else str(training["epochs"])

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
        if len(folds) < len(FOLDS):
            named = f"{len(folds)} of {len(FOLDS)} folds ({', '.join(folds)})"
        if self.seeds == 1:
            deviation = "" if len(folds) == 1 else ", ± sample standard deviation over these folds"
            return f"mean over {named} of one seed{deviation}"
        return f"mean over {named} within a seed, then mean ± sample standard deviation over {self.seeds} seeds"


def take(value: Any, key: str, kind: type, where: str) -> Any:
    """Return `value[key]` if it is there and of that kind.

    Args:
        value: a parsed object.
        key: the key wanted.
        kind: `str` means a non-empty string, `int` a whole number from 0 on, `float` any number, `dict` and `list`
            themselves.
        where: the file and, for nested objects, the path of `value`, such as `scores.json: field entities`.

    Raises:
        CmanError: the key is missing or its value is of another kind; the message names file and field.
    """
    path = f"{where}.{key}" if ": field " in where else f"{where}: field {key}"
    if not isinstance(value, dict) or key not in value:
        raise CmanError(f"{path}: is missing, wanted {WANTED.get(kind, f'a {kind.__name__}')}")
    found = value[key]
    accepted = (int, float) if kind is float else (kind,)
    # Python counts True as the number 1; a file that says true where a count belongs is wrong all the same.
    right = isinstance(found, accepted) and (kind is bool or not isinstance(found, bool))
    if not right or (kind is str and not found.strip()) or (kind is int and found < 0):
        raise CmanError(f"{path}: found {found!r}, wanted {WANTED.get(kind, f'a {kind.__name__}')}")
    return found


def _name(value: Any, key: str, where: str) -> str:
    name: str = take(value, key, str, where)
    if not NAME.fullmatch(name):
        wanted = "a name fit for a folder (letters, digits, -_.@+)"
        raise CmanError(f"{where}: field {key}: found {name!r}, wanted {wanted}")
    return name


def _counts(value: Any, where: str) -> Counts:
    counts = Counts(*(take(value, key, int, where) for key in ("true_positive", "predicted", "gold")))
    if counts.true_positive > min(counts.predicted, counts.gold):
        raise CmanError(
            f"{where}: found {counts.true_positive} true positives, wanted at most {counts.predicted} (predicted) "
            f"and {counts.gold} (gold)"
        )
    return counts


def _levels(scores: Any, task: str, where: str) -> dict[str, Level]:
    matchings, levels = take(scores, task, dict, where), dict[str, Level]()
    for matching in MATCHINGS:
        path = f"{where}: field {task}.{matching}"
        level = take(matchings, matching, dict, f"{where}: field {task}")
        types = take(level, "types", dict, path)
        levels[matching] = {ALL: _counts(take(level, "all", dict, path), f"{path}.all")} | {
            name: _counts(types[name], f"{path}.types.{name}") for name in sorted(types)
        }
    return levels


def _ranking(scores: Any, where: str) -> dict[str, float | None]:
    if "ranking" not in scores:
        return {}
    ranking, path = take(scores, "ranking", dict, where), f"{where}: field ranking"
    precision, at = (ranking.get(name) for name in ("average_precision", "at_dev_threshold"))
    if precision is not None:
        precision = 100 * take(ranking, "average_precision", float, path)
    counts = None if at is None else _counts(at, f"{path}.at_dev_threshold")
    return {"average_precision": precision, "f1_dev_threshold": 100 * counts.f1 if counts and counts.gold else None}


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
    scores_file, where = folder / "scores.json", str(folder / "provenance.json")
    scores, provenance = read_json(scores_file), read_json(folder / "provenance.json")
    if isinstance(provenance, dict):
        provenance = {**provenance, **(facts or {})}
    return Run(
        folder=folder,
        **{name: _name(provenance, name, where) for name in ("corpus", "experiment", "split")},
        **{name: take(provenance, name, str, where) for name in ("corpus_title", "title", "protocol", "inputs_title")},
        sample=take(provenance, "sample", bool, where),
        seed=take(provenance, "seed", int, where),
        # Runs without folds were recorded before there were any.
        division=take(provenance, "division", str, where) if provenance.get("division") else "",
        documents=take(scores, "documents", int, str(scores_file)),
        scores={task: _levels(scores, task, str(scores_file)) for task in COUNTED},
        ranking=_ranking(scores, str(scores_file)),
        provenance=provenance,
    )


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
