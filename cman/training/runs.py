"""One run: what it is called, what decides its result, and what only stands beside it in `provenance.json`.

Nothing here knows of configurations, experiments or corpora: a changed title or licence changes no training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cman.config.settings import Settings
from cman.fetch.models import EncoderSource
from cman.layout import Layout

# Of a run folder: what is made with a trained model, and is not to be believed beside another one.
RESULTS = ("predictions.jsonl", "label_copies.json", "ranking.jsonl", "text.jsonl", "scores.json", "model/README.md")


@dataclass(frozen=True)
class Run:
    """A training to be made.

    Args:
        encoder: the keys of `contextual.encoder`; None for a model without contextual inputs.
        language: whose tokens the documents have; the model folder says it.
        facts: more for `provenance.json`, such as the titles of tables; no part of the result.
        digest: of everything upstream, where the workflow gives one.
        code: identifies the code that trains; checkpoints that other code left are not continued.
        sources: SHA-256 of that code alone, for `provenance.json`.
    """

    corpus: str
    experiment: str
    split: str
    seed: int
    settings: Settings
    encoder: EncoderSource | None = None
    language: str = "en"
    facts: Mapping[str, Any] = field(default_factory=dict)
    digest: str | None = None
    code: str = ""
    sources: str | None = None

    @property
    def names(self) -> dict[str, Any]:
        """Corpus, experiment, division and seed, as the run's files tell them."""
        return {"corpus": self.corpus, "experiment": self.experiment, "split": self.split, "seed": self.seed}

    def folder(self, layout: Layout) -> Path:
        """Where its model, history and provenance go."""
        return layout.run(self.corpus, self.experiment, self.split, self.seed)

    def checkpoints(self, layout: Layout) -> Path:
        """Where its checkpoints stand until it is done."""
        return layout.checkpoints(self.corpus, self.experiment, self.split, self.seed)
