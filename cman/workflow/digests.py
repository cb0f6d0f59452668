"""What each job depends on, as one SHA-256 over everything upstream of it.

A job's digest covers its part of the configuration (resolved, and of it only keys that change numbers), the code of its
verb, its raw inputs and the digests of the jobs that it reads from. Titles, licences, the language of ready tokens,
device, mirror and how many trainings share a GPU change no number and are no part of it; `threads` of a training is,
because sums over several cores round differently, and so are whether the operations run compiled, and the versions of
the libraries that compute.
"""

from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cman.config.corpora import Corpus
from cman.corpora.formats import files_of, module_name
from cman.report.titles import titles
from cman.workflow.code import Code
from cman.workflow.inputs import content, features_identity, joined
from cman.workflow.plan import Plan, Run

# The verb of each stage, of which the code is a part of its jobs' digests.
VERBS = {
    "fetch": "cman.cli.corpora:fetch",
    "prepare": "cman.cli.corpora:prepare",
    "embed": "cman.cli.prediction:embed",
    "train": "cman.cli.training:train",
    "predict": "cman.cli.prediction:predict",
    "score": "cman.cli.report:score",
    "card": "cman.cli.report:card",
    "listing": "cman.cli.plan:plan",
    "tables": "cman.cli.report:tables",
    "figures": "cman.cli.report:figures",
    "appendix": "cman.cli.report:appendix",
    "browser": "cman.cli.report:browser",
    "kernels": "cman.cli.speed:kernels",
    "kernels_speed": "cman.cli.speed:speed_kernels",
    "decoding_speed": "cman.cli.speed:speed_decoding",
}
COMPUTING = ("numpy", "torch", "transformers")  # another version may round otherwise
# Of what a run is called: what tables, figures, appendix and browser show. The card shows all of it.
SHOWN = ("corpus_title", "division", "inputs_title", "protocol", "sample", "title")


class Digests:
    """The digests of all jobs of a plan, each computed once."""

    def __init__(self, plan: Plan, code: Code, kernels: str) -> None:
        """Take a plan, the code that carries it out, and what runs the operations (`cman.binary.kernels_digest`)."""
        self.plan, self.code, self.backend = plan, code, kernels
        self.configuration = plan.configuration
        self.libraries = {name: _version(name) for name in COMPUTING}
        self.titles = cache(partial(titles, plan.configuration))
        self.code_of = cache(self._code_of)
        self.raw, self.prepare, self.features = cache(self._raw), cache(self._prepare), cache(self._features)
        self.experiment, self.train, self.score = cache(self._experiment), cache(self._train), cache(self._score)

    def _code_of(self, stage: str, *modules: str) -> str:
        return self.code.digest(VERBS[stage], *modules)

    def _joined(self, stage: str, *parts: Any) -> str:
        return joined(stage, self.code_of(stage), *parts)

    def fetch(self, corpus: str, file: str) -> str:
        """Return the digest of one raw file: its SHA-256 where that is declared, or what generates it."""
        chosen = self.configuration.corpora[corpus]
        for found in files_of(chosen):
            if found.name == file and found.remote is not None:
                return joined(found.remote.sha256)
        return joined(file, self.code_of("fetch", module_name(chosen.format)), _keys(chosen))

    def _raw(self, corpus: str) -> str:
        chosen = self.configuration.corpora[corpus]
        found = files_of(chosen)
        given = [(content(file.path), _roles(chosen, file.path)) for file in found if file.path is not None]
        return joined([self.fetch(corpus, file.name) for file in found if file.path is None], given)

    def fetch_features(self, features: str, file: str) -> str:
        """Return the digest of a download of an encoder or of word vectors."""
        return joined(file, features_identity(self.configuration, features))

    def _prepare(self, corpus: str) -> str:
        chosen = self.configuration.corpora[corpus]
        return joined(self.code_of("prepare", module_name(chosen.format)), _keys(chosen), self.raw(corpus))

    def embed(self, corpus: str, features: str) -> str:
        """Return the digest of features with the layers that are kept, on which no number of a training depends."""
        layers = self.configuration.layers_of(corpus, features) if features in self.configuration.encoders else None
        return joined(self.features(corpus, features), layers)

    def _features(self, corpus: str, features: str) -> str:
        return self._joined(
            "embed",
            features_identity(self.configuration, features),
            sorted(self.libraries.items()),
            self.prepare(corpus),
        )

    def _experiment(self, corpus: str, experiment: str) -> str:
        """Return the digest of what all trainings of an experiment on a corpus share."""
        settings = self.plan.settings(corpus, experiment)
        upstream = [self.prepare(corpus)]
        if settings.word.vectors is not None:
            upstream.append(self.features(corpus, settings.word.vectors))
        if settings.encoder.trainable:
            upstream.append(joined(features_identity(self.configuration, settings.contextual.encoder)))
        elif settings.contextual.enabled:
            upstream.append(self.features(corpus, settings.contextual.encoder))
        values = sorted(_flat(settings.model_dump(mode="json")).items())
        libraries = sorted(self.libraries.items())
        return self._joined("train", values, self.configuration.threads, self.backend, libraries, upstream)

    def _train(self, corpus: str, experiment: str, split: str, seed: int | str) -> str:
        """Return the digest of a run, which its provenance and its scores carry."""
        teachers = [self.train(*run.key) for run in self.plan.teachers(corpus, experiment, split)]
        return joined(self.experiment(corpus, experiment), corpus, experiment, split, int(seed), *teachers)

    def predict(self, corpus: str, experiment: str, split: str, seed: int | str) -> str:
        """Return the digest of the predictions of a run."""
        return self._joined("predict", self.train(corpus, experiment, split, seed))

    def _score(self, corpus: str, experiment: str, split: str, seed: int | str) -> str:
        return self._joined("score", self.predict(corpus, experiment, split, seed))

    def card(self, corpus: str, experiment: str) -> str:
        """Return the digest of the model cards of an experiment's runs, which show its titles, licence and language."""
        scores = [self.score(*run.key) for run in self.plan.by_experiment.get((corpus, experiment), [])]
        return self._joined("card", scores, sorted(self.titles(corpus, experiment).items()))

    def listing(self) -> str:
        """Return the digest of the list of runs that are shown."""
        return self._joined("listing", [self._shown_run(run) for run in self.plan.trained], *self._shown_records())

    def tables(self) -> str:
        """Return the digest of the tables, which show all runs, and the decoding times where some are measured."""
        return self._shown("tables", *([self.decoding_speed()] if self.plan.timed else []))

    def figures(self) -> str:
        """Return the digest of the figures."""
        return self._shown("figures")

    def appendix(self) -> str:
        """Return the digest of the appendix."""
        return self._shown("appendix")

    def browser(self) -> str:
        """Return the digest of the page of predictions."""
        return self._shown("browser")

    def _shown(self, stage: str, *more: str) -> str:
        scores = [self.score(*run.key) for run in self.plan.trained]
        return self._joined(stage, self.listing(), scores, [self.prepare(name) for name in self.plan.present], *more)

    def _shown_run(self, run: Run) -> list[Any]:
        named = self.titles(run.corpus, run.experiment)
        return [run.folder, self.train(*run.key), *(named[name] for name in SHOWN)]

    def _shown_records(self) -> tuple[list[str], list[str]]:
        return self.plan.records if self.configuration.record else [], self.plan.absent

    def kernels(self) -> str:
        """Return the digest of what says which operations are in use."""
        return self._joined("kernels", self.backend)

    def kernels_speed(self) -> str:
        """Return the digest of the measurements of the operations."""
        return self._joined("kernels_speed", self.backend)

    def decoding_speed(self) -> str:
        """Return the digest of the decoding times, of the models of Table V."""
        trained = [self.train(*run.key) for run in self.plan.timed]
        return self._joined("decoding_speed", self.backend, trained)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _keys(corpus: Corpus) -> list[tuple[str, Any]]:
    """Return the keys that documents depend on; a file counts by its content, wherever it is."""
    return sorted((key, value) for key, value in _flat(corpus.document_keys()).items() if not key.startswith("path"))


def _roles(corpus: Corpus, file: Path) -> list[tuple[str, str]]:
    """Return the keys that a file given by path stands for, such as `paths.dev`, and its name below a given folder."""
    given = [(key, Path(value)) for key, value in sorted(_flat(corpus.document_keys()).items())
             if key.startswith("path") and value is not None]  # fmt: skip
    return [(key, file.relative_to(path).as_posix()) for key, path in given if file.is_relative_to(path)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
