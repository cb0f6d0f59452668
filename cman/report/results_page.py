"""`docs/results.md`: what the committed records give, so that no sentence of it can outrun them.

Rows, differences and what is missing are read from the records; the template's words hold whatever these say.
Differences are tested where the prepared corpus is at hand, with the correction of its appendix: one family of tests.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from cman.errors import CmanError, UsageError
from cman.evaluation.significance import ROUNDS
from cman.files import read_text, write_text
from cman.report.appendix.copies import read_copies
from cman.report.appendix.question import PARTS
from cman.report.appendix.write import pairs
from cman.report.evidence import Comparison, Evidence, compare_all, read_evidence
from cman.report.frame import MICRO, fixed, percent, probability, signed
from cman.report.ledger.page import cells, commands, first_line, interval, sentence
from cman.report.ledger.rows import Row, ledger
from cman.report.paper_table import HEADS, REFERENCE
from cman.report.published import Published, PublishedRow, read_published
from cman.report.results import Group, Run, group_runs, read_run

TEMPLATE = "results.md.j2"
HEADLINE = ("SpERT", "CMAN (BiLSTM)")  # published rows of README, above measured ones:
MEASURED = ("cman-static", "cman", "cman-at", "multihead-matched", "cman-best")  # the last four that were run
MAIN = "conll04"
BLIND = ("cman-no-bla", "cman-no-attention")  # two phases, of which the second reads no labels
INTERVENTIONS = ("experiment", "labels", "gate", "figure", "threshold", "mean", "sd", "runs")  # of `cman probe`


@dataclass(frozen=True)
class Line:
    """A row of figures: how it came about, its title, what it reads, its figures by task, and seeds or folds."""

    source: str
    title: str
    inputs: str
    figures: Sequence[str]
    runs: str = ""

    @property
    def short(self) -> str:
        """The row as README has it."""
        return f"| {self.source} {self.title} | {self.inputs} | {' | '.join(self.figures[:2])} |"


def write_results(
    folders: Sequence[Path], published: Path, corpora: Path, output: Path, interventions: Path | None = None
) -> None:
    """Write the page, atomically.

    Raises:
        UsageError: no run is given.
        CmanError: a run, the published file or that of the interventions is malformed.
    """
    if not folders:
        raise UsageError("runs: found none, wanted at least one record")
    write_text(output, results_page(folders, published, corpora, interventions))


def results_page(
    folders: Sequence[Path], published: Path, corpora: Path, interventions: Path | None = None, rounds: int = ROUNDS
) -> str:
    """Return the page; arguments as for `cman results`."""
    known = read_published(published)
    evidence = read_evidence(group_runs(map(read_run, sorted(folders))), corpora, rounds, 1, needed=False)
    compare_all((found, pairs(found)) for found in evidence if found.corpus == MAIN)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown; titles of records are those of the configurations here
    )
    page = environment.get_template(TEMPLATE)
    rows = ledger(evidence, rounds)
    groups = [item for found in evidence for item in found.groups.items()]
    runs = [run for _, group in groups for run in group.runs]
    return page.render(
        corpora=[(_title(found, evidence), found, rows_of(known, found)) for found in evidence],
        headline=headline(evidence, known),
        first_line=first_line(rows),
        sentence=sentence(rows),
        claims=[cells(row) for row in rows],
        commands=list(commands(rows)),
        parts=[(found, list(_parts(known, found, rows))) for found in evidence if found.comparisons],
        copies=[_copies(group for name, group in groups if (name in BLIND) is blind) for blind in (False, True)],
        interventions=list(_interventions(interventions, evidence)) if interventions is not None else [],
        missing=list(_missing(known, {found.corpus: found for found in evidence})),
        runs=runs,
        minutes=[min(_minutes(runs)), max(_minutes(runs))] if runs else [],
        settings=_settings(runs),
        adversarial=[(_title(found, evidence), titles) for found in evidence if (titles := _adversarial(found))],
        rounds=rounds,
        heads=list(HEADS.values()),
    )


def _title(found: Evidence, evidence: Sequence[Evidence]) -> str:
    """Return the title of a corpus, with its name where it is not the first of this title."""
    first = next(other for other in evidence if other.title == found.title)
    return found.title if found is first else f"{found.title} (`{found.corpus}`)"


def headline(evidence: Sequence[Evidence], known: Published) -> list[str]:
    """Return README's rows: two that were published for CoNLL04 and those that were measured."""
    rows = {row.method: row for table in known.tables if table.corpus == MAIN for row in table.rows if row.inputs}
    lines = [_published(rows[name]).short for name in HEADLINE]
    for found in evidence:
        if found.corpus == MAIN:
            lines += [_measured(found, name).short for name in MEASURED if name in found.groups][-4:]
    return lines


def rows_of(known: Published, found: Evidence, *, table: bool = False) -> Iterator[Line]:
    """Return what was published of a corpus and measured on it; with `table`, the rows of its first table alone."""
    tables = [each for each in known.tables if each.corpus == found.corpus]
    names = {row.experiment for row in tables[0].rows} | {*tables[0].added} if tables else set()
    yield from (_published(row) for row in tables[0].rows if row.inputs) if tables else ()
    yield from (_measured(found, name) for name in found.groups if not table or name in names)


def _published(row: PublishedRow) -> Line:
    return Line("*published:*", row.method, row.inputs, [fixed(row.entity_f1), fixed(row.relation_f1), ""])


def _measured(found: Evidence, name: str) -> Line:
    group, summaries = found.groups[name], found.strict(name)
    figures = []
    for task in HEADS:
        summary = summaries[task, MICRO]
        spread = f" ± {percent(summary.sd)}" if summary.sd is not None else ""
        figures.append("–" if summary.mean is None else percent(summary.mean) + spread)
    return Line("**measured:**", group.first.title, group.first.inputs_title, figures, _spread(group))


def _spread(group: Group) -> str:
    splits = list(dict.fromkeys(run.split for run in group.runs))
    folds = f", {len(splits)} of {group.first.folds} folds" if splits[0].startswith("fold") else ""
    return f"{group.seeds}{folds}; {group.first.epochs}"


def _parts(
    known: Published, found: Evidence, rows: Sequence[Row]
) -> Iterator[tuple[str, Comparison, list[str], str, str]]:
    """Return each part with its comparison, the differences as printed, what was published, and the ledger's answer."""
    claims = {
        row.claim.second: row
        for row in rows
        if row.claim.first == REFERENCE and row.claim.task == "relations" and not row.claim.contrast
    }
    for part, other in PARTS.items():
        if (comparison := found.comparisons.get((REFERENCE, other))) is None:
            continue
        cells = []
        for task in HEADS:
            difference = comparison.difference[task]
            spread = f" ± {percent(difference.sd)}" if difference.sd is not None else ""
            p = f" ({probability(comparison.holm[task])})" if task in comparison.holm else ""
            cells.append(f"{signed(difference.mean)}{spread}{p}")
        claim = claims.get(other)
        answer = f"{claim.claim.number} is {claim.verdict}: {interval(claim)} on {claim.title}" if claim else ""
        yield part, comparison, cells, _printed(known, other), answer


def _printed(known: Published, experiment: str) -> str:
    """Return the difference from the full model that the paper prints, with its table."""
    for table in known.tables:
        rows = {row.experiment: row for row in table.rows if not row.added}
        if experiment in rows and REFERENCE in rows:
            one, other = rows[REFERENCE], rows[experiment]
            pairs = ((one.entity_f1, other.entity_f1), (one.relation_f1, other.relation_f1))
            shown = (signed(a - b) if a is not None and b is not None else "–" for a, b in pairs)
            return f"{' / '.join(shown)} (Table {table.number}, {table.title or table.corpus})"
    return "–"


def _copies(groups: Iterable[Group]) -> list[float]:
    """Return the smallest and the largest rate, in percent, at which second CRFs repeat labels of entities."""
    known = [read_copies(run) for group in groups for run in group.runs]
    rates = [
        100 * each["copied_entity_tokens"] / each["entity_tokens"] for each in known if each and each["entity_tokens"]
    ]
    return [min(rates), max(rates)] if rates else []


def _interventions(file: Path, evidence: Sequence[Evidence]) -> Iterator[list[str]]:
    """Yield a line of the table for each model and each of the labels that it reads, from a file of `cman probe`."""
    titles = {name: group.first.title for found in evidence for name, group in found.groups.items()}
    lines: dict[tuple[str, str, str], list[str]] = {}
    models: dict[str, int] = {}
    try:
        for row in csv.DictReader(read_text(file).splitlines(), strict=True):
            if row.keys() != set(INTERVENTIONS):
                raise ValueError(f"the columns {', '.join(map(str, row))}")
            name = row["experiment"]
            models[name] = max(models.get(name, 0), int(row["runs"]))
            if not row["threshold"]:
                sd = f" ± {float(row['sd']):.2f}" if row["sd"] else ""
                figures = lines.setdefault((name, row["labels"], row["gate"]), [])
                figures.append(f"{float(row['mean']):.2f}{sd}" if row["mean"] else "–")
    except (ValueError, csv.Error) as error:
        raise CmanError(f"{file}: found {error}, wanted what cman probe writes") from None
    for (name, labels, gate), figures in lines.items():
        yield [f"{titles.get(name, name)}, {models[name]} models", labels, gate, *figures]


def _missing(known: Published, found: Mapping[str, Evidence]) -> Iterator[tuple[str, str, list[str]]]:
    """Return each table of the paper with the rows that an experiment here repeats and no record has."""
    for table in known.tables:
        there = found[table.corpus].groups if table.corpus in found else {}
        names = [row.method for row in table.rows if row.experiment and row.experiment not in there]
        if names:
            yield f"{table.number}, {table.title or table.corpus}", table.absent, names


def _minutes(runs: Sequence[Run]) -> list[float]:
    return [run.provenance["seconds"] / 60 for run in runs if "seconds" in run.provenance]


def _adversarial(found: Evidence) -> list[str]:
    """Return the titles of the rows that were trained with equation 22."""
    return [group.first.title for group in found.groups.values() if group.first.settings["at"]["enabled"]]


def _settings(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return what the records were made with."""
    facts = {
        "encoders": {run.settings["contextual"]["encoder"] for run in runs if run.settings["contextual"]["enabled"]},
        "vectors": {str(run.settings["word"]["vectors"]) for run in runs},
        "devices": {str(run.provenance.get("device", "")) for run in runs},
        "revisions": {run.reference()["revision"][:7] for run in runs},
    }
    return {name: sorted(values) for name, values in facts.items()}
