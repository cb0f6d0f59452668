"""What `cman extract` reads: documents of lines, paragraphs and files, folders and globs, packed files, tables."""

import csv
import gzip
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from cman.cli.app import app
from cman.errors import CmanError, UsageError
from cman.extract.inputs import Input
from cman.extract.reading import joined_lines
from cman.extract.sources import sources_of
from cman.extract.suspicion import suspicions

RUNNER = CliRunner()
WRAPPED = "Ada Lovelace lives in\r\nLon-\ndon.\n\n  \nShe worked\nfor Babbage.\n"


def run(*arguments: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["extract", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def read(*paths: Path, form: str | None = None, longest: int = 1000, **keys: Any) -> list[tuple[str, Any]]:
    """Return id, and text or reason, of each record."""
    given = Input(sources_of(paths, form), longest, **keys)
    given.check()
    return [(each.id, each.error if each.given is None else each.given.text) for each in given.records()]


def file(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_document_is_a_line_a_paragraph_or_a_file(tmp_path):
    path = file(tmp_path / "a.txt", "\ufeff" + WRAPPED)
    assert [name for name, _ in read(path)] == [str(number) for number in range(1, 8)]
    assert read(path, documents="paragraph") == [
        ("1", "Ada Lovelace lives in\r\nLon-\ndon."),
        ("6", "She worked\nfor Babbage."),
    ]
    assert read(path, documents="paragraph", join=True) == [
        ("1", "Ada Lovelace lives in London."),
        ("6", "She worked for Babbage."),
    ]
    assert read(path, documents="file") == [("1", WRAPPED.removesuffix("\n"))]
    ((_, whole),) = read(path, documents="file", join=True)
    assert whole == "Ada Lovelace lives in London.\n\nShe worked for Babbage." == joined_lines(WRAPPED)
    long = read(path, documents="paragraph", longest=25)
    assert long == [("1", "found a text of 32 characters, wanted 25 at most"), ("6", "She worked\nfor Babbage.")]


def test_a_paragraph_longer_than_memory_should_hold_is_passed_over(tmp_path):
    path = file(tmp_path / "a.txt", ("y" * 90 + "\n") * 2000 + "\nAda.\n")
    assert read(path, documents="paragraph", longest=10) == [
        ("1", "found a paragraph of 182000 bytes, wanted 65576 at most"),
        ("2002", "Ada."),
    ]


def test_several_inputs_folders_and_globs_are_read_in_order_with_names_of_their_own(tmp_path):
    file(tmp_path / "in/b.txt", "B\n")
    file(tmp_path / "in/sub/a.TXT.gz", gzip.compress(b"A\nAA\n"))
    file(tmp_path / "in/.hidden", "x")
    file(tmp_path / "in/c.NDJSON", '{"text": "C"}\n{"id": 9, "text": "CC"}\n')
    named = [("b.txt:1", "B"), ("c.NDJSON:1", "C"), ("9", "CC"), ("sub/a.TXT.gz:1", "A"), ("sub/a.TXT.gz:2", "AA")]
    assert read(tmp_path / "in") == named
    assert read(tmp_path / "in/b.txt", tmp_path / "in/sub/*.gz", documents="file") == [
        ("b.txt", "B"),
        ("a.TXT.gz", "A\nAA"),
    ]
    for inputs, said in (
        ([tmp_path / "in/b.txt"] * 2, "twice"),
        ([tmp_path / "no*.txt"], "found no file"),
        ([Path("-"), tmp_path / "in"], "found - beside others"),
    ):
        with pytest.raises(CmanError, match=said):
            sources_of(inputs, None)
    assert read(file(tmp_path / "packed", gzip.compress(b"A\n"))) == [("1", "A")]
    with pytest.raises(CmanError, match="cannot be unpacked"):
        read(file(tmp_path / "a.gz", gzip.compress(b"A\n" * 9999)[:-9]))


def test_what_is_no_plain_text_is_never_read_as_such(tmp_path):
    for name, said in (("a.json", "--input-format: jsonl"), ("a.JSON.gz", "--input-format"), ("a.pdf", r"found \.pdf"),
                       ("a.docx", "take the text out"),
                       ("a.PPTX", r"found \.pptx"), ("a.db.gz", r"found \.db")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            read(file(tmp_path / name, '{"text": "A"}\n'))
    assert read(tmp_path / "a.json", form="jsonl") == [("1", "A")]
    for name in ("a.jl", "a.JSONLINES", "a.ldjson.gz"):
        content = b'{"text": "A"}\n'
        assert read(file(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)) == [("1", "A")]
    for encoding in ("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be"):
        with pytest.raises(CmanError, match=r"UTF-(16|32).*wanted UTF-8"):
            read(file(tmp_path / "a.txt", "Ada lives in London.".encode(encoding)))


def test_a_table_has_a_column_of_texts_and_perhaps_one_of_ids(tmp_path):
    rows = [{"key": "x", "text": "A, B\nC", "more": "1"}, {"key": "y", "text": "", "more": "2"}]
    for name, mark in (("a.csv", ","), ("b.tsv", "\t"), ("c.CSV.gz", ",")):
        with (tmp_path / "t").open("w", newline="", encoding="utf-8-sig") as stream:
            writer = csv.DictWriter(stream, rows[0], delimiter=mark)
            writer.writeheader()
            writer.writerows(rows)
        content = (tmp_path / "t").read_bytes()
        file(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "d.parquet")
    for name in ("a.csv", "b.tsv", "c.CSV.gz", "d.parquet"):
        assert read(tmp_path / name, id_column="key") == [("x", "A, B\nC"), ("y", "")]
        assert read(tmp_path / name, text_column="more") == [("1", "1"), ("2", "2")]
        with pytest.raises(UsageError, match=r"--text-column: .*found the columns key, text, more, wanted 'body'"):
            read(tmp_path / name, text_column="body")
    kept = [each.given.fields for each in Input(sources_of([tmp_path / "a.csv"], None), 9, keep_fields=True).records()]
    assert kept == [{"key": "x", "more": "1"}, {"key": "y", "more": "2"}]
    assert read(file(tmp_path / "e.csv", "text,n\nA,1,2\nB,1\n")) == [
        ("1", "found more cells than columns, wanted as many"),
        ("2", "B"),
    ]


def test_tables_of_other_programs_are_read_or_say_what_is_wrong_with_them(tmp_path):
    for name, sign in (("a.csv", ";"), ("b.csv", "\t"), ("c.csv", "|"), ("d.tsv", ",")):
        assert read(file(tmp_path / name, f'id{sign}text\nx{sign}"A, B; C"\n')) == [("x", "A, B; C")]
    assert read(file(tmp_path / "e.csv", "text\nA; B\n")) == [("1", "A; B")]
    fewer, open_quote = (
        "found fewer cells than columns, wanted as many",
        "found a quote that nothing closes, wanted its end",
    )
    assert read(file(tmp_path / "f.csv", "n,text\n1,A\n2\n3,B\n")) == [("1", "A"), ("2", fewer), ("3", "B")]
    for rest in ('1,"A\n2,B\n', '1,"A'):
        assert read(file(tmp_path / "g.csv", f'n,text\n0,"5"" x"\n{rest}')) == [("1", '5" x'), ("2", open_quote)]
    assert read(file(tmp_path / "h.csv", 'n,text\n0,5" x')) == [("1", '5" x')]
    kept = [each.given.fields for each in Input(sources_of([file(tmp_path / "i.csv", "text,n\nA\n")], None), 9,
                                                keep_fields=True).records()]  # fmt: skip
    assert kept == [{"n": None}]
    with pytest.raises(CmanError, match=r"j\.csv: found the column 'text' 2 times, wanted it once"):
        read(file(tmp_path / "j.csv", "text,n,text\nA,1,B\n"))
    with pytest.raises(CmanError, match=r"k\.parquet: cannot be read \(.*\), wanted a whole Parquet file"):
        read(file(tmp_path / "k.parquet", "PAR1"))


def test_an_option_without_effect_and_a_folder_as_output_are_refused_and_a_suffix_says_the_format(model, tmp_path):
    lines, text = (
        file(tmp_path / "a.jsonl", '{"text": "Ada."}\n{"text": "B", "n": NaN}\n'),
        file(tmp_path / "a.txt", "A\n"),
    )
    for options, message in (
        ((lines, "--documents", "file"), "--documents: found no input of plain text, wanted some"),
        ((text, "--text-column", "x"), "--text-column: found no input of a table"),
        ((text, "--output", tmp_path), "--output: found the folder"),
        ((file(tmp_path / "a.html", "<p>"),), "found .html, wanted text"),
    ):
        assert message in run("--model", model, "--input", *options, code=2)
    run("--model", model, "--input", lines, "--output", tmp_path / "o.CSV", "--threads", 1, code=1)
    assert (tmp_path / "o.CSV").read_text().startswith("id,")
    assert "NaN is no number" in (tmp_path / "o.CSV.errors.jsonl").read_text()


def test_text_beside_tokens_is_read_with_them_if_they_are_its_own_and_refused_otherwise(tmp_path):
    lines = [{"text": "Ada  lives.", "tokens": ["Ada", "lives", "."]}, {"text": "Ada lives.", "tokens": ["Bob"]},
             {"text": "Ada lives.", "tokens": ["lives", "."]}]  # fmt: skip
    found = read(file(tmp_path / "a.jsonl", "".join(json.dumps(line) + "\n" for line in lines)))
    assert found[0] == ("1", "Ada  lives.")
    assert all("tokens: found" in said and "wanted those of the text beside them" in said for _, said in found[1:])


def test_other_fields_are_kept_where_they_are_wanted(model, tmp_path):
    path = file(tmp_path / "a.jsonl", '{"id": "a", "text": "Ada lives in London.", "year": 1850, "tags": ["x"]}\n')
    for form in ("jsonl", "parquet"):
        run("--model", model, "--input", path, "--output", tmp_path / f"o.{form}", "--keep-fields", "--format", form)
    assert json.loads((tmp_path / "o.jsonl").read_text())["fields"] == {"year": 1850, "tags": ["x"]}
    (row,) = pyarrow.parquet.read_table(tmp_path / "o.parquet").to_pylist()
    assert json.loads(row["fields"]) == {"year": 1850, "tags": ["x"]}
    assert "--keep-fields: found --format csv" in run("--input", path, "--keep-fields", "--format", "csv", code=2)


def test_texts_that_look_wrapped_or_marked_up_or_broken_are_told_once(tmp_path, caplog):
    line = "one of the many lines of a long text that was wrapped for"
    assert suspicions([line] * 9, lines=True) == {"wrapped": 9}
    assert suspicions([line] * 9, lines=False) == suspicions([f"{line}."] * 9, lines=True) == {}
    assert suspicions(["A heading", "Another"] * 9, lines=True) == {}
    assert suspicions(["<p>Ada &amp; Bob.</p>"] * 9, lines=True) == {"tags": 9}
    assert suspicions(["Ada.", "Caf\u00c3\u00a9."], lines=True) == {"mojibake": 1}
    assert (
        suspicions(['{"text": "Ada lives."}'], lines=True) == suspicions(['[{"text": "x"}]'], lines=True) == {"json": 1}
    )
    assert suspicions(["{x} Ada.", "[1] Ada."], lines=True) == {}
    with caplog.at_level(logging.WARNING):
        read(file(tmp_path / "a.txt", f"{line}\n" * 2000))
    assert [record.getMessage()[:50] for record in caplog.records] == [
        "500 of the first 500 texts end without a full stop"
    ]


def test_a_run_over_several_files_goes_on_in_the_middle_of_one(model, tmp_path, monkeypatch):
    from cman.extract.partial import Partial

    for name in "abc":
        file(tmp_path / f"in/{name}.txt", f"Ada Lovelace lives in {name}.\n" * 3)
    command = ("--model", model, "--input", tmp_path / "in", "--threads", 1, "--output")
    run(*command, tmp_path / "whole")
    kept = Partial.add
    monkeypatch.setattr("cman.extract.run.DOCUMENTS_A_CHUNK", 2)
    calls: list[int] = []

    def stopping(self: Partial, *arguments: Any) -> None:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        kept(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Partial, "add", stopping)
        RUNNER.invoke(app, ["extract", *map(str, (*command, tmp_path / "half"))])
    assert (tmp_path / "half.partial").read_text().count("\n") == 6
    run(*command, tmp_path / "half", "--resume")
    ids = [json.loads(line)["id"] for line in (tmp_path / "half").read_text().splitlines()]
    assert ids == [f"{name}.txt:{number}" for name in "abc" for number in (1, 2, 3)]


def link(entity: dict[str, Any]) -> str | None:
    return f"https://kb.org/{entity['start']}" if entity["start"] else None


def test_triples_go_to_tables_n_triples_and_graphs_with_the_ids_that_a_function_gives(model, tmp_path):
    path = file(tmp_path / "in.txt", "Ada Lovelace lives in London and works for Babbage.\n")
    sys.modules["linking"] = sys.modules[__name__]
    options = ("--model", model, "--input", path, "--threshold", 0, "--link", "linking:link", "--output")
    for form in ("jsonl", "csv", "ntriples", "graph"):
        run(*options, tmp_path / f"o.{form}", "--format", form)
    value = json.loads((tmp_path / "o.jsonl").read_text())
    assert value["relations"] and any("link" in entity for entity in value["entities"])
    entities = list(csv.DictReader((tmp_path / "o.entities.csv").open()))
    assert [(row["text"], row["link"]) for row in entities] == [
        (entity["text"], entity.get("link", "")) for entity in value["entities"]
    ]
    triples = (tmp_path / "o.ntriples").read_text().splitlines()
    assert len(triples) == 2 * len(value["entities"]) + len(value["relations"])
    assert all(line.startswith("<") and line.endswith(" .") for line in triples)
    nodes = list(csv.DictReader((tmp_path / "o.nodes.csv").open()))
    edges = list(csv.DictReader((tmp_path / "o.edges.csv").open()))
    assert len(edges) == len(value["relations"]) and edges[0]["document"] == "1"
    assert {edge[end] for edge in edges for end in (":START_ID", ":END_ID")} <= {node[":ID"] for node in nodes}
    assert "--link: found 'no:thing'" in run(*options[:-3], "--link", "no:thing", "--output", tmp_path / "x", code=2)


def test_the_same_triple_of_many_documents_is_counted_with_its_sources(tmp_path):
    def line(name: str, head: str, score: float | None, times: int = 1) -> str:
        entities = [{"type": "Per", "start": 0, "end": 3, "text": head, "score": 1.0},
                    {"type": "Org", "start": 4, "end": 8, "text": "Acme\n Inc", "score": 1.0}]  # fmt: skip
        links = [{"type": "Works", "head": 0, "tail": 1, "score": score}] * times
        return json.dumps({"id": name, "text": "", "entities": entities, "relations": links}) + "\n"

    first = file(tmp_path / "a", line("1", "Ada", 0.5, 2) + line("2", "ADA", 0.9) + line("3", "Bob", None))
    second = file(tmp_path / "b", line("4", "Ada", 0.8))
    result = RUNNER.invoke(
        app, ["collect", str(first), str(second), "--output", str(tmp_path / "o.csv"), "--ignore-case"]
    )
    assert result.exit_code == 0 and "2 triples" in result.output
    rows = list(csv.DictReader((tmp_path / "o.csv").open()))
    assert [
        (row["head"], row["tail"], row["count"], row["documents"], row["highest"], row["sources"]) for row in rows
    ] == [
        ("ada", "acme inc", "4", "3", "0.9", "1 2 4"),
        ("bob", "acme inc", "1", "1", "", "3"),
    ]
    assert rows[0]["mean"] == "0.675"
    file(tmp_path / "c", "{}\n")
    result = RUNNER.invoke(app, ["collect", str(tmp_path / "c"), "--output", str(tmp_path / "o.csv")])
    assert result.exit_code == 1 and "c: line 1: found no extraction" in result.output
