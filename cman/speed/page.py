"""docs/performance.md, and the table of the operations in docs/kernels.md, made from the records of measurements.

    python -m cman.speed.page

The records are the CSV files of `results/record/speed`: `cpu-1-thread.csv` and those of other machines, whose names go
on after `thread`, of `cman speed kernels`, `decoding.csv` and `training.csv` of `cman speed decoding` and `training`,
`scale.csv` of `tests/scale/measure.py`, and `memory.csv`, which is kept by hand; of `make gpu` `gpu.csv`, its
kernels.csv, `gpu-times.csv`, its times.csv, and `gpu-step.csv`, what its step.txt and profile.txt say, by hand. A row
of which the wall's time and the CPU's differ is marked `busy`. What was not measured has no section and no column.
"""

import csv
import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cman.files import read_text, write_text
from cman.speed import shares
from cman.speed.operations import OPERATIONS
from cman.speed.tables import digits

Row = Mapping[str, str]
RECORDS, DOCS = Path("results/record/speed"), Path("docs")
OURS = "cman"
NAMES = {"eager": "PyTorch"}
PEERS = ("pytorch-crf", "torch-struct", "hmmlearn")
BEGIN, END = "<!-- made by python -m cman.speed.page -->", "<!-- end -->"
HEAD = """# Time and memory

Made from the records in `results/record/speed` by `python -m cman.speed.page`. Wall times are medians over rounds in
which all contenders took turns within one process; a row marked *busy* was measured while other processes had the
cores, and there the CPU's time is what counts. How each is measured: [kernels.md](kernels.md)."""
SCALE = (
    "`python tests/scale/measure.py CORPUS FOLDER SENTENCES...` repeats CoNLL04 with changed names and runs each verb "
    "in a process of its own: a small model on the top layer of MiniLM, one epoch. Seconds of CPU and the peak of "
    "resident memory. Loading libraries is most of what the shorter stages take."
)
TIMES = (
    "Microseconds that the device is busy with an operation, and that a call takes when calls follow one another: the "
    "host queues a gradient more slowly than the device computes it. With sums in any order, and in torch's "
    "deterministic mode. All sentences have their full length."
)
STEP = (
    "A training step of `cman` with the paper's sizes and equation 22, 8 sentences, without contextual features. "
    "Nothing in it waits for the device, so that one graph can hold all that it queues for a padded shape; training "
    "itself queues call by call."
)
MEMORY = "MB before and after a change; of a process the most that it holds."


def read(path: Path) -> list[Row]:
    """Return the rows of a record; none where there is no such file."""
    return list(csv.DictReader(io.StringIO(read_text(path)))) if path.is_file() else []


def operations(rows: Sequence[Row]) -> str:
    """Return the tables of the operations: our milliseconds, and how many times as long each contender takes."""
    timed = [row for row in rows if row["median_ms"]]
    if not timed:
        return ""
    first = timed[0]
    versions = {row["contender"]: row["version"] for row in timed if row["contender"] in PEERS}
    threads = f"{first['threads']} thread{'s' * (first['threads'] != '1')}"
    on_cpu = first["device"] in ("", "cpu")
    machine = first["processor"] if on_cpu else f"{first['device']} beside an {first['processor']}"
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        *_wrapped(
            f"{machine}, {first['backend']}, {threads}, PyTorch {first['torch']}; {said}. Milliseconds of a "
            "warm call of ours, and how many times as long the others take for the same results. Shapes are "
            "(sentences, tokens, tags), lengths uniform from a quarter, or (sentences, tokens, size, labels) and, of "
            "the LSTM, (sentences, tokens, inputs, units), both without padding."
        )
    ]
    for kind in ("crf", "pairs", "lstm"):
        own = [row for row in timed if OPERATIONS[row["operation"]].kind == kind]
        if not own:
            continue
        names = list(dict.fromkeys(row["contender"] for row in own if row["contender"] != OURS))
        head = ["operation", "shape", "ms", *(NAMES.get(name, name) for name in names), "cold ms"]
        lines += ["", *_table(head, list(_figures(own, names)))]
    known = {row["contender"] for row in timed}
    untimed = {(row["contender"], row["note"]) for row in rows if row["contender"] not in known}
    lines += [""] * bool(untimed) + [f"Without times: {name} ({note})." for name, note in sorted(untimed)]
    return "\n".join(lines)


def _figures(rows: Sequence[Row], names: Sequence[str]) -> Iterator[list[str]]:
    for operation, shape in dict.fromkeys((row["operation"], row["shape"]) for row in rows):
        own = {row["contender"]: row for row in rows if (row["operation"], row["shape"]) == (operation, shape)}
        if OURS not in own:
            continue
        ours = own[OURS]
        cells = [f"{_number(own[name]['ratio'])}x" + _busy(own[name]) if name in own else "" for name in names]
        named = [OPERATIONS[operation].title, f"({shape.replace('x', ', ')})"]
        yield [*named, _number(ours["median_ms"]) + _busy(ours), *cells, _number(ours.get("cold_ms") or "")]


def times(rows: Sequence[Row]) -> str:
    """Return the table of how long a GPU is busy with each operation."""
    if not rows:
        return ""
    found = {(row["operation"], row["shape"], row["sums"]): row for row in rows}
    ways = dict.fromkeys(row["sums"] for row in rows)
    body = []
    for operation, shape in dict.fromkeys((row["operation"], row["shape"]) for row in rows):
        own = [found[operation, shape, way] for way in ways]
        cells = [_number(row[name]) for row in own for name in ("device_us", "call_us")]
        body.append([OPERATIONS[operation].title, f"({shape.replace('x', ', ')})", *cells])
    head = ["operation", "shape", *(f"{name}, sums {way}" for way in ways for name in ("busy", "call"))]
    said = f"{TIMES} {rows[0]['device']}, PyTorch {rows[0]['torch']}."
    return "\n".join([*_wrapped(said), "", *_table(head, body)])


def steps(rows: Sequence[Row]) -> str:
    """Return the table of a training step on a GPU."""
    if not rows:
        return ""
    said = f"{STEP} {rows[0]['device']}, PyTorch {rows[0]['torch']}."
    return "\n".join(
        [*_wrapped(said), "", *_table(["what", "ms"], [[row["what"], _number(row["ms"])] for row in rows])]
    )


def decoding(rows: Sequence[Row]) -> str:
    """Return the table of decoding, and where its time goes."""
    timed = [row for row in rows if row["seconds_median"]]
    if not timed:
        return ""
    first = timed[0]
    confidences = {"on": ", with confidences", "off": ", without confidences"}.get(first.get("confidences", ""), "")
    lines = [
        *_wrapped(
            f"{first['corpus']}, {first['sentences']} sentences in batches of {first['batch_size']}{confidences}; "
            f"{first['processor']}, {first['threads']} thread{'s' * (first['threads'] != '1')}, PyTorch "
            f"{first['torch']}. Seconds are of one pass, in brackets the quartiles of the rounds; relative is to the "
            "first model with the same kernels. `pytorch-crf` is decoding as its user has it: that library's CRF, and "
            "a table of all relation scores in plain PyTorch."
        ),
        "",
    ]
    head = ["model", "device", "features", "kernels", "rounds", "seconds", "of CPU", "sentences/s", "relative"]
    lines += _table(head, [_decoded(row) for row in timed])
    known = [row for row in timed if row.get("shares")]
    if known:
        parts = list(shares.read(known[0]["shares"]))
        lines += ["", "Where the CPU's time goes, in percent:", ""]
        lines += _table(
            ["model", "features", *parts],
            [
                [row["title"], row["contextual"], *(f"{100 * shares.read(row['shares'])[part]:.0f}" for part in parts)]
                for row in known
            ],
        )
    return "\n".join(lines)


def _decoded(row: Row) -> list[str]:
    spread = f" [{_number(row['seconds_q1'])}..{_number(row['seconds_q3'])}]" if row.get("seconds_q1") else ""
    return [
        row["title"],
        row["device"],
        row["contextual"],
        row["kernels"],
        row["rounds"],
        _number(row["seconds_median"]) + spread + _busy(row),
        _number(row.get("cpu_seconds_median") or ""),
        f"{float(row['sentences_per_second']):.0f}",
        f"{float(row['relative_time']):.2f}x" if row["relative_time"] else "",
    ]


def training(rows: Sequence[Row]) -> str:
    """Return the table of training steps."""
    if not rows:
        return ""
    first = rows[0]
    lines = _wrapped(
        f"Steps of an epoch's first {first['steps']} batches, each trained on by either in turns; "
        f"{first['processor']}, {first['threads']} thread{'s' * (first['threads'] != '1')}, PyTorch {first['torch']}. "
        "Milliseconds of CPU, in brackets the quartiles."
    )
    head = ["corpus", "experiment", "batch", "operations", "ms a step", "relative", "s an epoch"]
    body = [
        [
            *(row[name] for name in ("corpus", "experiment", "batch_size", "contender")),
            f"{_number(row['cpu_ms'])} [{_number(row['cpu_ms_q1'])}..{_number(row['cpu_ms_q3'])}]",
            f"{float(row['ratio']):.2f}x",
            _number(row["epoch_s"]),
        ]
        for row in rows
    ]
    return "\n".join([*lines, "", *_table(head, body)])


def scale(rows: Sequence[Row]) -> str:
    """Return the table of growth: a row a stage, a column a number of sentences."""
    if not rows:
        return ""
    counts = list(dict.fromkeys(row["sentences"] for row in rows))
    found = {(row["stage"], row["sentences"]): row for row in rows}
    stages = dict.fromkeys(row["stage"] for row in rows)
    body = [
        [stage, *(_stage(found[stage, count]) if (stage, count) in found else "" for count in counts)]
        for stage in stages
    ]
    head = ["stage", *(f"{int(count):,} sentences" for count in counts)]
    return "\n".join([*_wrapped(f"{SCALE} {rows[0]['processor']}, one thread."), "", *_table(head, body)])


def _stage(row: Row) -> str:
    return f"{float(row['cpu_seconds']):.1f} s, {float(row['peak_mb']):.0f} MB"


def memory(rows: Sequence[Row]) -> str:
    """Return the table of memory before and after changes."""
    if not rows:
        return ""
    body = [[row["what"], _number(row["before_mb"]), _number(row["after_mb"])] for row in rows]
    return MEMORY + "\n\n" + "\n".join(_table(["what", "before", "after"], body))


ON_GPU = ((operations, "gpu"), (times, "gpu-times"), (steps, "gpu-step"))


def page(records: Path = RECORDS) -> str:
    """Return docs/performance.md."""
    machines = [operations(read(path)) for path in sorted(records.glob("cpu-1-thread*.csv"), reverse=True)]
    gpu = [make(read(records / f"{name}.csv")) for make, name in ON_GPU]
    sections = (
        ("The operations", "\n\n".join(filter(None, machines))),
        ("Decoding", decoding(read(records / "decoding.csv"))),
        ("Training", training(read(records / "training.csv"))),
        ("Growth with the corpus", scale(read(records / "scale.csv"))),
        ("Memory", memory(read(records / "memory.csv"))),
        ("On a GPU", "\n\n".join(filter(None, gpu))),
    )
    return "\n\n".join([HEAD, *(f"## {title}\n\n{text}" for title, text in sections if text)]) + "\n"


def with_table(text: str, records: Path = RECORDS) -> str:
    """Return docs/kernels.md with the table of the operations in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{operations(read(records / 'cpu-1-thread.csv'))}\n{END}{after}"


def _busy(row: Row) -> str:
    return " (busy)" if row.get("busy") else ""


def _number(field: str) -> str:
    return digits(float(field)) if field else ""


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table without the columns that are empty."""
    filled = [column for column in range(len(head)) if any(row[column] for row in body)]
    lines = [[row[column] for column in filled] for row in (head, ["---"] * len(head), *body)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    write_text(DOCS / "performance.md", page())
    kernels = DOCS / "kernels.md"
    write_text(kernels, with_table(read_text(kernels)))
