"""What tables, figures and model cards call a run: titles of corpus, experiment, protocol, inputs and division.

Nothing here changes a file of a corpus, a model or a score. A training writes these words into `provenance.json`, and
the workflow hands the present ones to whatever shows them, so that another title makes no training again.
"""

from pathlib import Path
from typing import Any

from cman.config.configuration import Configuration
from cman.config.corpora import Corpus
from cman.config.settings import Settings, Training
from cman.corpora.formats import corpus_title, licence
from cman.errors import CmanError
from cman.files import read_json

PROTOCOLS = {
    "retrain": "epoch chosen on dev, then retrained on train and dev",
    "train": "epoch chosen on dev, trained on train",
    "fixed": "trained on train and dev for a fixed number of epochs",
}
FOLDS = {
    "spert": "the ten public folds by sentence of Eberts and Ulges (2020)",
    "document": "ten folds that share no abstract",
    "sentence": "ten folds by sentence",
}
OVERLAPS = {
    "keep_longest": "of overlapping entities the longest is kept",
    "drop_sentences": "sentences with overlapping entities are dropped",
    "drop_relations": "relations with overlapping arguments are dropped",
}


def protocol_title(training: Training) -> str:
    """Return what is said of how a run was trained and its epoch chosen."""
    if training.protocol == "retrain" and training.epoch_rule == "last":
        return "trained for a fixed number of epochs, on train (dev calibrates the scores), then on train and dev"
    return PROTOCOLS[training.protocol]


def titles(configuration: Configuration, corpus: str, experiment: str) -> dict[str, Any]:
    """Return what a run is called and how its corpus is described, by the keys of `provenance.json`.

    Raises:
        UsageError: unknown corpus or experiment.
    """
    kind, settings = configuration.corpus(corpus), configuration.settings_of(corpus, experiment)
    return {
        "corpus_title": corpus_title(corpus, kind),
        "packaging": None if kind.is_own else getattr(kind, "packaging", None),
        "division": division_title(kind),
        "sample": kind.is_sample,
        "title": configuration.experiment(experiment).title,
        "licence": licence(kind),
        "protocol": protocol_title(settings.training),
        "inputs_title": inputs_title(configuration, settings),
        "language": kind.language,
    }


def titles_of_run(configuration: Configuration, run: Path) -> dict[str, Any]:
    """Return what the run of a folder is called by a configuration.

    Raises:
        CmanError: its provenance is missing or malformed; UsageError: see `titles`.
    """
    facts = read_json(run / "provenance.json")
    try:
        return titles(configuration, facts["corpus"], facts["experiment"])
    except (KeyError, TypeError):
        raise CmanError(f"{run / 'provenance.json'}: found no corpus and experiment, wanted both") from None


def division_title(corpus: Corpus) -> str:
    """Return how a corpus with folds is divided and made fit for BIO, for captions; empty for other corpora."""
    if corpus.folded is None:
        return ""
    number = len(corpus.divisions)
    unit = "text" if corpus.is_own else "sentence"
    division = FOLDS.get(corpus.folded.folds) or f"{number} folds that share no {unit}"
    return f"{division}; before training, {OVERLAPS[corpus.folded.overlap]}; test is as annotated"


def inputs_title(configuration: Configuration, settings: Settings) -> str:
    """Return the token representation in words, for captions."""
    if settings.word.vectors is None:
        parts = [f"random {settings.word.dim}-d word vectors"]
    else:
        parts = [f"{settings.word.vectors} word vectors"]
    if settings.char.enabled:
        parts.append("characters")
    if settings.contextual.enabled:
        encoder = configuration.encoders[settings.contextual.encoder]
        state = "fine-tuned" if settings.encoder.trainable else "frozen"
        parts.append(f"{encoder.title or settings.contextual.encoder} ({state})")
    return ", ".join(parts)
