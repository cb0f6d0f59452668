"""The CUDA sources compile wherever nvcc is, whether torch has CUDA or not."""

import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[2] / "csrc"
SOURCES = sorted(CSRC.glob("*.cu"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc found"),
]


def run(command: list[str | Path]) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stderr


def test_there_are_cuda_sources():
    assert {path.name for path in SOURCES} >= {"crf_cuda.cu", "pairs_cuda.cu"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_kernels_compile_for_a_gpu(source, tmp_path):
    run(["nvcc", "-std=c++17", "-arch=sm_90", "-c", source, "-o", tmp_path / "object.o"])
    assert (tmp_path / "object.o").stat().st_size > 0


def includes_of_nvcc(folder: Path) -> list[str]:
    """Return the include options that nvcc passes to the compiler."""
    empty = folder / "empty.cu"
    empty.write_text("")
    done = subprocess.run(["nvcc", "--dryrun", "-c", empty], capture_output=True, text=True, cwd=folder)
    line = next(line for line in done.stderr.splitlines() if line.startswith("#$ INCLUDES="))
    return [word.strip('"') for word in line.removeprefix("#$ INCLUDES=").split()]


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ found")
def test_the_operations_on_cuda_compile_against_this_torch(tmp_path):
    """A torch without CUDA has the headers, but for one that is generated."""
    from torch.utils.cpp_extension import include_paths

    torch_folders = [f"-I{folder}" for folder in include_paths()]
    options = ["-std=c++20", "-fsyntax-only", "-DC10_USING_CUSTOM_GENERATED_MACROS", "-DCMAN_CUDA=1"]
    run(["g++", *options, *torch_folders, *includes_of_nvcc(tmp_path), CSRC / "library_cuda.cpp"])
