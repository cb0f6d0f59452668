"""One epoch of CMAN on random sentences under torch's profiler: a table of what took the time, and a trace.

    python -m tests.device.epoch cuda MADE FOLDER

The model has the sizes of the paper and no contextual features; the trained run stays in MADE/results, for
`cman speed decoding`.
"""

import json
import random
import sys
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from cman.cli.app import main as cman
from cman.corpora.document import Document, Entity, Relation, write_documents

SENTENCES = {"train": 640, "dev": 64, "test": 288}
TYPES, LABELS = ("Peop", "Org", "Loc", "Other"), ("Live_In", "Work_For", "Kill", "Located_In", "OrgBased_In")


def sentences(count: int, seed: int) -> list[Document]:
    """Return random sentences, as long as those of CoNLL04, with two entities and a relation."""
    draw = random.Random(seed)
    documents = []
    for number in range(count):
        length = min(120, max(8, round(draw.lognormvariate(3.25, 0.5))))
        tokens = tuple(f"w{int(4000 * draw.random() ** 3)}" for _ in range(length))
        first, second = sorted(draw.sample(range(0, length - 1, 2), 2))
        entities = tuple(Entity(TYPES[(number + at) % 4], at, at + draw.choice((1, 2))) for at in (first, second))
        documents.append(Document(f"{seed}-{number}", tokens, entities, (Relation(LABELS[number % 5], 0, 1),)))
    return documents


def prepare(made: Path, sizes: dict[str, int] = SENTENCES, settings: dict[str, object] | None = None) -> list[str]:
    """Write and prepare the corpus; return the options that name it to a verb."""
    made.mkdir(parents=True, exist_ok=True)
    for number, (name, count) in enumerate(sizes.items()):
        write_documents(made / f"{name}.jsonl", sentences(count, number))
    corpus = {"format": "jsonl", "paths": {name: str(made / f"{name}.jsonl") for name in sizes}}
    given = {"training": {"epochs": 1, "protocol": "train"}, "contextual": {"enabled": False}, **(settings or {})}
    configuration = {"corpora": {"device": corpus}, "experiments": ["cman"], "seeds": [1], "settings": given}
    (made / "device.yaml").write_text(json.dumps(configuration))
    options = ["--config", str(made / "device.yaml"), "--corpus", "device", "--results", str(made / "results")]
    run(["prepare", *options])
    return options


def run(command: list[str]) -> None:
    """Run a verb in this process."""
    before, sys.argv = sys.argv, ["cman", *command]
    try:
        cman()
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        sys.argv = before


def profiled(device: str, options: list[str], folder: Path) -> str:
    """Train under the profiler; write `profile.txt` and `trace.json` and return the first."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=activities) as watched:
        run(["train", *options, "--experiment", "cman", "--device", device])
    table: str = watched.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=40)
    (folder / "profile.txt").write_text(table)
    watched.export_chrome_trace(str(folder / "trace.json"))
    return table


if __name__ == "__main__":
    made, output = Path(sys.argv[2]), Path(sys.argv[3])
    torch.manual_seed(0)
    print(profiled(sys.argv[1], prepare(made), output))
