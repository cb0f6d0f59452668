"""What the compiled operations `cman._C` are made of and whether they fit, without opening them or loading torch.

Opening a binary of another torch can end the process instead of raising an error, so a stamp written beside it says
what it was built from. Sources are found from the package: in a checkout they lie beside it; an installed package has
none, and there the stamp alone knows them. setup.py reads this file by its path, without the package around it: it must
import nothing but the standard library.
"""

import hashlib
import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

PACKAGE = Path(__file__).resolve().parent
SOURCES = PACKAGE.parent / "csrc"  # there in a checkout, not in an installed package
STAMP = PACKAGE / "_C.json"
SUFFIXES = (".cpp", ".h", ".cu", ".cuh")
CXX_FLAGS = ("-std=c++20", "-O3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-g0")
NVCC_FLAGS = ("-std=c++20", "-O3")
# What is compiled for GPUs unless TORCH_CUDA_ARCH_LIST says otherwise: code of two, and PTX for newer ones.
GPU_CODES = ("sm_80", "sm_90", "compute_90")
LEAST_CAPABILITY = (8, 0)  # older ones have not the shared memory that the kernels ask for
BUILD = "a checkout builds it: python setup.py build_ext --inplace"

COMMENT_OR_LITERAL = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
TOKEN = re.compile(
    r"""
      ^[ \t]*\#(?:\\\n|[^\n])*                       # a directive: its spaces and its end have a meaning
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+'
    | \w+
    | <<= | >>= | -> | \+\+ | -- | && | \|\| | :: | << | [-+*/%&|^<>=!]=
    | \S
    """,
    re.MULTILINE | re.VERBOSE,
)


class Stamp(TypedDict):
    """The content of `_C.json`."""

    torch: str  # its full version, such as 2.13.0+cpu
    sources: str  # the digest of what was compiled
    codes: list[str]  # what it has for GPUs: machine code (sm_90) and PTX (compute_90)


def tokens(source: str) -> list[str]:
    """Return the tokens of a C++ source: what is left of it without comments and without its layout."""
    code = COMMENT_OR_LITERAL.sub(lambda match: match[0] if match[0][0] in "\"'" else " ", source)
    return [re.sub(r"(?:\s|\\\n)+", " ", token.strip()) if "#" in token else token for token in TOKEN.findall(code)]


def source_digest() -> str | None:
    """Return the SHA-256 of the sources in csrc/ and the compilers' flags; None where there are no sources.

    Comments and white space do not count; the names of files, the code and its constants do.
    """
    if not SOURCES.is_dir():
        return None
    digest = hashlib.sha256(json.dumps([CXX_FLAGS, NVCC_FLAGS]).encode())
    for path in sorted(path for path in SOURCES.rglob("*") if path.suffix in SUFFIXES):
        code = tokens(path.read_text(encoding="utf-8"))
        digest.update(json.dumps([path.relative_to(SOURCES).as_posix(), code]).encode())
    return digest.hexdigest()


def read_stamp() -> Stamp | None:
    """Return what the binary was built from; None if nothing is built or the stamp cannot be read."""
    try:
        value = json.loads(STAMP.read_text(encoding="utf-8"))
        codes = [str(code) for code in value["codes"]]
        return Stamp(torch=str(value["torch"]), sources=str(value["sources"]), codes=codes)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def runs_on(codes: Sequence[str], capability: tuple[int, int]) -> bool:
    """Return whether one of the codes runs on a GPU of a compute capability, such as (9, 0).

    Machine code runs on GPUs of its generation that are no older; PTX is compiled by the driver for all later ones.
    Code for the special features of one GPU, such as sm_90a, runs on that one alone.
    """

    def fits(code: str) -> bool:
        kind, _, version = code.partition("_")
        digits = version.rstrip("abcdefghijklmnopqrstuvwxyz")
        own = int(digits[:-1]), int(digits[-1])
        if digits != version:
            return own == capability
        return own <= capability and (kind == "compute" or own[0] == capability[0])

    return capability >= LEAST_CAPABILITY and any(map(fits, codes))


def torch_version() -> str | None:
    """Return the full version of the torch that an import would load; None without one."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    version = re.search(r"^__version__ = '(.+)'", text, re.MULTILINE)
    return version[1] if version else None


def unusable() -> str | None:
    """Return None if the binary fits this torch and these sources, else why it is not used and what to do."""
    stamp, torch = read_stamp(), torch_version()
    if stamp is None:
        return f"not built; {BUILD}"
    if stamp["torch"] != torch:
        return f"built for torch {stamp['torch']}, this is {torch}; {BUILD}"
    if source_digest() not in (None, stamp["sources"]):
        return f"built from other sources than csrc/; {BUILD}"
    if not any(path.suffix in (".so", ".pyd") for path in PACKAGE.glob("_C.*")):
        return f"the binary beside the package is missing; {BUILD}"
    return None


def kernels_digest(choice: str = "auto") -> str:
    """Return what a result depends on beside the Python code: `compiled` and the digest of the sources, or `reference`.

    Two processes with equal digests run their operations by the same code. It does not load torch.

    Args:
        choice: as of `cman.kernels.use_kernels`, `auto` or `reference`.
    """
    stamp = read_stamp()
    if choice == "reference" or stamp is None or unusable() is not None:
        return "reference"
    return f"compiled {stamp['sources']}"
