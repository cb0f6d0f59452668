"""Run folders as numbers: reads `scores.json` and `provenance.json`, derives F1, averages over seeds and folds.

Scores are stored as counts, so every figure here is derived from true positives, predicted and gold counts. Figures are
in percent. Micro F1 comes from the counts of all types together, macro F1 is the mean over the types that occur in the
gold annotation or in the predictions, overall F1 is the mean of entity and relation F1 (what the paper calls overall).
"""

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.files import read_json
from cman.layout import FOLDS

MODES = ("strict", "boundaries", "relaxed")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]*")  # corpus, experiment and split are names of folders


@dataclass(frozen=True)
class Counts:
    """What precision, recall and F1 are made of."""

    true_positive: int
    predicted: int
    gold: int


@dataclass(frozen=True)
class Level:
    """The counts of one task under one evaluation mode: in all, and for each type."""

    all: Counts
    types: Mapping[str, Counts]


@dataclass(frozen=True)
class Run:
    """One run folder: what was run (from `provenance.json`) and how it scored (from `scores.json`, by mode)."""

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
    training: str  # what of the training an experiment may change, in words; empty for a run without settings
    division: str  # how a corpus with folds is divided; empty for a corpus without
    documents: int
    revision: str  # of the code that made it; empty where that is not known
    entities: Mapping[str, Level]
    relations: Mapping[str, Level]


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (n - 1) of one figure; a single value has no deviation."""

    mean: float
    sd: float | None


@dataclass(frozen=True)
class Group:
    """The runs of one experiment on one corpus, sorted by split and seed, with their strict figures summarised."""

    runs: tuple[Run, ...]
    entity: Summary
    relation: Summary
    overall: Summary
    entity_macro: Summary
    relation_macro: Summary

    @property
    def first(self) -> Run:
        """A run that speaks for all: title, protocol and inputs are the same in every run of a group."""
        return self.runs[0]

    @property
    def spread(self) -> str:
        """What mean and deviation are taken over, where the corpus is divided into folds; else empty."""
        folds = list(dict.fromkeys(run.split for run in self.runs))
        seeds = {run.seed for run in self.runs}
        if not folds[0].startswith("fold"):
            return ""
        named = (
            f"{len(folds)} folds"
            if len(folds) == len(FOLDS)
            else f"{len(folds)} of {len(FOLDS)} folds ({', '.join(folds)})"
        )
        if len(seeds) == 1:
            deviation = "" if len(folds) == 1 else ", ± sample standard deviation over these folds"
            return f"mean over {named} of one seed{deviation}"
        return f"mean over {named} within a seed, then mean ± sample standard deviation over {len(seeds)} seeds"


def reference(run: Run) -> dict[str, Any]:
    """Return what a figure's JSON says of a run behind it."""
    named = {name: getattr(run, name) for name in ("corpus", "experiment", "split", "seed", "revision")}
    return {**named, "folder": str(run.folder)}


def precision(counts: Counts) -> float:
    """Return the share of predicted items that are right, in percent; 0 when nothing was predicted."""
    return 100 * counts.true_positive / counts.predicted if counts.predicted else 0.0


def recall(counts: Counts) -> float:
    """Return the share of gold items that were found, in percent; 0 when there is no gold item."""
    return 100 * counts.true_positive / counts.gold if counts.gold else 0.0


def f1(counts: Counts) -> float:
    """Return the harmonic mean of precision and recall, in percent; 0 when nothing is predicted and nothing is gold."""
    items = counts.predicted + counts.gold
    return 200 * counts.true_positive / items if items else 0.0


def macro_f1(level: Level) -> float:
    """Return the mean F1 over the types seen in gold or prediction, in percent; 0 when no type was seen."""
    seen = [f1(counts) for counts in level.types.values() if counts.predicted or counts.gold]
    return statistics.mean(seen) if seen else 0.0


def overall_f1(run: Run) -> float:
    """Return the mean of strict micro entity F1 and relation F1, in percent."""
    return (f1(run.entities["strict"].all) + f1(run.relations["strict"].all)) / 2


def field(value: Any, key: str, kind: type, where: str) -> Any:
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
    wanted = {str: "a non-empty string", int: "a whole number from 0 on", float: "a number", bool: "true or false"}
    path = f"{where}.{key}" if ": field " in where else f"{where}: field {key}"
    if not isinstance(value, dict) or key not in value:
        raise CmanError(f"{path}: is missing, wanted {wanted.get(kind, f'a {kind.__name__}')}")
    found = value[key]
    accepted = (int, float) if kind is float else (kind,)
    # Python counts True as the number 1; a file that says true where a count belongs is wrong all the same.
    right = isinstance(found, accepted) and (kind is bool or not isinstance(found, bool))
    if not right or (kind is str and not found.strip()) or (kind is int and found < 0):
        raise CmanError(f"{path}: found {found!r}, wanted {wanted.get(kind, f'a {kind.__name__}')}")
    return found


def _name(value: Any, key: str, where: str) -> str:
    name: str = field(value, key, str, where)
    if not NAME.fullmatch(name):
        raise CmanError(
            f"{where}: field {key}: found {name!r}, wanted a name fit for a folder (letters, digits, -_.@+)"
        )
    return name


def _counts(value: Any, where: str) -> Counts:
    counts = Counts(*(field(value, key, int, where) for key in ("true_positive", "predicted", "gold")))
    if counts.true_positive > min(counts.predicted, counts.gold):
        raise CmanError(
            f"{where}: found {counts.true_positive} true positives, wanted at most {counts.predicted} (predicted) "
            f"and {counts.gold} (gold)"
        )
    return counts


def _levels(value: Any, task: str, where: str) -> dict[str, Level]:
    modes = field(value, task, dict, where)
    levels = {}
    for mode in MODES:
        place = f"{where}: field {task}.{mode}"
        level = field(modes, mode, dict, f"{where}: field {task}")
        types = field(level, "types", dict, place)
        by_type = {name: _counts(types[name], f"{place}.types.{name}") for name in sorted(types)}
        levels[mode] = Level(_counts(field(level, "all", dict, place), f"{place}.all"), by_type)
    return levels


def _training(settings: Mapping[str, Any]) -> str:
    training, dropout = settings.get("training"), settings.get("dropout")
    if not training or not dropout:
        return ""
    epochs = "" if training["protocol"] == "retrain" else f"{training['epochs']} epochs, "
    adversarial = ", adversarial" if settings["at"]["enabled"] else ""
    encoder = settings.get("encoder") or {"trainable": False}  # runs without the key were made before there was one
    tuned = f", encoder trained at {encoder['lr']:g}" if encoder["trainable"] else ""
    return (
        f"{epochs}batches of {training['batch_size']}, learning rate {training['lr']:g} ({training['schedule']}), "
        f"dropout {dropout['inputs']:g} and {dropout['recurrent']:g}{adversarial}{tuned}"
    )


def read_run(folder: Path) -> Run:
    """Return the run that a folder holds.

    Raises:
        CmanError: `scores.json` or `provenance.json` is missing or malformed; the message names file and field.
    """
    if not folder.is_dir():
        raise CmanError(f"{folder}: found no such folder, wanted a run folder with scores.json and provenance.json")
    scores_file, provenance_file = folder / "scores.json", folder / "provenance.json"
    scores, provenance = read_json(scores_file), read_json(provenance_file)
    where = str(provenance_file)
    return Run(
        folder=folder,
        corpus=_name(provenance, "corpus", where),
        corpus_title=field(provenance, "corpus_title", str, where),
        sample=field(provenance, "sample", bool, where),
        experiment=_name(provenance, "experiment", where),
        title=field(provenance, "title", str, where),
        split=_name(provenance, "split", where),
        seed=field(provenance, "seed", int, where),
        protocol=field(provenance, "protocol", str, where),
        inputs_title=field(provenance, "inputs_title", str, where),
        training=_training(provenance.get("settings") or {}),
        # Runs without folds were recorded before there were any.
        division=field(provenance, "division", str, where) if provenance.get("division") else "",
        documents=field(scores, "documents", int, str(scores_file)),
        revision=str((provenance.get("git") or {}).get("revision", "")),
        entities=_levels(scores, "entities", str(scores_file)),
        relations=_levels(scores, "relations", str(scores_file)),
    )


def summarise(values: Sequence[float]) -> Summary:
    """Return mean and sample standard deviation; exact sums, so that the order of the values does not matter."""
    return Summary(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)


def _agree(runs: Sequence[Run], names: Iterable[str]) -> None:
    for run in runs[1:]:
        for name in names:
            found, wanted = getattr(run, name), getattr(runs[0], name)
            if found != wanted:
                raise CmanError(
                    f"{run.folder}: field {name}: found {found!r}, wanted {wanted!r} as in {runs[0].folder}; "
                    "runs that differ in it do not belong in one table row or table"
                )


def _group(runs: Sequence[Run]) -> Group:
    runs = sorted(runs, key=lambda run: (run.split, run.seed))
    for earlier, later in pairwise(runs):
        if (earlier.split, earlier.seed) == (later.split, later.seed):
            raise CmanError(
                f"{earlier.folder} and {later.folder}: both are {later.corpus}/{later.experiment}, split "
                f"{later.split}, seed {later.seed}; wanted each run once"
            )
        if earlier.split == later.split:
            _agree((earlier, later), ("documents",))
    _agree(runs, ("title", "protocol", "inputs_title", "training", "division"))
    seeds = _by_seed(runs)

    def over_seeds(figure: Callable[[Run], float]) -> Summary:
        if len(seeds) == 1:  # with a single seed, its folds show the spread
            return summarise([figure(run) for run in runs])
        return summarise([statistics.mean(figure(run) for run in members) for members in seeds.values()])

    return Group(
        runs=tuple(runs),
        entity=over_seeds(lambda run: f1(run.entities["strict"].all)),
        relation=over_seeds(lambda run: f1(run.relations["strict"].all)),
        overall=over_seeds(overall_f1),
        entity_macro=over_seeds(lambda run: macro_f1(run.entities["strict"])),
        relation_macro=over_seeds(lambda run: macro_f1(run.relations["strict"])),
    )


def _by_seed(runs: Sequence[Run]) -> dict[int, list[Run]]:
    """Return the runs of each seed, which all have the same folds: means over other folds could not be compared."""
    seeds: dict[int, list[Run]] = {}
    for run in runs:
        seeds.setdefault(run.seed, []).append(run)
    wanted = [run.split for run in seeds[runs[0].seed]]
    if "main" in wanted and len(wanted) > 1:
        raise CmanError(f"{runs[0].folder}: found the splits {', '.join(wanted)}, wanted either main or folds")
    for members in seeds.values():
        found = [run.split for run in members]
        if found != wanted:
            raise CmanError(
                f"{members[0].folder}: seed {members[0].seed}: found the splits {', '.join(found)}, wanted "
                f"{', '.join(wanted)} as seed {runs[0].seed} has; every seed of a row needs the same"
            )
    return seeds


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Return one group for each (corpus, experiment), sorted by these two names.

    Raises:
        CmanError: two runs of a group have the same split and seed, or differ in title, protocol, inputs, division or
            size of the test split; seeds of a group have other folds; or two runs of a corpus disagree on its title or
            on its being a sample.
    """
    experiments: dict[tuple[str, str], list[Run]] = {}
    corpora: dict[str, list[Run]] = {}
    for run in runs:
        experiments.setdefault((run.corpus, run.experiment), []).append(run)
        corpora.setdefault(run.corpus, []).append(run)
    for members in corpora.values():
        _agree(members, ("corpus_title", "sample"))
    return [_group(experiments[key]) for key in sorted(experiments)]
