"""The tables' figures as CSV: a line for each published and for each measured row, in the order of the printed rows."""

from collections.abc import Sequence

from cman.report.entries import Entry, entries_of
from cman.report.printed import fixed
from cman.report.published import PublishedTable
from cman.report.results import Group

COLUMNS = ("entity", "relation", "overall")
CSV_HEADER = (
    *("table", "corpus", "experiment", "title", "source"),
    *(f"{column}_{figure}" for column in COLUMNS for figure in ("f1", "sd")),
    *("entity_macro_f1", "relation_macro_f1", "runs", "protocol", "note"),
)


def csv_rows(published: PublishedTable, groups: Sequence[Group], first: bool = True) -> list[dict[str, str]]:
    """Return the lines of one corpus's table; a missing figure is empty. Without groups the corpus was absent."""
    corpus = groups[0].first.corpus if groups else published.corpus
    place = {"table": published.number, "corpus": corpus}
    paper, added = entries_of(published, groups, first)
    lines = [{**place, **_published(entry)} for entry in paper if entry.published is not None]
    return lines + [{**place, **_measured(entry)} for entry in (*paper, *added) if entry.repeated]


def _published(entry: Entry) -> dict[str, str]:
    row = entry.published
    assert row is not None
    note = f"{row.source}. {row.note}".strip() + (" BERT is the core model." if row.bert else "")
    figures = {"entity_f1": fixed(row.entity_f1), "relation_f1": fixed(row.relation_f1)}
    return {"experiment": row.experiment, "title": row.method, "source": "published", **figures, "note": note}


def _measured(entry: Entry) -> dict[str, str]:
    group = entry.group
    line = {"experiment": entry.experiment, "title": entry.title, "source": "measured"}
    if group is None:
        return line | {"runs": "0"}
    line |= {"title": group.first.title, "runs": str(len(group.runs)), "protocol": group.first.protocol}
    for name, summary in zip(COLUMNS, (group.entity, group.relation, group.overall), strict=True):
        line |= {f"{name}_f1": fixed(summary.mean), f"{name}_sd": fixed(summary.sd)}
    line["entity_macro_f1"] = fixed(group.entity_macro.mean)
    line["relation_macro_f1"] = fixed(group.relation_macro.mean)
    notes = [f"Inputs: {group.first.inputs_title}."]
    notes += [f"{text[0].upper()}{text[1:]}." for text in (group.spread, group.first.division) if text]
    return line | {"note": " ".join(notes)}
