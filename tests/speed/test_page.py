"""docs/performance.md and the table in docs/kernels.md are made from the records, and are current."""

from pathlib import Path

from cman.files import write_csv
from cman.speed import page, shares
from cman.speed.decoding_rows import HEADER, DecodingRow
from cman.speed.rows import SpeedRow, write_rows

ROOT = Path(__file__).parents[2]
CURRENT = "python -m cman.speed.page makes it"


def test_the_pages_are_what_the_records_give():
    records, docs = ROOT / page.RECORDS, ROOT / page.DOCS
    assert (docs / "performance.md").read_text() == page.page(records), CURRENT
    text = (docs / "kernels.md").read_text()
    assert page.with_table(text, records) == text, CURRENT


def speed_row(contender: str, ratio: float, **more: object) -> SpeedRow:
    row = SpeedRow("crf_decode", "32x40x9", 1, contender, "1.0", median_ms=0.5 * ratio, ratio=ratio)
    row.processor, row.backend, row.torch = "A processor", "C++ (AVX2)", "2.0"
    for name, value in more.items():
        setattr(row, name, value)
    return row


def test_what_was_busy_is_marked_cold_calls_stand_apart_and_what_was_not_timed_says_why(tmp_path):
    ours = speed_row("cman", 1.0, cold_ms=4.0)
    failed = SpeedRow("crf_decode", "32x40x9", 1, "torch.compile", "2", "skipped", note="--no-compile")
    rows = [ours, speed_row("pytorch-crf", 250.0, busy="yes"), speed_row("hmmlearn", 10.0), failed]
    write_rows(tmp_path / "cpu-1-thread.csv", rows)
    lines = page.page(tmp_path).splitlines()
    assert "| operation | shape | ms | pytorch-crf | hmmlearn | cold ms |" in lines
    assert "| Viterbi decoding | (32, 40, 9) | 0.5 | 250x (busy) | 10x | 4 |" in lines
    assert "Without times: torch.compile (--no-compile)." in lines
    assert any(
        line.startswith("A processor, C++ (AVX2), 1 thread, PyTorch 2.0; pytorch-crf 1.0, hmmlearn 1.0.")
        for line in lines
    )
    assert not any(line.startswith("## ") and "operations" not in line for line in lines)


def test_a_gpu_has_a_section_of_its_own(tmp_path):
    write_rows(tmp_path / "gpu.csv", [speed_row("cman", 1.0, device="A GPU"), speed_row("eager", 9.0, device="A GPU")])
    known = {"operation": "crf_decode", "shape": "32x40x9", "device": "A GPU", "torch": "2.0"}
    rows = [known | {"sums": sums, "call_us": call, "device_us": busy}
            for sums, call, busy in (("in any order", 40, 8.5), ("in order", 60, 10.9))]  # fmt: skip
    write_csv(tmp_path / "gpu-times.csv", list(rows[0]), rows)
    step = {"what": "a step", "ms": 60.5, "device": "A GPU", "torch": "2.0"}
    write_csv(tmp_path / "gpu-step.csv", list(step), [step])
    lines = page.page(tmp_path).splitlines()
    assert [line for line in lines if line.startswith("## ")] == ["## On a GPU"]
    assert any(line.startswith("A GPU beside an A processor, C++ (AVX2), 1 thread, PyTorch 2.0") for line in lines)
    assert "| Viterbi decoding | (32, 40, 9) | 0.5 | 9x |" in lines
    assert "| Viterbi decoding | (32, 40, 9) | 8.5 | 40 | 10.9 | 60 |" in lines and "| a step | 60.5 |" in lines


def test_a_training_step_stands_beside_that_of_plain_pytorch(tmp_path):
    known = {"corpus": "conll04", "experiment": "cman", "batch_size": 8, "steps": 40, "threads": 1}
    known |= {"processor": "A processor", "torch": "2.0", "cpu_ms_q1": 90, "cpu_ms_q3": 111}
    rows = [known | {"contender": name, "cpu_ms": ms, "ratio": ms / 100, "epoch_s": ms / 10}
            for name, ms in (("C++ (AVX2)", 100), ("plain PyTorch", 150))]  # fmt: skip
    write_csv(tmp_path / "training.csv", list(rows[0]), rows)
    lines = page.page(tmp_path).splitlines()
    assert "| conll04 | cman | 8 | plain PyTorch | 150 [90..111] | 1.50x | 15 |" in lines
    assert any("first 40 batches, each trained on by either in turns; A processor, 1 thread" in line for line in lines)


def test_decoding_has_quartiles_cpu_time_and_where_it_goes(tmp_path):
    common = ("conll04", "cman", "CMAN", 1, "main", "cpu", "A processor", 1)
    row = DecodingRow(*common, "compiled", "cached", 16, 288, 8408, rounds=20, seconds_median=1.0, torch="2.0")
    row.seconds_q1, row.seconds_q3, row.cpu_seconds_median, row.confidences = 0.9, 1.25, 0.99, "off"
    row.sentences_per_second, row.relative_time = 288.0, 1.5
    row.shares = shares.text({"LSTMs": 0.5, "Python": 0.5})
    untimed = DecodingRow(*common[:5], "cuda", "", 1, "compiled", "cached", 16, 288, 8408, note="no GPU")
    write_csv(tmp_path / "decoding.csv", HEADER, map(vars, (row, untimed)))
    text = page.page(tmp_path)
    assert "288 sentences in batches of 16, without confidences; A processor" in text
    assert "| CMAN | cpu | cached | compiled | 20 | 1 [0.9..1.25] | 0.99 | 288 | 1.50x |" in text.splitlines()
    assert "| CMAN | cached | 50 | 50 |" in text.splitlines()
    assert "cuda" not in text and "The operations" not in text
