"""The kernels without torch around them: their C++ tests, what their objects export, and that CUDA's compile."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from cman import binary

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
TESTS = ROOT / "tests" / "csrc"
MINUTE = 60  # seconds
INSTRUCTION_SETS = ("portable", "avx2", "avx512")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ found"),
]
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc found")


def run(command: list[str | Path], cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=20 * MINUTE)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def weak_symbols(compiled: Path) -> list[str]:
    """Return what another object may have too; there is at least one symbol that only this one has."""
    symbols = [line.split() for line in run(["nm", "--defined-only", compiled]).splitlines()]
    assert [name for _, kind, name in symbols if kind == "T"], f"{compiled.name}: nothing at all was compiled"
    return [name for _, kind, name in symbols if kind in "WVu"]


def compiled_object(source: Path, folder: Path) -> Path:
    """Return the object of a source: the one that the package's own binary was linked from, or else a new one."""
    if binary.unusable() is None and source.is_relative_to(CSRC):
        for built in ROOT.glob(f"build/temp.*/{source.relative_to(ROOT).with_suffix('.o')}"):
            # Every file of csrc/ may be included by any other.
            if built.stat().st_mtime > max(path.stat().st_mtime for path in CSRC.rglob("*")):
                return built
    level = "-O3" if "avx" in source.stem else "-O1"  # as they are shipped, where it decides what leaks out
    flags = ["-std=c++20", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-parameter", "-pthread", f"-I{CSRC}", level]
    run(["g++", *flags, "-c", source, "-o", folder / f"{source.stem}.o"])
    return folder / f"{source.stem}.o"


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm found")
@pytest.mark.parametrize("room", ["crf", "lstm", "pairs"])
def test_the_cpu_kernels_pass_their_tests_in_every_instruction_set_and_none_leaks_out_of_its_object(room, tmp_path):
    """The linker keeps one of several weak definitions, and a processor without AVX-512 must not be given that one."""
    sources = [CSRC / "simd" / "isa.cpp", *sorted((CSRC / room).glob("*.cpp"))]
    assert {path.stem for path in sources} >= {f"cpu_{name}" for name in INSTRUCTION_SETS}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiled = pool.map(partial(compiled_object, folder=tmp_path), [*sources, TESTS / f"{room}_test.cpp"])
        objects = list(compiled)
    shared = {path.name: weak_symbols(path) for path in objects if "avx" in path.name}
    assert shared == {name: [] for name in shared} and len(shared) == 2
    run(["g++", "-pthread", *objects, "-o", tmp_path / "test"])
    run([tmp_path / "test"])


@pytest.mark.parametrize("room", ["crf", "pairs"])
def test_the_cuda_kernels_pass_their_tests_on_an_emulated_device(room, tmp_path):
    flags = ["-std=c++17", "-O1", "-Wno-unknown-pragmas", "-pthread", f"-I{CSRC}"]
    run(["g++", *flags, "-x", "c++", TESTS / f"{room}_cuda_test.cpp", "-o", tmp_path / "test"])
    run([tmp_path / "test"])


@needs_nvcc
@pytest.mark.parametrize("room", ["crf", "pairs"])
def test_the_cuda_kernels_and_their_tests_compile_for_a_gpu(room, tmp_path):
    source = TESTS / f"{room}_cuda_test.cpp"  # with the kernels
    quick = ["-Xcicc", "-O0", "-Xptxas", "-O0"]  # nobody runs it here
    options = ["-std=c++17", "-arch=sm_90", *quick, f"-I{CSRC}", "-x", "cu", "-c"]
    run(["nvcc", *options, source, "-o", tmp_path / "object.o"])
    assert (tmp_path / "object.o").stat().st_size > 0


def includes_of_nvcc(folder: Path) -> list[str]:
    """Return the include options that nvcc passes to the compiler."""
    empty = folder / "empty.cu"
    empty.write_text("")
    done = subprocess.run(["nvcc", "--dryrun", "-c", empty], capture_output=True, text=True, cwd=folder)
    line = next(line for line in done.stderr.splitlines() if line.startswith("#$ INCLUDES="))
    return [word.strip('"') for word in line.removeprefix("#$ INCLUDES=").split()]


@needs_nvcc
def test_the_operations_on_cuda_compile_against_this_torch(tmp_path):
    """A torch without CUDA has the headers, but for one that is generated."""
    from torch.utils.cpp_extension import include_paths

    folders = [f"-I{folder}" for folder in (CSRC, *include_paths())] + includes_of_nvcc(tmp_path)
    options = ["-std=c++20", "-fsyntax-only", "-DC10_USING_CUSTOM_GENERATED_MACROS", "-DCMAN_CUDA=1"]
    both = tmp_path / "both.cpp"  # torch's headers, read once, take most of the time
    both.write_text("".join(f'#include "binding/{name}_operations.cpp"\n' for name in ("crf", "pair")))
    run(["g++", *options, *folders, both])
