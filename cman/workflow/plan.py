"""What a configuration asks for: its corpora, its runs, and the files that each job of the workflow reads.

A run is one training with its predictions and scores; its files stand in `cman.layout`. The rules of the workflow take
their inputs from here; `cman.workflow.digests` says what each job depends on.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cman.config.configuration import Configuration
from cman.corpora.raw import given_files, raw_files
from cman.corpora.tokenize import can_read_text
from cman.errors import CmanError
from cman.fetch.inputs import input_files
from cman.fetch.models import file_names
from cman.layout import FOLDS, MAIN, SPLITS, Layout
from cman.report.results import NAME

# Table V, and the baseline with the inputs of CMAN.
TIMED = ("multihead-at", "multihead-matched", "multihead-contextual", "cman-no-uncertainty", "cman")
TRAINED = (
    "model/model.safetensors",
    "model/config.json",
    "model/vocabulary.json",
    "history.csv",
    "provenance.json",
)
PREDICTED = ("predictions.jsonl", "label_copies.json", "ranking.jsonl")
SCORED = ("predictions.jsonl", "ranking.jsonl", "provenance.json")  # what scores are made of, beside the gold
SPLIT, SEED = re.compile("|".join((MAIN, *FOLDS))), re.compile(r"seed[0-9]+")
FEATURES = (("features.npy", "index.json"), ("vectors.npy", "words.json"))  # contextual, or of words
MADE_OF_ALL = ("tables.tex", "figures/figure5.csv", "appendix.tex", "browser.html")
# What tables and figures read beside the predictions, and what cards read: the last that is made of a run is the first.
SHOWN = ("scores.json", "provenance.json", "history.csv")
CARD, ON_CARD = "model/README.md", ("scores.json", "provenance.json", "model/config.json", "model/vocabulary.json")


@dataclass(frozen=True, order=True)
class Run:
    """One training with its predictions and scores."""

    corpus: str
    experiment: str
    split: str
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Its names, as the digests take them."""
        return self.corpus, self.experiment, self.split, self.seed

    @cached_property
    def folder(self) -> str:
        """The run's folder."""
        return str(Layout().run(self.corpus, self.experiment, self.split, self.seed))


class Plan:
    """The jobs of a configuration.

    Args:
        shared: all jobs see one file system. One file of a job then stands for all that it makes, because each file of
            thousands of runs costs Snakemake time; others are fetched to a job only if they are named.

    Raises:
        CmanError: nothing is to be shown: no experiment or seed, or no record.
    """

    def __init__(self, configuration: Configuration, root: Path = Path("results"), shared: bool = True) -> None:
        self.configuration, self.layout, self.shared = configuration, Layout(root), shared
        self.settings = cache(configuration.settings_of)
        absent = {name for name, corpus in configuration.corpora.items() if corpus.is_absent}
        self.absent = [name for name in configuration.corpora if name in absent]
        self.present = [name for name in configuration.corpora if name not in absent]
        self.folded = [name for name in self.present if configuration.corpora[name].folded]
        self.runs = [
            Run(corpus, experiment, split, seed)
            for corpus in self.present
            for seed in configuration.seeds
            for split in configuration.corpus(corpus).divisions_run
            for experiment in configuration.experiments_of(corpus)
        ]
        if not configuration.record and not self.runs and self.present:
            raise CmanError("experiments, seeds: found an empty list, wanted at least one of each for the tables")

    @property
    def trained(self) -> list[Run]:
        """The runs that are trained here: none where records are shown."""
        return [] if self.configuration.record else self.runs

    def with_folds(self, count: int) -> list[str]:
        """Return the corpora that are divided into so many folds."""
        return [name for name in self.folded if len(self.configuration.corpora[name].divisions) == count]

    @cached_property
    def experiments(self) -> list[str]:
        """The experiments that are run on any corpus, and those that teach them."""
        shown = dict.fromkeys((run.corpus, run.experiment, run.split) for run in self.runs)
        teachers = [run for key in shown for run in self.teachers(*key)]
        return list(dict.fromkeys(run.experiment for run in [*self.runs, *teachers]))

    @cached_property
    def by_experiment(self) -> dict[tuple[str, str], list[Run]]:
        """What is trained here, by corpus and experiment: one job writes the model cards of all seeds and divisions."""
        grouped: dict[tuple[str, str], list[Run]] = {}
        for run in self.trained:
            grouped.setdefault((run.corpus, run.experiment), []).append(run)
        return grouped

    @property
    def cards(self) -> list[str]:
        """The lists of model cards, one an experiment on a corpus."""
        return [str(self.layout.cards(*names)) for names in self.by_experiment]

    @cached_property
    def records(self) -> list[str]:
        """The folders of record.

        Raises:
            CmanError: there is none, or a folder has no name that a run can have.
        """
        folders = sorted(path.parent for path in self.layout.root.glob("record/*/*/*/seed*/scores.json"))
        if not folders:
            raise CmanError("record: found no run below results/record, wanted at least one; see `cman record`")
        for folder in folders:
            corpus, experiment, split, seed = folder.parts[-4:]
            wrong = [name for name in (corpus, experiment) if not NAME.fullmatch(name)]
            wrong += [name for name, pattern in ((split, SPLIT), (seed, SEED)) if not pattern.fullmatch(name)]
            if wrong:
                raise CmanError(f"{folder}: found the name {wrong[0]!r}, wanted CORPUS/EXPERIMENT/main or fold0/seed1")
        return [str(folder) for folder in folders]

    @cached_property
    def shown(self) -> list[str]:
        """The folders that the tables show: of all runs, or of all records."""
        return self.records if self.configuration.record else [run.folder for run in self.runs]

    @cached_property
    def with_gold(self) -> list[str]:
        """Those of them whose gold documents are there: of records, those whose corpus is configured."""
        return [folder for folder in self.shown if _corpus_and_split(folder)[0] in self.present]

    @cached_property
    def timed(self) -> list[Run]:
        """The runs whose decoding Table V times: the first seed and division of each corpus."""
        first: dict[str, tuple[str, int]] = {}
        for run in self.trained:
            first.setdefault(run.corpus, (run.split, run.seed))
        return [run for run in self.runs if first.get(run.corpus) == (run.split, run.seed) and run.experiment in TIMED]

    @property
    def timing(self) -> tuple[int, list[str]]:
        """How Table V is timed: cores that are reserved, so that nothing else computes meanwhile, and options.

        Times on sample corpora serve nobody: there, some sentences in a few rounds beside whatever else runs.
        """
        known = self.configuration.corpora
        if all(known[run.corpus].is_sample for run in self.timed):
            return 1, ["--rounds", "5", "--limit", "10"]
        return 2, []

    @cached_property
    def decoding(self) -> list[str]:
        """The file of decoding times for Table V; none where nothing is timed, and of records the recorded one."""
        if self.configuration.record:
            return [str(path) for path in self.layout.root.glob("record/speed/decoding.csv")]
        return [str(self.layout.root / "speed" / "decoding.csv")] if self.timed else []

    def run_files(self, folders: Iterable[str]) -> list[str]:
        """Return the files of runs or records that tables and figures read."""
        if self.configuration.record:
            return [f"{folder}/{name}" for folder in folders for name in (*SHOWN, "predictions.jsonl.gz")]
        return self._of_runs(folders, *SHOWN, "predictions.jsonl", "label_copies.json")

    def card_inputs(self, corpus: str, experiment: str) -> list[str]:
        """Return the files that the model cards of an experiment on a corpus are made of."""
        return self._of_runs([run.folder for run in self.by_experiment.get((corpus, experiment), [])], *ON_CARD)

    def _of_runs(self, folders: Iterable[str], *names: str) -> list[str]:
        return [f"{folder}/{name}" for folder in folders for name in self.declared(names)]

    def declared(self, names: Sequence[str]) -> Sequence[str]:
        """Return which files of one job are named as inputs: with a shared file system the first stands for all."""
        return names[:1] if self.shared else names

    def gold(self, folders: Iterable[str], parts: Sequence[str] = ("test",)) -> list[str]:
        """Return the documents that the predictions of runs are compared with."""
        divisions = dict.fromkeys(map(_corpus_and_split, folders))
        return [file for corpus, split in divisions for file in self.documents(corpus, split, parts)]

    def documents(self, corpus: str, split: str, parts: Sequence[str] = SPLITS) -> list[str]:
        """Return prepared documents."""
        return [str(self.layout.documents(corpus, split) / f"{part}.jsonl") for part in parts]

    def raw(self, corpus: str) -> list[str]:
        """Return the raw files of a corpus, fetched ones and those that are given by path."""
        chosen = self.configuration.corpora[corpus]
        return [str(self.layout.raw(corpus) / name) for name in raw_files(chosen)] + given_files(chosen)

    def training_inputs(self, corpus: str, experiment: str, split: str, seed: object = None) -> list[str]:
        """Return the documents, features and teachers that a training reads; the same with every seed."""
        settings = self.settings(corpus, experiment)
        files = self.documents(corpus, split, SPLITS if settings.word.vocabulary == "all" else SPLITS[:2])
        files += self._of_runs([run.folder for run in self.teachers(corpus, experiment, split)], *TRAINED)
        if settings.word.vectors is not None:
            files += self._features(corpus, settings.word.vectors, *FEATURES[1])
        if settings.encoder.trainable:
            return files + self.feature_inputs(settings.contextual.encoder)
        return files + self.contextual(corpus, experiment)

    def teachers(self, corpus: str, experiment: str, split: str) -> list[Run]:
        """Return the runs whose models teach those of an experiment, whether they are shown or not.

        Raises:
            CmanError: the teacher is no experiment, or learns from another one.
        """
        distil = self.settings(corpus, experiment).distil
        if distil.teacher is None:
            return []
        if self.settings(corpus, distil.teacher).distil.teacher is not None:
            raise CmanError(f"{experiment}: distil.teacher: found {distil.teacher}, wanted one without a teacher")
        return [Run(corpus, distil.teacher, split, seed) for seed in range(1, distil.members + 1)]

    def contextual(self, corpus: str, experiment: str, split: object = None, seed: object = None) -> list[str]:
        """Return the cached contextual features that a run reads; none without or with a trained encoder."""
        settings = self.settings(corpus, experiment)
        if not settings.contextual.enabled or settings.encoder.trainable:
            return []
        return self._features(corpus, settings.contextual.encoder, *FEATURES[0])

    def text(self, corpus: str, experiment: str, split: str, seed: int | str) -> str | None:
        """Return the file of what a run finds in the test documents of one's own corpus as raw text; None for others.

        It is no output of a rule, which would have it for every corpus, so it is made on a shared file system alone.
        """
        own = self.configuration.corpora[corpus].is_own and not self.settings(corpus, experiment).ner.given
        folder = Run(corpus, experiment, split, int(seed)).folder
        return f"{folder}/text.jsonl" if own and self.shared and can_read_text() else None

    def feature_inputs(self, features: str, corpus: object = None) -> list[str]:
        """Return the files that an encoder or word vectors are read from: given by path, or downloaded."""
        files = [str(file.path) for file in input_files(self.configuration, features, self.layout)]
        encoder = self.configuration.encoders.get(features)
        if encoder is not None and encoder.path is not None:
            files += [str(encoder.path / file) for file in file_names(encoder.path)]
        return files

    def _features(self, corpus: str, name: str, *files: str) -> list[str]:
        return [str(self.layout.features(corpus, name) / file) for file in self.declared(files)]

    def lost(self) -> list[str]:
        """Return the products of runs that are missing although something made of them is there.

        Snakemake by itself takes a file that is missing between two that are there for one that nobody needs.
        """
        lost = []
        shown = any((self.layout.root / name).is_file() for name in MADE_OF_ALL)
        for run in self.trained:
            made_of_it = shown
            for names in (("scores.json",), PREDICTED, TRAINED):
                missing = [name for name in names if not (Path(run.folder) / name).is_file()]
                lost += [f"{run.folder}/{name}" for name in missing if made_of_it]
                made_of_it = len(missing) < len(names)
            lost += self._lost_text(run)
        for folder in self.layout.root.glob("features/*/*"):
            for pair in FEATURES:
                absent = [str(folder / name) for name in pair if not (folder / name).is_file()]
                lost += absent if len(absent) < len(pair) else []
        for key, runs in self.by_experiment.items():
            written = self.layout.cards(*key)
            if written.is_file() and not all((Path(run.folder) / CARD).is_file() for run in runs):
                lost.append(str(written))
        return lost

    def _lost_text(self, run: Run) -> list[str]:
        """Return the predictions of a run that has still to be scored, if what it finds in text is gone."""
        text, (predictions, *_) = self.text(*run.key), PREDICTED
        if text is None or Path(text).is_file() or (Path(run.folder) / "scores.json").is_file():
            return []
        return [f"{run.folder}/{predictions}"] if (Path(run.folder) / predictions).is_file() else []


def _corpus_and_split(folder: str) -> tuple[str, str]:
    """Return the two as a run's or a record's folder names them."""
    return Path(folder).parts[-4], Path(folder).parts[-2]
