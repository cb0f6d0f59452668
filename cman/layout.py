"""Where everything stands below the results folder: the one place that Python code takes a path from.

The workflow's rules spell the same paths out, because Snakemake matches them by pattern.
"""

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "dev", "test")
MAIN = "main"  # the only division of a corpus without folds
RELEASED = Path(__file__).resolve().parents[1] / "models" / "conll04"  # of a checkout; a wheel has none
FOLDS = tuple(f"fold{number}" for number in range(10))  # those of a corpus with folds


@dataclass(frozen=True)
class Layout:
    """Paths below `root`, by default `results`."""

    root: Path = Path("results")

    def raw(self, corpus: str) -> Path:
        """Raw files of a corpus, by the names that its source gives them."""
        return self.root / "raw" / corpus

    def documents(self, corpus: str, split: str) -> Path:
        """Prepared documents: train.jsonl, dev.jsonl and test.jsonl."""
        return self.root / "corpora" / corpus / split

    def statistics(self, corpus: str) -> Path:
        """Counts and warnings of a corpus."""
        return self.root / "corpora" / corpus / "statistics.json"

    def features(self, corpus: str, name: str) -> Path:
        """Cached contextual features or filtered word vectors."""
        return self.root / "features" / corpus / name

    def inputs(self, name: str) -> Path:
        """Downloaded files of an encoder or of word vectors."""
        return self.root / "inputs" / name

    def run(self, corpus: str, experiment: str, split: str, seed: int) -> Path:
        """Run folder: model, history, predictions, scores and provenance."""
        return self.root / "runs" / corpus / experiment / split / f"seed{seed}"

    def cards(self, corpus: str, experiment: str) -> Path:
        """The list of the model cards of an experiment's runs."""
        return self.root / "cards" / corpus / f"{experiment}.txt"

    def checkpoints(self, corpus: str, experiment: str, split: str, seed: int) -> Path:
        """Checkpoints of an unfinished run; not in its folder, because Snakemake removes a failed job's outputs."""
        return self.root / "checkpoints" / corpus / experiment / split / f"seed{seed}"
