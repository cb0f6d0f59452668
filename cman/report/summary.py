"""What stands in a results folder and where to look first, in lines for a terminal; and real figures from the records.

`make tables` ends with it: its own runs are of generated corpora, so Table I of real CoNLL04 comes from `record/`.
"""

from collections.abc import Iterator
from pathlib import Path

from cman.report.evidence import read_evidence
from cman.report.published import read_published
from cman.report.results import group_runs, read_run
from cman.report.results_page import MAIN, rows_of

MADE = {
    "report.html": "open it first: Table I and the figures, the appendix, and how each was made",
    "tables.tex": "Tables I to VII for LaTeX; tables.html and tables.csv are the same",
    "figures": "Figures 5 to 8",
    "appendix.tex": "what the paper leaves out: significance, intervals, where errors come from",
    "browser.html": "gold and predictions of every test sentence",
    "README.md": "lists everything else",
}
WIDE = 60  # letters of a title


def summary(results: Path, published: Path) -> str:
    """Return the lines; what is not there is left out.

    Raises:
        CmanError: a record or the published file is malformed.
    """
    return "\n".join([*_made(results), *_real(results, published)])


def _made(results: Path) -> Iterator[str]:
    made = {name: text for name, text in MADE.items() if (results / name).exists()}
    if made:
        yield "What was made:"
        yield from (f"  {results / name!s:<24} {text}" for name, text in made.items())
    model = next(iter(sorted(results.glob("runs/*/cman/main/seed*/model"))), None)
    if model is not None:
        yield "A model to try:"
        yield f"  cman extract --model {model} --input text.txt --output out.jsonl"


def _real(results: Path, published: Path) -> Iterator[str]:
    folders = sorted(results.glob(f"record/{MAIN}/*/main/seed*"))
    if not folders:
        return
    runs = [read_run(folder) for folder in folders]
    (found,) = read_evidence(group_runs(runs), results / "none", 1, 1, needed=False)
    yield f"Table I on real {found.title}, from {results / 'record'}: strict F1 on {runs[0].documents} test sentences"
    yield f"  {'':<{WIDE}} {'entity':>13} {'relation':>13}  seeds"
    for line in rows_of(read_published(published), found, table=True):
        title = f"{line.title} ({'published' if not line.runs else 'measured'})"
        seeds = line.runs.partition(";")[0]
        yield f"  {title:<{WIDE}} {line.figures[0]:>13} {line.figures[1]:>13}  {seeds}".rstrip()
    yield "All rows and what they read: docs/results.md"
