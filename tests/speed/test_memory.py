"""Peak memory of one call in a process of its own."""

import subprocess
import sys

import pytest

from cman.machine import peak_memory
from cman.speed.memory import Job, in_a_process

MIB = 2**20
PROGRAM = """
import torch
from cman.speed.memory import lift
{before}
print(lift(lambda: torch.ones({size} * 2**20 // 4)))
"""


def lifted(size: int, before: str = "") -> float:
    """MiB that an allocation of `size` MiB is measured as, in a process of its own."""
    program = PROGRAM.format(size=size, before=before)
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout) / MIB


def test_a_known_allocation_is_measured_as_what_it_is():
    assert lifted(200) == pytest.approx(200, abs=10)


@pytest.mark.skipif(sys.platform != "linux", reason="the mark can be set back on Linux only")
def test_what_the_process_needed_before_does_not_hide_the_call():
    assert lifted(100, before="del_me = torch.ones(2**27); del del_me") == pytest.approx(100, abs=10)


def test_the_high_water_mark_is_that_of_a_process_with_torch():
    assert 20 * MIB < peak_memory() < 2**40


def test_the_scores_of_a_batch_need_at_least_their_own_table():
    job = Job("pair_scores", "cman", (4, 96, 16, 32))
    peak = in_a_process(job).peak
    assert peak is not None
    table = 4 * 96 * 96 * 32 * 4
    assert table * 0.9 < peak < table * 8


def test_a_job_that_fails_says_why():
    measured = in_a_process(Job("no_operation", "cman", (1, 2, 3)))
    assert measured.peak is None
    assert measured.note == "memory not measured: KeyError: 'no_operation'"
