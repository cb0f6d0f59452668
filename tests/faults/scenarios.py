"""The verbs whose system calls are made to fail, and the small project that each of them is run in."""

import json
from pathlib import Path

import torch

from cman.corpora.document import read_documents
from tests.features.tiny_bert import bert

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
RUN = "results/runs/tiny/cman/main/seed1"
GOLD = "results/corpora/tiny/main/test.jsonl"
CONFIG = ("--config", "c.json", "--corpus", "tiny")
ONE_CORE = ("--device", "cpu", "--threads", "1")
MODEL = ("--model", f"{RUN}/model")
SETTINGS = {
    "contextual.enabled": False, "word.dim": 4, "char.emb": 4, "char.hidden": 2, "label.emb": 2, "lstm.hidden": 4,
    "attn.heads": 2, "rel.hidden": 4, "training.epochs": 1, "at.enabled": False,
}  # fmt: skip

# In the order of the pipeline: what a verb reads, the ones before it have made.
VERBS: dict[str, tuple[str, ...]] = {
    "fetch": ("fetch", *CONFIG),
    "prepare": ("prepare", *CONFIG),
    "embed (vectors)": ("embed", *CONFIG, "--name", "wiki"),
    "embed": ("embed", *CONFIG, "--name", "bert", *ONE_CORE),
    "train": ("train", *CONFIG, "--experiment", "cman", *ONE_CORE),
    "predict": ("predict", *MODEL, "--input", GOLD, "--output", f"{RUN}/predictions.jsonl", *ONE_CORE,
                "--copies", f"{RUN}/label_copies.json", "--ranking", f"{RUN}/ranking.jsonl"),
    "score": ("score", "--gold", GOLD, "--predictions", f"{RUN}/predictions.jsonl", "--output", f"{RUN}/scores.json",
              "--provenance", f"{RUN}/provenance.json", "--ranking", f"{RUN}/ranking.jsonl"),
    "record": ("record", RUN),
    "record again": ("record", RUN),
    "tables": ("tables", RUN, "--published", str(PUBLISHED)),
    "browser": ("browser", RUN),
    "convert": ("convert", "--from", "jsonl", "--to", "spert", "--input", GOLD, "--output", "results/spert.json"),
    "extract": ("extract", *MODEL, "--input", "in.txt", "--output", "results/out.jsonl", *ONE_CORE),
    "extract (csv)": ("extract", *MODEL, "--input", "in.txt", "--output", "results/out.csv", "--format", "csv",
                      *ONE_CORE),
}  # fmt: skip


def write_project(folder: Path) -> None:
    """Write the configuration and what it names."""
    corpus = {"format": "conll04-sample", "sentences": {"train": 12, "dev": 5, "test": 5}, "seed": 3}
    value = {"corpora": {"tiny": corpus}, "experiments": ["cman"], "seeds": [1], "settings": SETTINGS}
    value |= {"vectors": {"wiki": {"path": "v.txt"}}, "encoders": {"bert": {"path": "bert"}}}
    folder.mkdir(parents=True)
    (folder / "c.json").write_text(json.dumps(value))
    (folder / "v.txt").write_text("the 1 2\nin 3 4\n. 5 6\n")
    (folder / "in.txt").write_text("Ada Lovelace lives in London .\n" * 5)
    torch.manual_seed(0)
    bert(folder / "bert")


def import_all() -> None:
    """Import what the verbs need, so that a forked process does not."""
    import cman.extract.run
    import cman.features.embed
    import cman.model.predict
    import cman.report.browser.write
    import cman.report.record
    import cman.report.tables
    import cman.training.train  # noqa: F401

    assert read_documents
