"""A few of the faults of `make faults`, so that the tool itself does not rot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
def test_no_fault_is_silent_and_every_rerun_is_right(tmp_path):
    library = tmp_path / "faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", HERE / "faults.c", "-o", library, "-ldl"], check=True)
    command = [sys.executable, "-m", "tests.faults.faults", "--most", "4", "prepare", "embed (vectors)"]
    environment = os.environ | {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "0 handled wrongly" in done.stdout, done.stdout + done.stderr
