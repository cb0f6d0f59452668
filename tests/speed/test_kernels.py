"""The whole benchmark at tiny shapes: its rows, its words and its files."""

import csv
from pathlib import Path

import pytest
import torch

from cman.errors import UsageError
from cman.speed import kernels
from cman.speed.contenders import COMPILED, OURS, contenders
from cman.speed.kernels import Options, enter, speed_of_kernels
from cman.speed.memory import Measured
from cman.speed.operations import OPERATIONS
from cman.speed.peers import PYTORCH_CRF, Contender
from cman.speed.rows import COLUMNS, SpeedRow, write_rows
from cman.speed.shapes import Shape
from cman.speed.tables import cells, digits, plain
from cman.speed.timing import Timing

SHAPES = [Shape("crf", (3, 6, 3)), Shape("pairs", (2, 5, 4, 2)), Shape("lstm", (2, 5, 3, 4))]
QUICK = Options(threads=(1, 2), seconds=0.001, compile_limit=0, memory=False)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CSV of one quick run."""
    output = tmp_path_factory.mktemp("speed") / "kernels.csv"
    speed_of_kernels(SHAPES, QUICK, output)
    return output


def test_there_is_a_row_for_every_operation_shape_thread_and_contender(measured):
    expected = [
        (operation.name, shape.name, str(threads), name)
        for shape in SHAPES
        for threads in (1, 2)
        for operation in OPERATIONS.values()
        if operation.kind == shape.kind
        for name in [one.name for one in contenders() if operation.name in one.builds] + [COMPILED]
    ]
    rows = read(measured)
    assert [(row["operation"], row["shape"], row["threads"], row["contender"]) for row in rows] == expected


def test_a_ratio_is_a_contenders_median_over_ours(measured):
    rows = read(measured)
    ours = {
        (row["operation"], row["shape"], row["threads"]): float(row["median_ms"])
        for row in rows
        if row["contender"] == OURS
    }
    timed = [row for row in rows if row["status"] == "timed"]
    assert len(timed) >= 2 * len(ours)
    for row in timed:
        median = ours[row["operation"], row["shape"], row["threads"]]
        assert float(row["ratio"]) == pytest.approx(float(row["median_ms"]) / median, rel=1e-4)
        assert float(row["min_ms"]) <= float(row["median_ms"]) <= float(row["max_ms"])
        assert float(row["parity"]) <= 1


def test_every_row_says_what_it_was_measured_with_and_why_nothing_was_measured(measured):
    rows = read(measured)
    for row in rows:
        assert (row["device"], row["torch"]) == ("cpu", torch.__version__)
        assert row["backend"] and row["processor"] and row["version"]
        assert row["unit"] == ("Mpair/s" if row["operation"].startswith("pair") else "Mtok/s")
    skipped = {
        (row["status"], row["note"], row["median_ms"], row["ratio"]) for row in rows if row["contender"] == COMPILED
    }
    assert skipped == {("skipped", "--no-compile", "", "")}
    for form, begins in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        assert measured.with_suffix(f".{form}").read_bytes().startswith(begins)


def test_the_first_line_says_what_is_measured_and_missing_peers_are_named(tmp_path, monkeypatch, capsys):
    absent = Contender("some-peer", {"crf_decode": PYTORCH_CRF.builds["crf_decode"]}, module="no_such_module")
    monkeypatch.setattr(kernels, "contenders", lambda: [contenders()[0], absent])
    output = tmp_path / "kernels.csv"
    speed_of_kernels(SHAPES[:1], Options((1,), 0.001, compile_limit=0, memory=False), output)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"kernels: {kernels.backend()}"
    assert "missing: some-peer (not installed, pip install 'cman-relations[speed]')" in lines
    assert "  Viterbi decoding, some-peer: missing: not installed, pip install 'cman-relations[speed]'" in lines
    row = next(row for row in read(output) if row["contender"] == "some-peer")
    assert (row["status"], row["note"]) == ("missing", "not installed, pip install 'cman-relations[speed]'")


def test_an_unknown_device_is_refused_by_the_name_of_its_option(tmp_path):
    with pytest.raises(UsageError, match=r"^device: found 'tpu', wanted auto, cpu or cuda$"):
        speed_of_kernels(SHAPES, Options(device="tpu"), tmp_path / "kernels.csv")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match=r"^device: found 'cuda', but this torch sees no GPU"):
            speed_of_kernels(SHAPES, Options(device="cuda"), tmp_path / "kernels.csv")


def test_memory_is_measured_once_a_shape_and_a_failed_measurement_is_a_note(tmp_path, monkeypatch):
    jobs = []

    def pretend(job):
        jobs.append((job.operation, job.contender, job.threads))
        return Measured(None, "memory not measured: no") if job.contender == OURS else Measured(2**21)

    monkeypatch.setattr(kernels, "in_a_process", pretend)
    output, before = tmp_path / "kernels.csv", torch.get_num_threads()
    speed_of_kernels(SHAPES[1:], Options((1, 2), 0.0001, compile_limit=0), output)
    assert torch.get_num_threads() == before, "the number of threads is as it was"
    assert len(jobs) == len(set(jobs))
    rows = read(output)
    ours = [row for row in rows if row["contender"] == OURS and row["threads"] == "1"]
    assert all(row["note"] == "memory not measured: no" and row["peak_mb"] == "" for row in ours)
    eager = [row for row in rows if row["contender"] == "eager"]
    assert {row["threads"]: row["peak_mb"] for row in eager} == {"1": "2", "2": ""}


# ---- rows and their words


def row(**values: object) -> SpeedRow:
    return SpeedRow(
        **{"operation": "crf_decode", "shape": "1x2x3", "threads": 1, "contender": "x", "version": "1"} | values
    )


def test_a_timing_is_entered_in_milliseconds_with_its_rate_and_ratio():
    ours, other, failed = row(contender=OURS), row(contender="other"), row(contender="failed")
    timings = {OURS: Timing((0.001, 0.002, 0.004), 5), "other": Timing((0.01,), 1)}
    enter([ours, other, failed], timings, items=4000)
    assert (ours.min_ms, ours.median_ms, ours.max_ms, ours.ratio) == pytest.approx((1, 2, 4, 1))
    assert (ours.rounds, ours.calls, ours.rate) == (3, 5, pytest.approx(2))
    assert other.ratio == pytest.approx(5)
    assert failed.median_ms is None
    other = row(contender="other")
    enter([other], {"other": Timing((0.01,), 1)}, items=1)
    assert other.ratio is None, "there is no ratio to what was not timed"


def test_numbers_keep_six_digits_and_nothing_is_an_empty_cell(tmp_path):
    write_rows(tmp_path / "rows.csv", [row(median_ms=1.23456789, note='a "quoted", note')])
    (line,) = read(tmp_path / "rows.csv")
    assert tuple(line) == COLUMNS
    assert (line["median_ms"], line["min_ms"], line["note"]) == ("1.23457", "", 'a "quoted", note')


def test_numbers_are_shown_with_three_digits():
    shown = {None: "-", 0.0: "0", 0.00012345: "0.00012", 0.045678: "0.0457", 12.345: "12.3", 1234.5: "1234"}
    assert {value: digits(value) for value in shown} == shown


def test_a_row_is_one_line_with_dashes_for_nothing():
    one = row(median_ms=0.5, min_ms=0.4, max_ms=0.625, rate=12.0, unit="Mtok/s", ratio=3.0, peak_mb=1.5)
    assert plain(one) == "Viterbi decoding, x: 0.5 ms [0.4..0.625], 12 Mtok/s, ratio 3x, 1.5 MiB"
    assert plain(row(status="failed", note="why")) == "Viterbi decoding, x: failed: why"
    assert cells(row())[2:7] == ("-", "-", "-", "-", "-")
