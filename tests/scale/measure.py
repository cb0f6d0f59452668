"""How CPU time and memory of every stage grow with a corpus: CoNLL04 repeated with changed names, each verb by itself.

    python tests/scale/measure.py CORPUS FOLDER 400 2000 10000 > results/record/speed/scale.csv

CORPUS is a folder of prepared documents, such as results/corpora/conll04/main. In copy k of it, the letters of an
entity's words are moved by k places, so that the vocabulary grows as that of a larger corpus does. The model is small
and reads the top layer of MiniLM; one epoch. A line a stage: seconds of CPU and the peak of resident memory, neither of
which other processes change much.
"""

import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

from cman.corpora.document import Document, read_documents, write_documents
from cman.machine import processor

SPLITS = ("train", "dev", "test")
SETTINGS = {
    "training": {"epochs": 1, "protocol": "train"},
    "contextual": {"mix": "top"},
    "word": {"dim": 32},
    "char": {"emb": 8, "hidden": 8},
    "label": {"emb": 8},
    "lstm": {"hidden": 32, "layers": 1},
    "rel": {"hidden": 32},
}


def renamed(document: Document, copy: int) -> Document:
    """Return a document with another id, and other names where it has entities."""
    by = copy % 26
    turned = [letters[by:] + letters[:by] for letters in (ascii_lowercase, ascii_uppercase)]
    moved = str.maketrans(ascii_lowercase + ascii_uppercase, "".join(turned))
    tokens = list(document.tokens)
    for entity in document.entities:
        for index in range(entity.start, entity.end):
            tokens[index] = document.tokens[index].translate(moved) + "x" * (copy // 26)
    return replace(document, id=f"{document.id}-{copy}", tokens=tuple(tokens))


def write_corpus(source: Path, folder: Path, count: int) -> None:
    """Write about `count` sentences in the proportions of the source, and a configuration."""
    every = {name: read_documents(source / f"{name}.jsonl") for name in SPLITS}
    total = sum(len(documents) for documents in every.values())
    for name, documents in every.items():
        wanted = round(count * len(documents) / total)
        copies = (renamed(documents[at % len(documents)], at // len(documents)) for at in range(wanted))
        write_documents(folder / f"{name}.jsonl", copies)
    corpus = {"format": "jsonl", "paths": {name: str(folder / f"{name}.jsonl") for name in SPLITS}}
    configuration = {"corpora": {"scale": corpus}, "experiments": ["cman"], "seeds": [1], "settings": SETTINGS}
    (folder / "scale.yaml").write_text(json.dumps(configuration))


def stages(folder: Path) -> dict[str, list[str]]:
    """Return the command of each stage."""
    results = folder / "results"
    run, documents = results / "runs/scale/cman/main/seed1", results / "corpora/scale/main"
    test, predictions = str(documents / "test.jsonl"), str(run / "predictions.jsonl")
    given = ["--config", str(folder / "scale.yaml"), "--corpus", "scale", "--results", str(results)]
    predicted = ["--output", predictions, "--features", str(results / "features/scale/minilm")]
    scored = ["--predictions", predictions, "--provenance", str(run / "provenance.json")]
    scored += ["--output", str(run / "scores.json")]
    return {
        "prepare": ["prepare", *given],
        "embed": ["embed", *given, "--threads", "1"],
        "train": ["train", *given, "--experiment", "cman", "--threads", "1"],
        "predict": ["predict", "--model", str(run / "model"), "--input", test, *predicted, "--threads", "1"],
        "score": ["score", "--gold", test, *scored],
        "tables": ["tables", str(run), "--output", str(folder / "tables.tex"), "--csv", str(folder / "tables.csv")],
        "browser": ["browser", str(run), "--corpora", str(results / "corpora"), "--output", str(folder / "page.html")],
    }


def measured(command: list[str]) -> tuple[float, float]:
    """Return the seconds of CPU and the peak, in MB, of a verb in a process of its own."""
    program = "import sys; from cman.cli.app import main; sys.argv = ['cman', *sys.argv[1:]]; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watched = [sys.executable, __file__, "--one", sys.executable, "-c", program, *command]
    done = subprocess.run(watched, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, int(done.stdout.splitlines()[-1]) / 1000


def main() -> None:
    """Measure, or with --one run a command and print the peak of its memory, which children of others would hide."""
    if sys.argv[1] == "--one":
        code = subprocess.run(sys.argv[2:]).returncode
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        sys.exit(code)
    source, root = Path(sys.argv[1]), Path(sys.argv[2])
    print("sentences,stage,cpu_seconds,peak_mb,processor")
    for count in map(int, sys.argv[3:]):
        folder = root / str(count)
        write_corpus(source, folder, count)
        for name, command in stages(folder).items():
            seconds, peak = measured(command)
            print(f"{count},{name},{seconds:.1f},{peak:.0f},{processor()}", flush=True)


if __name__ == "__main__":
    main()
