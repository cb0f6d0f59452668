"""The kernels without torch around them: their C++ tests, and what their objects export."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
TESTS = ROOT / "tests" / "csrc"
MINUTE = 60  # seconds
FLAGS = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-pthread"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ found"),
]


def run(command: list[str | Path], cwd: Path | None = None, limit: float = 10 * MINUTE) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def kernels(name: str) -> list[Path]:
    """Return the sources of the CPU's kernels of one kind, `crf` or `pairs`."""
    return [CSRC / "isa.cpp", *sorted(CSRC.glob(f"{name}_cpu*.cpp"))]


@pytest.mark.parametrize("name", ["crf", "pairs"])
def test_the_cpu_kernels_pass_their_tests_in_every_instruction_set(name, tmp_path):
    run(["g++", *FLAGS, TESTS / f"{name}_test.cpp", *kernels(name), "-o", tmp_path / "test"])
    run([tmp_path / "test"])


@pytest.mark.parametrize("name", ["crf", "pairs"])
def test_the_cuda_kernels_pass_their_tests_on_an_emulated_device(name, tmp_path):
    source = TESTS / f"{name}_cuda_test.cpp"
    run(["g++", "-std=c++17", "-O1", "-Wno-unknown-pragmas", "-x", "c++", source, "-o", tmp_path / "test", "-pthread"])
    run([tmp_path / "test"])


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm found")
@pytest.mark.parametrize("source", sorted(CSRC.glob("*_avx*.cpp")), ids=lambda path: path.name)
def test_objects_of_an_instruction_set_export_nothing_that_another_object_may_have_too(source, tmp_path):
    """The linker keeps one of several weak definitions, and a processor without AVX-512 must not be given that one."""
    run(["g++", "-std=c++20", "-O3", "-fPIC", "-c", source, "-o", tmp_path / "object.o"])
    symbols = [line.split() for line in run(["nm", "--defined-only", tmp_path / "object.o"]).splitlines()]
    weak = [name for _, kind, name in symbols if kind in "WVu"]
    assert not weak
    assert [name for _, kind, name in symbols if kind == "T"], "nothing at all was compiled"


def test_every_instruction_set_has_its_kernels():
    names = {path.name for path in CSRC.glob("*_cpu_*.cpp")}
    assert names >= {f"{kind}_cpu_{isa}.cpp" for kind in ("crf", "pairs") for isa in ("portable", "avx2", "avx512")}
