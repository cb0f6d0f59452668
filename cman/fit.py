"""From annotated files to a model folder in one call: prepare, embed, train, predict test, score, card, publish.

Each step is the stage that the workflow runs, in a results folder of its own beside the output (`.NAME.fit`), so that
the same call goes on where it was stopped: features and checkpoints are kept there. The model folder gets its name at
the end, whole, with scores, history and provenance of its training in `training/`; then the rest is removed.
"""

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

from cman.config.configuration import Configuration
from cman.corpora.prepare import prepare
from cman.corpora.tokenize import can_read_text
from cman.errors import CmanError, UsageError
from cman.evaluation.scores import score_files, summary
from cman.features.embed import embed
from cman.fetch.inputs import input_source
from cman.files import read_json, sync, write_json
from cman.kernels import KernelChoice
from cman.layout import MAIN, Layout
from cman.lock import locked
from cman.manifest import list_file, list_files
from cman.model.predict import predict_file
from cman.report.card import write_card
from cman.training.data import TrainingData
from cman.training.runs import Run
from cman.training.train import train

log = logging.getLogger(__name__)

KEPT = ("scores.json", "history.csv", "provenance.json")  # of a run, beside its model


def fit(
    configuration: Configuration,
    run: Run,
    output: Path,
    device: str,
    threads: int | None,
    kernels: KernelChoice = "auto",
) -> None:
    """Train the model of a run and write it to `output`, a new folder.

    Raises:
        UsageError: something stands at `output` already.
        CmanError: see the stages; another process fits the same output.
    """
    run = replace(run, digest=run.code)
    work, old = (output.with_name(f".{output.name}.{name}") for name in ("fit", "fit.old"))
    folder = run.folder(Layout(work))
    with locked(output, "fitted"):
        shutil.rmtree(old, ignore_errors=True)
        if output.is_file() or (output.is_dir() and any(output.iterdir())):
            if not (folder / "scores.json").is_file() or (folder / "model").exists():
                raise UsageError(f"--output: found {output}, wanted a folder that is not there yet")
            log.info("%s was complete already", output)
        else:
            try:
                _train(configuration, run, Layout(work), device, threads, kernels)
            except KeyboardInterrupt:
                raise CmanError("stopped; the same command goes on") from None
            _publish(folder, output)
        os.rename(work, old)  # what is half removed must not look like a training to go on with
        shutil.rmtree(old)


def _train(
    configuration: Configuration, run: Run, layout: Layout, device: str, threads: int | None, kernels: KernelChoice
) -> None:
    prepare(run.corpus, configuration.corpus(run.corpus), layout)
    write_features(configuration, run, layout, device, threads)
    train_and_score(run, layout, device, threads, kernels, can_read_text())


def write_features(configuration: Configuration, run: Run, layout: Layout, device: str, threads: int | None) -> None:
    """Compute what a run reads beside the documents: contextual features and word vectors, of all divisions."""
    names = [run.settings.contextual.encoder] if _reads_features(run) else []
    names += [] if run.settings.word.vectors is None else [run.settings.word.vectors]
    for name in names:
        log.info("features: %s", name)
        source, layers = input_source(configuration, name, layout), run.settings.contextual.layers
        embed(source, run.corpus, name, MAIN, layout, device, threads, layers)


def _reads_features(run: Run) -> bool:
    return run.encoder is not None and not run.settings.encoder.trainable


def train_and_score(
    run: Run, layout: Layout, device: str, threads: int | None, kernels: KernelChoice = "auto", raw_text: bool = False
) -> None:
    """Train a run, unless this very model was trained, predict the test documents, score them and write the card.

    Args:
        raw_text: also find entities and relations in the test documents as raw text.
    """
    corpus, split, folder = run.corpus, run.split, run.folder(layout)
    if not _is_trained(run, layout):
        # One core: a model this small gains nothing from more, and on a busy machine they wait for one another.
        train(run, layout, device, threads or 1, kernels)

    gold = layout.documents(corpus, split) / "test.jsonl"
    predictions, ranking = folder / "predictions.jsonl", folder / "ranking.jsonl"
    text = folder / "text.jsonl" if raw_text and not run.settings.ner.given else None
    features = layout.features(corpus, run.settings.contextual.encoder) if _reads_features(run) else None
    model = folder / "model"
    predict_file(model, gold, predictions, features, device, threads, kernels, ranking=ranking, trust=True, text=text)
    scores = score_files(gold, predictions, folder / "provenance.json", ranking, text)
    write_json(folder / "scores.json", scores)
    list_file(folder / "scores.json")
    log.info("test: %s", summary(scores))
    write_card(folder)


def _is_trained(run: Run, layout: Layout) -> bool:
    """Whether a stopped call had trained this very model, of the same inputs, settings and code."""
    path = run.folder(layout) / "provenance.json"
    facts = read_json(path) if path.is_file() else {}
    expected = {
        "digest": run.digest,
        "settings": run.settings.model_dump(mode="json"),
        "inputs": TrainingData.read(run, layout).hashes,
        "seed": run.seed,
    }
    return all(facts.get(name) == value for name, value in expected.items())


def _publish(folder: Path, output: Path) -> None:
    model = folder / "model"
    kept = model / "training"
    kept.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copyfile(folder / name, kept / name)
    list_files(kept, KEPT)
    try:
        os.rename(model, output)
    except OSError as error:
        raise CmanError(f"{output}: cannot be given to the finished model ({error.strerror}); it is {model}") from None
    sync(output.parent)
