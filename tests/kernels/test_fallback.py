"""A binary that is missing, of another torch, of other sources or no binary at all: plain PyTorch, and a reason."""

import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest
import setuptools
import torch
from implementations import need_compiled

from cman import binary

ROOT = Path(__file__).resolve().parents[2]
FITTING = {"torch": torch.__version__, "sources": binary.source_digest() or "", "codes": []}

ASK = "from cman.kernels import backend, library; print(library.__file__); print(backend())"

# Prints the backend; fails unless every operation gives the reference's results, gradients too. They need not be the
# same bit by bit: on some processors a product depends on where in memory its operands begin.
COMPARE = """
import torch
from crf_problem import bio_allowed, problem
from pair_problem import pairs
from cman import kernels
from cman.kernels import library, reference

print(library.__file__)
print(kernels.backend())
ops = torch.ops.cman
case, relations = problem(4, [5, 0, 2], dtype=torch.float32), pairs([5, 0, 2], labels=3, dtype=torch.float32)
a = relations.arguments
gold, anchors = relations.gold(5), relations.anchors(0.8)
for name, arguments, options in (
    ("crf_decode", case.arguments, {"nbest": 3}),
    ("crf_decode", case.arguments, {"allowed": bio_allowed()}),
    ("crf_log_partition", case.arguments, {"allowed": bio_allowed()}),
    ("crf_nll", case.with_gold, {}),
    ("crf_marginals", case.arguments, {}),
    ("crf_span_marginals", (*case.arguments, torch.tensor([[0, 1, 4]]), case.gold, torch.tensor([0])), {}),
    ("pair_scores", a, {}),
    ("pair_bce", (*a[:4], gold, a[4]), {"pos_weight": 2.0}),
    ("pair_select", (*a[:4], anchors, a[4], 0.5), {}),
    ("lstm", (torch.ones(2, 3, 4), torch.tensor([3, 2]), torch.ones(8, 4), torch.ones(8, 2), torch.ones(8)), {}),
):
    results, gradients = [], []
    for module in (reference, ops, kernels):
        values = [value.clone() if isinstance(value, torch.Tensor) else value for value in arguments]
        leaves = [value.requires_grad_() for value in values if getattr(value, "dtype", None) == torch.float32]
        result = getattr(module, name)(*values, **options)
        results.append(result)
        if name in ("crf_log_partition", "crf_nll", "pair_scores", "pair_bce", "lstm"):
            result.sum().backward()
            gradients.append([leaf.grad for leaf in leaves])
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-6, atol=1e-7)
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-6, atol=1e-7)
try:
    ops.crf_decode(*case.arguments, nbest=0)
except ValueError as error:
    assert str(error).startswith("nbest: "), error
"""


WITHOUT_INSTALLATIONS = "sys.meta_path[:] = [each for each in sys.meta_path if 'editable' not in repr(each).lower()]"


@pytest.fixture
def copied(tmp_path):
    """The package in a folder of its own, without a binary and without sources."""
    ignored = shutil.ignore_patterns("_C.*", "__pycache__")
    shutil.copytree(ROOT / "cman", tmp_path / "cman", ignore=ignored)
    return tmp_path


def run(folder: Path, program: str = ASK) -> str:
    """Run a program with the copied package; return what it says about the backend."""
    paths = [str(folder), str(ROOT / "tests" / "helpers")]
    # An editable installation would find `cman._C` beside the package that it is of.
    code = f"import sys; sys.path[:0] = {paths!r}\n{WITHOUT_INSTALLATIONS}\n{program}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    found, backend = done.stdout.splitlines()
    assert found.startswith(str(folder))
    return backend


def binary_name() -> str:
    return f"_C{sysconfig.get_config_var('EXT_SUFFIX')}"


def write_stamp(folder: Path, **changes: str) -> None:
    (folder / "cman" / "_C.json").write_text(json.dumps({**FITTING, **changes}))


def test_without_a_binary_all_operations_exist_and_give_the_results_of_plain_pytorch(copied):
    assert run(copied, COMPARE) == f"plain PyTorch (not built; {binary.BUILD})"


def test_a_binary_for_another_torch_is_not_even_opened(copied):
    (copied / "cman" / binary_name()).write_bytes(b"opening this would be an error")
    write_stamp(copied, torch="2.0.0+cu117")
    assert run(copied) == f"plain PyTorch (built for torch 2.0.0+cu117, this is {torch.__version__}; {binary.BUILD})"


def test_a_file_that_is_no_binary_is_a_reason_and_no_error(copied):
    (copied / "cman" / binary_name()).write_bytes(b"\x7fELF and nothing else")
    write_stamp(copied)
    backend = run(copied, COMPARE)
    assert backend.startswith("plain PyTorch (the binary does not load (") and backend.endswith(f"; {binary.BUILD})")


def test_a_stamp_that_cannot_be_read_counts_as_none(tmp_path, monkeypatch):
    monkeypatch.setattr(binary, "STAMP", tmp_path / "_C.json")
    assert binary.read_stamp() is None
    for content in ("", "{", "null", "[]", '{"torch": "2.0"}', '{"torch": "2.0", "sources": "1"}'):
        binary.STAMP.write_text(content)
        assert binary.read_stamp() is None, content


def test_a_binary_of_other_sources_is_not_used_where_the_sources_lie_beside_the_package(copied):
    write_stamp(copied, sources="0" * 64)
    (copied / "csrc").mkdir()
    (copied / "csrc" / "some.cpp").write_text("int x;\n")
    assert run(copied) == f"plain PyTorch (built from other sources than csrc/; {binary.BUILD})"


def test_a_binary_without_its_stamp_is_not_used(copied):
    """Its build was ended before it was done."""
    need_compiled()
    shutil.copy(ROOT / "cman" / binary_name(), copied / "cman")
    assert run(copied) == f"plain PyTorch (not built; {binary.BUILD})"


RUNS_ON = (
    (("sm_80", "sm_90", "compute_90"), [(8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 1)]),
    (("sm_86",), [(8, 6), (8, 9)]),
    (("compute_86",), [(8, 6), (8, 9), (9, 0), (10, 0), (12, 1)]),
    (("sm_90a",), [(9, 0)]),
    (("sm_120",), [(12, 1)]),
    (("sm_75", "compute_75"), [(8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 1)]),
    ((), []),
)


def test_the_code_of_a_binary_says_on_which_gpus_it_runs():
    """Machine code runs within its generation, PTX on all that came later, and none on what has too little memory."""
    gpus = [(7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 1)]
    for codes, expected in RUNS_ON:
        assert [gpu for gpu in gpus if binary.runs_on(codes, gpu)] == expected, codes


def test_on_a_gpu_without_code_plain_pytorch_runs_and_one_line_says_so(monkeypatch):
    from cman.kernels import library

    monkeypatch.setattr(library, "_in_use", True)
    monkeypatch.setattr(library, "DEVICES", ("cpu", "cuda"))
    monkeypatch.setattr(library, "CODES", ("sm_80", "sm_90"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: ((7, 5), (8, 6))[device.index])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    library.runs_on_gpu.cache_clear()
    try:
        with pytest.warns(UserWarning) as told:
            old = [library.compiled(SimpleNamespace(device=torch.device("cuda:0"))) for _ in range(2)]
        assert old == [False, False]
        message = "cman kernels: found Tesla T4, compute capability 7.5, wanted one that the binary has code for "
        assert [str(each.message) for each in told] == [f"{message}(sm_80, sm_90): plain PyTorch runs there"]
        assert library.compiled(SimpleNamespace(device=torch.device("cuda:1")))
    finally:
        library.runs_on_gpu.cache_clear()


def test_the_build_asks_torch_what_the_list_of_gpus_means(monkeypatch):
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    spec = importlib.util.spec_from_file_location("cman_setup", ROOT / "setup.py")
    assert spec is not None and spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    monkeypatch.delenv("TORCH_CUDA_ARCH_LIST", raising=False)
    assert build.gpu_codes() == list(binary.GPU_CODES)
    monkeypatch.setenv("TORCH_CUDA_ARCH_LIST", "8.6;9.0+PTX")
    assert build.gpu_codes() == ["sm_86", "compute_90", "sm_90"]
    monkeypatch.setenv("TORCH_CUDA_ARCH_LIST", "Ada")
    assert build.gpu_codes() == ["compute_89", "sm_89"]


SOURCE = """// a kernel
#define TWICE(x) (2 * (x))
const char* name = "a // b";
int f(int y) { return TWICE(y) - -1; }
"""
SAME = """#define TWICE(x)   (2 * (x))  /* of a
   value */
const char* name =
    "a // b";

int f( int y ){
  return TWICE( y ) - -1;  // it's
}
"""


def test_comments_and_layout_of_the_sources_do_not_change_their_digest_and_all_else_does(tmp_path, monkeypatch):
    monkeypatch.setattr(binary, "SOURCES", tmp_path / "csrc")
    assert binary.source_digest() is None
    file = tmp_path / "csrc" / "crf" / "a.cpp"
    file.parent.mkdir(parents=True)

    def digest(text: str) -> str | None:
        file.write_text(text)
        return binary.source_digest()

    first = digest(SOURCE)
    assert digest(SAME) == first
    changes = {"2 *": "3 *", "a // b": "a / b", "- -1": "--1", "TWICE(x) (": "TWICE (x) (", "int f": "intf"}
    changed = {change: digest(SOURCE.replace(*change)) for change in changes.items()}
    digest(SOURCE)
    (tmp_path / "csrc" / "build").mkdir()
    assert binary.source_digest() == first
    file.with_name("b.h").write_text("")
    changed["a file more"] = binary.source_digest()
    file.with_name("b.h").unlink()
    file.rename(file.with_name("c.cpp"))
    changed["another name"] = binary.source_digest()
    file.with_name("c.cpp").rename(file)
    monkeypatch.setattr(binary, "CXX_FLAGS", ("-O2",))
    changed["another flag"] = binary.source_digest()
    assert first not in changed.values(), changed
    assert len(set(changed.values())) == len(changed), changed


def test_what_runs_is_known_without_loading_torch(copied):
    """The workflow asks this before each job; what it is told is what a job will use."""
    ask = "from cman import binary; print(binary.__file__); print(binary.kernels_digest(), 'torch' in sys.modules)"
    assert run(copied, ask) == "reference False"
    need_compiled()
    for file in (binary_name(), "_C.json"):
        shutil.copy(ROOT / "cman" / file, copied / "cman")
    assert run(copied, ask) == f"compiled {FITTING['sources']} False"
    assert run(copied).startswith("C++ (")
    assert run(copied, ask.replace("digest()", "digest('reference')")) == "reference False"
    write_stamp(copied, torch="2.0.0+cu117")
    assert run(copied, ask) == "reference False"


def test_the_choice_of_plain_pytorch_is_named_and_can_be_taken_back():
    from cman.kernels import backend, use_kernels

    before = backend()
    use_kernels("reference")
    try:
        assert backend().startswith("plain PyTorch (")
    finally:
        use_kernels("auto")
    assert backend() == before


def test_the_environment_may_ask_for_a_lesser_instruction_set(copied):
    need_compiled()
    for file in (binary_name(), "_C.json"):
        shutil.copy(ROOT / "cman" / file, copied / "cman")
    assert run(copied, f"import os; os.environ['CMAN_ISA'] = 'portable'\n{ASK}").startswith("C++ (portable)")
