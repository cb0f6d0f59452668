"""One epoch of CMAN on random sentences, twice: timed, and under torch's profiler for a table of what took the time.

    python -m tests.device.epoch cuda MADE FOLDER

The model has the sizes of the paper and no contextual features; the trained run stays in MADE/results, for
`cman speed decoding`. Both trainings must end with the same weights, bit by bit.
"""

import json
import random
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.profiler import ProfilerActivity, profile

from cman.cli.app import main as cman
from cman.corpora.document import Document, Entity, Relation, write_documents

SENTENCES = {"train": 160, "dev": 64, "test": 288}
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


def trained(device: str, options: list[str]) -> Path:
    """Train; return the run's folder."""
    run(["train", *options, "--experiment", "cman", "--device", device])
    return Path(options[options.index("--results") + 1]) / "runs/device/cman/main/seed1"


def profiled(device: str, options: list[str], folder: Path) -> str:
    """Train under the profiler; write `profile.txt` and `trace.json` and return the first."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=activities) as watched:
        trained(device, options)
    table: str = watched.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=40)
    (folder / "profile.txt").write_text(table)
    watched.export_chrome_trace(str(folder / "trace.json"))
    return table


def twice(
    device: str,
    made: Path,
    folder: Path,
    sizes: dict[str, int] = SENTENCES,
    settings: dict[str, object] | None = None,
) -> str:
    """Train in a folder of its own and then, profiled, in `made`; return the table and how long the first epoch took.

    Raises:
        AssertionError: the two models differ.
    """
    first = trained(device, prepare(made / "first", sizes, settings))
    table = profiled(device, prepare(made, sizes, settings), folder)
    second = made / "results/runs/device/cman/main/seed1"
    one, two = (load_file(run / "model/model.safetensors") for run in (first, second))
    differ = [name for name in one if not torch.equal(one[name], two[name])]
    if differ:
        raise AssertionError(f"trained twice, {len(differ)} of {len(one)} weights differ, such as {differ[0]}")
    seconds = json.loads((first / "provenance.json").read_text())["epoch_seconds"]
    return f"{table}\nan epoch without the profiler: {seconds} s"


if __name__ == "__main__":
    made, output = Path(sys.argv[2]), Path(sys.argv[3])
    torch.manual_seed(0)
    print(twice(sys.argv[1], made, output))
