"""Memory: no table of token pairs by hidden units is ever stored, and by the fused operations none by labels either."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from implementations import for_each, need_compiled

MIB = 2**20

# Prints by how many bytes an operation and its backward pass lift the peak of the process.
PROGRAM = """
import json, sys
from pathlib import Path
import torch
from cman import kernels

name, choice, length, size, labels = json.loads(sys.argv[1])
torch.set_num_threads(1)
kernels.use_kernels(choice)

def run(length):
    a, c = (torch.randn(1, length, size, requires_grad=True) for _ in range(2))
    V, bias = torch.randn(labels, size, requires_grad=True), torch.zeros(labels, requires_grad=True)
    lengths = torch.tensor([length])
    before = mark()
    if name == "pair_scores":
        scores = kernels.pair_scores(a, c, V, bias, lengths)
        scores.backward(scores.detach())
    elif name == "pair_bce":
        kernels.pair_bce(a, c, V, bias, torch.zeros(1, 4, dtype=torch.int64), lengths).sum().backward()
    else:
        anchors = torch.stack([torch.zeros(length, dtype=torch.int64), torch.arange(length)], 1)
        kernels.pair_select(a, c, V, bias, anchors, lengths, 1e9)
    return peak() - before

def status(field):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024

def mark():
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident now
    return status("VmRSS")

def peak():
    return status("VmHWM")

run(8)
print(run(length))
"""


def lifted(*job) -> int:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not tell a process its peak of memory")
    done = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(job)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


LENGTH, SIZE, LABELS = 512, 128, 6
HIDDEN = 4 * LENGTH**2 * SIZE  # bytes of an (N, N, D) table: 128 MiB
TABLE = 4 * LENGTH**2 * LABELS  # bytes of an (N, N, R) table: 6 MiB


def test_plain_pytorch_stores_the_hidden_table_so_that_this_is_seen_here():
    assert lifted("pair_scores", "reference", LENGTH, SIZE, LABELS) > HIDDEN


def test_scores_and_their_gradients_need_no_hidden_table():
    need_compiled()
    # Scores, and what comes from above, are tables of labels; the gradients of a and c are small.
    assert lifted("pair_scores", "auto", LENGTH, SIZE, LABELS) < 2 * TABLE + 8 * MIB


def test_plain_pytorch_selects_without_a_table_of_pairs():
    assert lifted("pair_select", "reference", 2 * LENGTH, SIZE, LABELS) < 32 * MIB < 4 * HIDDEN / 10


@for_each(name=["pair_bce", "pair_select"])
def test_fused_operations_need_no_table_of_labels(name):
    need_compiled()
    many = 40
    assert 4 * LENGTH**2 * many == 40 * MIB
    assert lifted(name, "auto", LENGTH, SIZE, many) < 8 * MIB


@for_each(name=["pair_bce", "pair_select"])
def test_what_fused_operations_need_grows_with_the_length_and_not_with_its_square(name):
    need_compiled()
    short, long = (lifted(name, "auto", length, 32, LABELS) for length in (512, 2048))
    assert long < 4 * short + 8 * MIB  # a table of labels would have 96 MiB
