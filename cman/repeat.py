"""Repeating a record: the training that its provenance describes, made again and compared with what was recorded.

Settings, seed, split and threads come from `provenance.json`; the corpus, the encoder and where they are come from a
configuration, and the prepared documents must be those of the record by their SHA-256. The same code, libraries and
processor give the same predictions. Another processor or another version of the code rounds otherwise, and a training
that differs in rounding alone ends as far away as one of another seed. `TOLERANCE` is what two seeds of one row of the
records differ by at most in six of seven cases, of entities or of relations; 19 of 20 are within 2.2 and 4.5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cman.config.configuration import Configuration
from cman.config.settings import Settings
from cman.corpora.document import read_documents
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.errors import CmanError
from cman.evaluation.counts import strict_entities, strict_relations
from cman.fetch.inputs import fetch_inputs
from cman.fetch.models import EncoderSource
from cman.fit import train_and_score, write_features
from cman.hashes import sha256
from cman.kernels import KernelChoice
from cman.layout import SPLITS, Layout
from cman.report.predictions import predictions_file
from cman.report.results import ALL, read_run
from cman.report.results import Run as Recorded
from cman.training.runs import Run
from cman.training.train import train
from cman.validation import checked

TOLERANCE = {"entities": 1.5, "relations": 3.0}  # points of strict micro F1
COMPARED = ("code", "device", "kernels", "threads", "python")  # facts of a provenance that may explain a difference
FACTS = ("corpus_title", "packaging", "division", "sample", "title", "licence", "protocol", "inputs_title", "language")


@dataclass(frozen=True)
class Repeated:
    """A record beside the same training made again: `differing` of all `annotations` are predicted in one alone."""

    recorded: Recorded
    again: Recorded
    differing: int
    annotations: int
    tolerance: Mapping[str, float]

    def difference(self, task: str) -> float:
        """Return the strict F1 of entities or relations now minus the recorded one, in points."""
        now, then = (100 * run.scores[task]["strict"][ALL].f1 for run in (self.again, self.recorded))
        return now - then

    @property
    def within(self) -> bool:
        """Whether both differences are within the tolerance."""
        return all(abs(self.difference(task)) <= allowed for task, allowed in self.tolerance.items())

    def lines(self) -> Iterator[str]:
        """Yield what is said of it."""
        minutes = [run.provenance.get("seconds", 0) / 60 for run in (self.again, self.recorded)]
        yield f"{self.recorded.folder}: trained again in {minutes[0]:.1f} minutes ({minutes[1]:.1f} recorded)"
        facts = [_facts(run) for run in (self.recorded, self.again)]
        for name in facts[1]:
            then, now = (each.get(name) for each in facts)
            if then != now:
                yield f"  {name}: {'not recorded' if then is None else then}; now {now}"
        told = f"{self.differing} of {self.annotations} annotations differ" if self.differing else "the same"
        yield f"  predictions: {told}"
        for task, allowed in self.tolerance.items():
            then, now = (100 * run.scores[task]["strict"][ALL].f1 for run in (self.recorded, self.again))
            yield f"  {task}: F1 {then:.2f}; now {now:.2f} ({now - then:+.2f}, tolerance {allowed:g})"
        yield "within tolerance" if self.within else "NOT within tolerance"


def repeat(
    folder: Path,
    configuration: Configuration,
    layout: Layout,
    sources: str,
    device: str = "cpu",
    kernels: KernelChoice = "auto",
    tolerance: Mapping[str, float] = TOLERANCE,
) -> Repeated:
    """Train what a record says below another results folder, and compare.

    Args:
        configuration: has the record's corpus, and its encoder.
        sources: the digest of the training code, as `cman.training.runs.Run` has it.

    Raises:
        CmanError: the record is malformed or has settings that there are no more; the corpus is another one by now.
    """
    recorded = read_run(folder)
    run = run_of_record(recorded, configuration, sources)
    prepare_corpus(run, configuration, layout)
    check_documents(recorded, layout)
    for name in _inputs(run):
        fetch_inputs(configuration, name, None, layout, configuration.mirror)
    write_features(configuration, run, layout, device, None)
    threads = int(recorded.provenance.get("threads", 1))
    for teacher in teachers_of(run, configuration):
        train(teacher, layout, device, threads, kernels)
    train_and_score(run, layout, device, threads, kernels)
    again = read_run(run.folder(layout))
    differing, annotations = differences(recorded.folder, again.folder)
    return Repeated(recorded, again, differing, annotations, tolerance)


def teachers_of(run: Run, configuration: Configuration) -> list[Run]:
    """Return the trainings whose models a run learns from, as the configuration has them; none without `distil`."""
    distil = run.settings.distil
    if distil.teacher is None:
        return []
    settings = configuration.settings_of(run.corpus, distil.teacher)
    return [
        replace(run, experiment=distil.teacher, seed=seed, settings=settings) for seed in range(1, distil.members + 1)
    ]


def run_of_record(recorded: Recorded, configuration: Configuration, sources: str) -> Run:
    """Return the training that a record is of.

    A setting that did not exist yet has its default, with which everything is trained as before there was one.

    Raises:
        CmanError: settings that there are no more, or a corpus, packaging or division that the configuration lacks.
    """
    where, facts = str(recorded.folder / "provenance.json"), recorded.provenance
    if not recorded.settings:
        raise CmanError(f"{where}: field settings: found none, wanted those of a training")
    settings = checked(Settings, dict(recorded.settings), f"{where}: settings", strict=False)
    corpus = configuration.corpus(recorded.corpus)
    if recorded.split not in corpus.divisions:
        raise CmanError(f"{where}: field split: found {recorded.split!r}, wanted one of {', '.join(corpus.divisions)}")
    packaging = getattr(corpus, "packaging", None)
    if facts.get("packaging") != packaging and facts.get("packaging") is not None:
        raise CmanError(f"{where}: field packaging: found {facts['packaging']!r}, wanted {packaging!r} as configured")
    encoder = None
    if settings.contextual.enabled:
        if settings.contextual.encoder not in configuration.encoders:
            name, known = settings.contextual.encoder, ", ".join(configuration.encoders)
            raise CmanError(f"{where}: field settings.contextual.encoder: found {name!r}, wanted one of {known}")
        encoder = EncoderSource.of(configuration.encoders[settings.contextual.encoder])
    return Run(
        corpus=recorded.corpus,
        experiment=recorded.experiment,
        split=recorded.split,
        seed=recorded.seed,
        settings=settings,
        encoder=encoder,
        language=corpus.language,
        facts={name: facts[name] for name in FACTS if name in facts},
        digest=sources,
        code=sources,
        sources=sources,
    )


def prepare_corpus(run: Run, configuration: Configuration, layout: Layout) -> None:
    """Fetch and prepare the corpus of a run, with the mirror of the configuration."""
    corpus = configuration.corpus(run.corpus)
    for name in raw_files(corpus):
        obtain(corpus, name, layout.raw(run.corpus) / name, configuration.mirror)
    prepare(run.corpus, corpus, layout)


def check_documents(recorded: Recorded, layout: Layout) -> None:
    """Refuse a corpus whose documents are not those that a record was trained on.

    Raises:
        CmanError: with both hashes.
    """
    folder = layout.documents(recorded.corpus, recorded.split)
    hashes = {Path(name).name: digest for name, digest in (recorded.provenance.get("inputs") or {}).items()}
    for split in SPLITS:
        path = folder / f"{split}.jsonl"
        expected = hashes.get(path.name)
        if expected is not None and (found := sha256(path)) != expected:
            said = recorded.folder / "provenance.json"
            raise CmanError(
                f"{path}: found documents of SHA-256 {found[:12]}, wanted {expected[:12]} as {said} says: the corpus "
                "is prepared otherwise now"
            )


def differences(first: Path, second: Path) -> tuple[int, int]:
    """Return how many entities and relations, strictly compared, one of two folders alone predicts, and all of them."""
    documents = [read_documents(predictions_file(folder)) for folder in (first, second)]
    predicted = [
        {(document.id, item) for document in each for item in (*strict_entities(document), *strict_relations(document))}
        for each in documents
    ]
    return len(predicted[0] ^ predicted[1]), len(predicted[0] | predicted[1])


def _inputs(run: Run) -> list[str]:
    names = [run.settings.contextual.encoder] if run.settings.contextual.enabled else []
    return names + ([] if run.settings.word.vectors is None else [run.settings.word.vectors])


def _facts(run: Recorded) -> dict[str, Any]:
    facts = {name: run.provenance.get(name) for name in COMPARED}
    facts |= {f"version of {name}": found for name, found in (run.provenance.get("packages") or {}).items()}
    inputs: Mapping[str, str] = run.provenance.get("inputs") or {}
    for path, digest in inputs.items():
        facts[f"SHA-256 of {Path(path).parent.name}/{Path(path).name}"] = digest[:12]
    return facts
