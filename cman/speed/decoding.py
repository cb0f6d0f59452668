"""`cman speed decoding`: sentences a second of trained models on the test documents of their corpus, for Table V.

What is timed is one call of `cman.model.predict.predict`: from documents with tokens in memory to predicted documents
in memory; that is looking up ids, cutting batches of equal size for all models, the network, both CRFs, the selection
of pairs, confidences if they are wanted (the paper has none), and the building of documents. With `computed` features
the contextual encoder runs inside of the call; with `cached` ones they are read from a memory map. Loading models and
files is outside.

All models of a corpus run in turns, with the kernels, in plain PyTorch, and as a user of pytorch-crf would have it, so
that a busy machine slows all alike. Before that, all of them must predict the same.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cman.corpora.document import Document, read_documents
from cman.errors import CmanError
from cman.features.cache import FeatureCache, Features
from cman.features.frozen import DocumentFeatures, FrozenEncoder, open_encoder
from cman.files import read_json
from cman.kernels import KernelChoice, library, use_kernels
from cman.layout import Layout
from cman.machine import available_device, processor
from cman.model.folder import ModelFolder
from cman.model.predict import predict
from cman.speed import shares, usual
from cman.speed.decoding_rows import DecodingRow, print_rows, write_rows
from cman.speed.timing import Timing, interleave
from cman.validation import Read, checked

BASELINE = "multihead-at"
USUAL = "pytorch-crf"  # and a table of all relation scores
BACKENDS: Mapping[str, KernelChoice] = {"compiled": "auto", "reference": "reference", USUAL: "reference"}
NO_GPU = "no GPU on this machine"
NOT_BUILT = "not built"
CLOSE = 1e-4  # by which confidences of two backends may differ


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        seconds: time for each contender, if that is more than the fewest `rounds` take.
        limit: the most documents of a corpus.
        confidences: whether the entities' scores are computed, as `cman predict` does.
    """

    batch_size: int = 16
    seconds: float = 1.0
    threads: int = 1
    limit: int | None = None
    rounds: int = 20
    confidences: bool = False


class Facts(Read):
    """What `provenance.json` says about a run."""

    corpus: str
    experiment: str
    title: str
    split: str
    seed: int


@dataclass(frozen=True)
class Model:
    """A trained model and what its run was."""

    folder: ModelFolder
    corpus: str
    experiment: str
    title: str
    split: str
    seed: int


@dataclass(frozen=True)
class TimedModel:
    """A model with one source of its contextual features; `run` decodes the documents."""

    model: Model
    contextual: str  # none, cached or computed
    documents: Sequence[Document]
    cache: FeatureCache | None
    encoder: FrozenEncoder | None
    device: torch.device
    batch_size: int
    confidences: bool = True

    def run(self, backend: str) -> list[Document]:
        """Decode with a backend."""
        use_kernels(BACKENDS[backend])
        with usual.usual_kernels() if backend == USUAL else nullcontext():
            return self._decoded()

    def _decoded(self) -> list[Document]:
        layers = self.model.folder.settings.contextual.layers
        features: Features | None = self.cache
        if self.encoder is not None:
            features = DocumentFeatures(self.encoder, self.documents, layers=layers)
        return predict(
            self.model.folder, self.documents, features, self.device, self.batch_size, confidences=self.confidences
        )


def speed_of_decoding(
    runs: Sequence[Path], corpora: Path, features: Path, options: Options, output: Path
) -> list[DecodingRow]:
    """Measure, print and write the CSV.

    Args:
        runs: run folders with a `model/` inside.
        corpora: the folder of prepared corpora.
        features: the folder of cached features.

    Raises:
        CmanError: a run, its corpus or its features are missing or malformed.
    """
    models = [_model(run) for run in runs]
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    logger = logging.getLogger("cman.model.predict")
    logger.setLevel(logging.WARNING)  # it says a line for each call
    rows: list[DecodingRow] = []
    try:
        for corpus, split in dict.fromkeys((model.corpus, model.split) for model in models):
            documents = read_documents(corpora / corpus / split / "test.jsonl")[: options.limit]
            members = [model for model in models if (model.corpus, model.split) == (corpus, split)]
            for device in ("cpu", "cuda"):
                measured = _corpus(members, documents, features, device, options)
                print_rows(f"{corpus}, {device}", measured)
                rows += measured
    finally:
        torch.set_num_threads(before)
        logger.setLevel(logging.NOTSET)
        use_kernels("auto")
    write_rows(output, rows)
    return rows


def _model(run: Path) -> Model:
    path = run / "provenance.json"
    facts = checked(Facts, read_json(path), str(path), strict=False)
    return Model(ModelFolder.load(run / "model", trust=True), **facts.model_dump())


def _corpus(
    models: Sequence[Model], documents: Sequence[Document], features: Path, device: str, options: Options
) -> list[DecodingRow]:
    available = device == "cpu" or torch.cuda.is_available()
    torch_device = torch.device(available_device(device) if available else "cpu")
    contenders = [
        contender for model in models for contender in _contenders(model, documents, features, torch_device, options)
    ]
    rows, calls = {}, {}
    for index, contender in enumerate(contenders):
        checked_first = available and contender.contextual != "computed"
        for backend in _backends(contender):
            row = _row(contender, backend, device, options)
            row.note = "" if available else NO_GPU
            if checked_first:
                row.note = _refusal(contender, backend)
            name = f"{index} {backend}"
            rows[name] = row
            if not row.note:
                calls[name] = partial(contender.run, backend)
    with torch.inference_mode():
        timings = interleave(calls, options.seconds, device, options.rounds) if calls else {}
        for name, timing in timings.items():
            _enter(rows[name], timing)
            if device == "cpu" and rows[name].kernels == "compiled":  # whose operations have names
                rows[name].shares = shares.text(shares.shares(calls[name]))
    _relate(list(rows.values()))
    return list(rows.values())


def _contenders(
    model: Model, documents: Sequence[Document], features: Path, device: torch.device, options: Options
) -> list[TimedModel]:
    folder = model.folder
    common: dict[str, Any] = {"device": device, "batch_size": options.batch_size, "confidences": options.confidences}
    contender: Any = partial(TimedModel, model, documents=documents, **common)
    if folder.encoder is None:
        return [contender("none", cache=None, encoder=None)]
    if folder.pieces is not None:  # its encoder is part of it
        return [contender("computed", cache=None, encoder=None)]
    name = folder.settings.contextual.encoder
    cache = FeatureCache(features / model.corpus / name)
    encoder = open_encoder(folder.encoder, name, device, Layout())
    return [contender("cached", cache=cache, encoder=None), contender("computed", cache=None, encoder=encoder)]


def _built(device: str) -> bool:
    return library.REASON is None and device in library.DEVICES


def _backends(contender: TimedModel) -> Sequence[str]:
    """Return what a contender is timed with: the encoder, which has no kernels of ours, with the one in use alone."""
    if contender.contextual == "computed":
        return ("compiled",) if _built(contender.device.type) else ("reference",)
    return tuple(BACKENDS)


def _refusal(contender: TimedModel, backend: str) -> str:
    """Return why a contender is not timed with a backend: it is not there, or predicts what the definition does not."""
    if backend == "compiled" and not _built(contender.device.type):
        return NOT_BUILT
    if backend == USUAL and (why := usual.missing() or _unusual(contender.model.folder)) is not None:
        return why
    if backend == "reference":
        return ""
    expected = contender.run("reference")
    for one, other in zip(contender.run(backend), expected, strict=True):
        if not _agree(one, other):
            return f"not timed: the backends differ in document {one.id!r}"
    return ""


def _unusual(folder: ModelFolder) -> str | None:
    """Return why a model cannot be decoded by pytorch-crf; None if it can."""
    pairwise = folder.settings.crf.potential == "pairwise"
    return "pytorch-crf has no transitions that depend on the token" if pairwise else None


def _agree(one: Document, other: Document) -> bool:
    for ours, theirs in ((one.entities, other.entities), (one.relations, other.relations)):
        if len(ours) != len(theirs):
            return False
        for a, b in zip(ours, theirs, strict=True):
            first, second = dict(vars(a)), dict(vars(b))
            if abs((first.pop("score") or 0.0) - (second.pop("score") or 0.0)) > CLOSE or first != second:
                return False
    return True


def _row(contender: TimedModel, backend: str, device: str, options: Options) -> DecodingRow:
    model = contender.model
    name = torch.cuda.get_device_name() if device == "cuda" and torch.cuda.is_available() else processor()
    return DecodingRow(
        corpus=model.corpus,
        experiment=model.experiment,
        title=model.title,
        seed=model.seed,
        split=model.split,
        device=device,
        processor=name if device == "cpu" or torch.cuda.is_available() else "",
        threads=options.threads,
        kernels=backend,
        contextual=contender.contextual,
        batch_size=options.batch_size,
        sentences=len(contender.documents),
        tokens=sum(len(document.tokens) for document in contender.documents),
        confidences="on" if options.confidences else "off",
        torch=torch.__version__,
    )


def _enter(row: DecodingRow, timing: Timing) -> None:
    row.rounds = len(timing.seconds)
    row.seconds_median, row.seconds_min, row.seconds_max = timing.median, min(timing.seconds), max(timing.seconds)
    row.seconds_q1, row.seconds_q3 = timing.quartiles
    row.sentences_per_second = row.sentences / timing.median
    row.cpu_seconds_median, row.cpu_seconds_min = timing.cpu_median, min(timing.cpu, default=None)
    row.busy = "yes" if timing.waited else ""


def _relate(rows: Sequence[DecodingRow]) -> None:
    """Enter the time relative to the baseline with the same backend, whose features are always the same."""
    for row in rows:
        baseline = next((each for each in rows if each.experiment == BASELINE and each.kernels == row.kernels), None)
        if row.seconds_median is not None and baseline is not None and baseline.seconds_median is not None:
            row.relative_time = row.seconds_median / baseline.seconds_median


def check_runs(runs: Sequence[Path]) -> None:
    """Refuse folders without a model before torch is loaded.

    Raises:
        CmanError: such as a record, which has none.
    """
    for run in runs:
        if not (run / "model" / "config.json").is_file():
            raise CmanError(f"{run}: found no model, wanted a run folder with model/ (a record has none)")
