"""The paper's tables as LaTeX, CSV and JSON: published figures as published, measured figures from run folders.

A published table (`config/published.yaml`) belongs to a corpus and to its variants, such as `conll04` and
`conll04-sample`; each corpus among the runs gets its own tables. A sample corpus never stands beside published figures.
Below a measured row stands its difference from the full model, on the seeds that both have; where the prepared corpus
is at hand it is tested. Output bytes depend on the runs, the corpora, the decoding times and the published file only.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from cman.errors import CmanError
from cman.evaluation.significance import ROUNDS
from cman.files import write_csv, write_json, write_text
from cman.report.decoding_table import decoding_tables, read_decoding
from cman.report.evidence import Evidence, compare_all, read_evidence
from cman.report.paper_table import CSV, REFERENCE, PaperTable
from cman.report.predictions import check_counts
from cman.report.published import PublishedTable, read_published
from cman.report.results import group_runs, read_run
from cman.report.runs import NO_FACTS, Facts
from cman.report.table import Block, Part, Table, render, render_html

log = logging.getLogger(__name__)


def _placed(
    evidence: Sequence[Evidence], definitions: Sequence[PublishedTable], absent: Sequence[str]
) -> list[tuple[PublishedTable, Evidence | None]]:
    """Return tables with their evidence in the order of printing: the paper's first, then one for each other corpus.

    A corpus belongs to a paper's tables by its name, its variants such as `conll04-sample` too; real ones come first.
    """
    corpora: dict[str, Evidence | None] = dict.fromkeys(absent)
    corpora |= {found.corpus: found for found in sorted(evidence, key=lambda found: found.sample)}
    ordered = sorted(corpora, key=lambda name: (bool((found := corpora[name]) and found.sample), name))
    placed = [
        (definition, corpora[corpus])
        for definition in definitions
        for corpus in ordered
        if corpus == definition.corpus or corpus.startswith(f"{definition.corpus}-")
    ]
    known = {found.corpus for _, found in placed if found is not None}
    own = [corpora[corpus] for corpus in ordered if corpora[corpus] is not None and corpus not in known]
    return placed + [(PublishedTable(number="", corpus=one.corpus, origin="", rows=()), one) for one in own if one]


def write_tables(
    run_folders: Sequence[Path],
    published_file: Path,
    tex: Path,
    csv: Path,
    absent: Sequence[str] = (),
    json: Path | None = None,
    decoding: Path | None = None,
    corpora: Path = Path("results/corpora"),
    rounds: int = ROUNDS,
    seed: int = 1,
    facts: Facts = NO_FACTS,
) -> None:
    """Write the tables of the given runs as LaTeX, a page beside it, CSV and JSON, each atomically.

    Args:
        absent: corpora of the paper that could not be had; their tables show dashes.
        json: what stands behind each cell; beside the LaTeX file by default.
        decoding: decoding times (`cman speed decoding`) for Table V.
        corpora: the folder of prepared corpora; where a run's is there, its scores are made again and compared, and
            differences are tested.
        rounds, seed: of tests and intervals.
        facts: titles of runs by folder, in the place of those of their provenance.

    Raises:
        CmanError: no run is given; a run, the published file or the times are malformed; runs of one row do not belong
            together; or a run's predictions cannot be those that its scores were made from.
    """
    if not run_folders and not absent:
        raise CmanError("no run was given; wanted at least one run folder to make tables from")
    runs = [read_run(folder, facts.get(folder)) for folder in run_folders]
    for run in runs:
        check_counts(run)
    known = read_published(published_file)
    times = [] if decoding is None else read_decoding(decoding)
    evidence = read_evidence(group_runs(runs), corpora, rounds, seed, needed=False)
    names = list(dict.fromkeys(definition.corpus for definition in known.tables))
    for name in set(absent).difference(names):
        log.info("%s: has neither runs nor published figures, and so no table", name)
    missing = [name for name in names if name in absent]
    made, seen = [], set[str]()
    for definition, found in _placed(evidence, known.tables, missing):
        corpus = found.corpus if found else definition.corpus
        made.append(PaperTable(definition, found, first=corpus not in seen))
        seen.add(corpus)
    shown: dict[str, list[str]] = {found.corpus: [] for found in evidence}
    for table in made:
        shown.setdefault(table.corpus, []).extend(line.experiment for line in table.lines if line.group is not None)
    compare_all((found, [(name, REFERENCE) for name in shown[found.corpus] if name != REFERENCE]) for found in evidence)
    for found in evidence:
        for name in sorted(found.groups.keys() - set(shown[found.corpus])):
            log.info("%s on %s: in no table of the paper", name, found.corpus)
    made = [table for table in made if table.lines]
    tables: list[tuple[str, str, str, Table]] = []
    tables += [(table.definition.number, table.corpus, table.title, table.printed()) for table in made]
    tables += [("V", name, "Decoding", table) for name, table in decoding_tables(known, evidence, missing, times)]
    tables.sort(key=lambda item: item[-1].number or 99)  # stable: a corpus and its sample keep their order
    write_text(tex, render([Part("", [Block([table for *_, table in tables])])], "The paper's tables."))
    write_text(tex.with_suffix(".html"), render_html([(number, table) for number, _, _, table in tables]))
    write_csv(csv, CSV, (line for table in made for line in table.csv()))
    behind = [
        {"table": number, "corpus": name, "title": title, "rows": table.to_json()}
        for number, name, title, table in tables
    ]
    write_json(json or tex.with_suffix(".json"), behind)
