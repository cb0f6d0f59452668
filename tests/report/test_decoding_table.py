"""Table V: measured decoding times beside the published ones, found in the CSV of `cman speed decoding`."""

import csv
import json
from pathlib import Path

import pytest
from fake_runs import fake_run

from cman.errors import CmanError
from cman.report.decoding_table import read_decoding
from cman.report.tables import write_tables

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
HEADER = [
    *("corpus", "experiment", "title", "seed", "split", "device", "processor", "threads", "kernels", "contextual"),
    *("batch_size", "sentences", "tokens", "rounds", "seconds_median", "seconds_min", "seconds_max"),
    *("sentences_per_second", "relative_time", "torch", "note"),
]


def line(corpus, experiment, kernels, contextual, rate, relative, device="cpu"):
    facts = {"corpus": corpus, "experiment": experiment, "device": device, "processor": "A", "threads": "1"}
    facts |= {"kernels": kernels, "contextual": contextual, "batch_size": "16", "note": ""}
    return facts | {"sentences_per_second": rate, "relative_time": relative}


def times(path, corpus="conll04"):
    rows = [
        line(corpus, "multihead-at", "compiled", "none", "800.4", "1.0"),
        line(corpus, "multihead-at", "reference", "none", "500", "1.0"),
        line(corpus, "cman", "compiled", "cached", "400", "2.0"),
        line(corpus, "cman", "compiled", "computed", "200", "4.004"),
        line(corpus, "cman", "reference", "cached", "300", "1.7"),
        line(corpus, "cman", "compiled", "cached", "", "", device="cuda"),
    ]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, HEADER, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def runs(tmp_path):
    return [
        fake_run(tmp_path, "conll04", name, (right, 20, 20), (right, 20, 20), title=name)
        for name, right in (("multihead-at", 10), ("cman", 16))
    ]


def table_five(runs, tmp_path, decoding):
    out = tmp_path / "out"
    write_tables(runs, PUBLISHED, out / "t.tex", out / "t.csv", decoding=decoding, corpora=tmp_path / "none")
    tables = json.loads((out / "t.json").read_text())
    (table,) = [table for table in tables if table["table"] == "V"]
    return {row["experiment"]: row["cells"] for row in table["rows"]}, " ".join((out / "t.tex").read_text().split())


def test_the_table_says_how_many_documents_were_decoded_where_the_csv_does(runs, tmp_path):
    path = times(tmp_path / "decoding.csv")
    assert "interleaved run on the test documents, batches of 16" in table_five(runs, tmp_path, path)[1]
    path.write_text(path.read_text().replace(",16,,", ",16,144,"))
    assert "interleaved run on 144 test documents, batches of 16" in table_five(runs, tmp_path, path)[1]


def test_times_stand_in_the_columns_of_what_was_measured_and_name_their_line(runs, tmp_path):
    rows, tex = table_five(runs, tmp_path, times(tmp_path / "d.csv"))
    value = {name: cell and cell["value"] for name, cell in rows["cman"].items()}
    assert value == {
        "Overall F1 published": "82.59",
        "Overall F1 measured": "80.00",
        "Relative time publ.": "1.62",
        "Relative time cached": "2.00",
        "Relative time in all": "4.00",
        "Sentences a second kernels": "400",
        "Sentences a second PyTorch": "300",
        "Sentences a second in all": "200",
    }
    assert rows["cman"]["Sentences a second PyTorch"]["source"].endswith("d.csv: line 6")
    assert rows["multihead-at"]["Relative time in all"]["value"] == "1.00"
    assert "batches of 16 sentences, 1 thread of A." in tex


def test_columns_of_a_gpu_and_of_pytorch_crf_are_there_if_there_are_such_times_and_busy_rows_are_marked(tmp_path):
    runs = [
        fake_run(tmp_path, "conll04", name, (10, 20, 20), (10, 20, 20), title=name)
        for name in ("multihead-at", "multihead-matched", "cman")
    ]
    path = times(tmp_path / "d.csv")
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, [*HEADER, "busy"], restval="")
        writer.writerow(line("conll04", "multihead-matched", "compiled", "cached", "700", "1.1") | {"busy": "yes"})
        writer.writerow(line("conll04", "cman", "pytorch-crf", "cached", "90", "6.0"))
        writer.writerow(line("conll04", "cman", "compiled", "cached", "9000", "2.0", device="cuda"))
    path.write_text(path.read_text().replace(",note\n", ",note,busy\n").replace(",note\r\n", ",note,busy\r\n"))
    rows, tex = table_five(runs, tmp_path, path)
    assert rows["cman"]["Sentences a second GPU"]["value"] == "9000"
    assert rows["cman"]["Sentences a second pytorch-crf"]["value"] == "90"
    assert rows["multihead-matched"]["Relative time cached"]["value"] == "1.10"
    assert "Busy: other processes had the cores for part of the time" in tex
    assert "pytorch-crf: cached, as its user has it" in tex


def test_a_model_that_did_not_run_and_times_that_were_not_taken_are_dashes(runs, tmp_path):
    rows, tex = table_five(runs, tmp_path, None)
    assert "Decoding was not timed." in tex
    measured = {name: cell for name, cell in rows["cman-no-uncertainty"].items() if "publ" not in name}
    assert set(measured.values()) == {None}
    assert rows["cman-no-uncertainty"]["Relative time publ."] is None


def test_without_kernels_the_encoders_cost_is_that_of_plain_pytorch(runs, tmp_path):
    path = times(tmp_path / "d.csv")
    without = (("conll04", "multihead-at", "compiled", "none"), ("conll04", "cman", "compiled", "cached"))
    lines = [line(*row, "", "") | {"note": "not built"} for row in without]
    lines += [
        line("conll04", "multihead-at", "reference", "none", "500", "1.0"),
        line("conll04", "cman", "reference", "computed", "100", "5.0"),
    ]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, HEADER, restval="")
        writer.writeheader()
        writer.writerows(lines)
    rows, _ = table_five(runs, tmp_path, path)
    assert [rows[name]["Relative time in all"]["value"] for name in ("multihead-at", "cman")] == ["1.00", "5.00"]
    assert rows["cman"]["Relative time cached"] is None


def test_sample_corpora_have_a_table_of_their_own_without_published_columns(tmp_path):
    counts = (10, 20, 20)
    runs = [fake_run(tmp_path, "ade-sample", name, counts, counts) for name in ("multihead-at", "cman")]
    rows, tex = table_five(runs, tmp_path, times(tmp_path / "d.csv", "ade-sample"))
    assert "generated sample corpora" in tex and not any("publ" in name for name in rows["cman"])
    assert rows["cman"]["Relative time cached"]["value"] == "2.00"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("relative_time", "time"), "line 1: found no column relative_time"),
        (lambda text: text.replace("4.004", "slow"), "line 5: field relative_time: found 'slow'"),
    ],
)
def test_times_that_cannot_be_read_are_named(tmp_path, change, message):
    path = times(tmp_path / "d.csv")
    path.write_text(change(path.read_text()))
    with pytest.raises(CmanError, match=message):
        read_decoding(path)
