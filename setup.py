"""Builds `cman._C` from csrc/ where torch and a C++ compiler are found, with CUDA where torch and nvcc have it.

    python setup.py build_ext --inplace

TORCH_CUDA_ARCH_LIST, such as "8.6;9.0+PTX", says for which GPUs; else for those of cman/binary.py.

Everything else about the package stands in pyproject.toml. No compiler, no nvcc or no torch is no error: one line says
so and the package works in plain PyTorch. pip builds packages in an environment of their own, which has no torch; so
`pip install --no-build-isolation .` is what includes the kernels in an installation.
"""

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent


def say(message):
    print(f"cman kernels: {message}", file=sys.stderr)


def load_binary():
    """Return cman/binary.py, loaded without the package around it, which is not installed yet."""
    spec = importlib.util.spec_from_file_location("cman_binary", ROOT / "cman" / "binary.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


binary = load_binary()


def gpu_codes():
    """Return what to compile for, sm_* (machine code) and compute_* (PTX), as TORCH_CUDA_ARCH_LIST says if set."""
    if not os.environ.get("TORCH_CUDA_ARCH_LIST"):
        return list(binary.GPU_CODES)
    from torch.utils.cpp_extension import _get_cuda_arch_flags

    return [flag.partition(",code=")[2] for flag in _get_cuda_arch_flags([])]


def extension(with_cuda):
    """Return the extension, for the CPU alone or with CUDA."""
    import torch
    from torch.utils.cpp_extension import CppExtension, CUDAExtension

    sources = sorted(path for path in (ROOT / "csrc").rglob("*") if path.suffix in (".cpp", ".cu"))
    if not with_cuda:
        sources = [path for path in sources if path.suffix != ".cu"]
    flags = list(binary.CXX_FLAGS)
    if "backend: OpenMP" in torch.__config__.parallel_info() and "clang" not in os.environ.get("CXX", ""):
        # ATen's parallel loop is compiled into the extension, and is a plain loop without this. The extension is not
        # linked to an OpenMP of its own: torch brings one, and two would each keep their threads spinning.
        flags.append("-fopenmp")
    arguments = {
        "name": "cman._C",
        "sources": [str(path.relative_to(ROOT)) for path in sources],
        "include_dirs": [str(ROOT / "csrc")],
        "extra_compile_args": {"cxx": flags},
        "extra_link_args": ["-s"],
    }
    if not with_cuda:
        return CppExtension(**arguments)
    targets = [f"-gencode=arch={code.replace('sm', 'compute')},code={code}" for code in gpu_codes()]
    arguments["extra_compile_args"]["nvcc"] = [*binary.NVCC_FLAGS, *targets]
    return CUDAExtension(**arguments, define_macros=[("CMAN_CUDA", "1")])


def attempts():
    """Return which extensions to try, best first: True is with CUDA. None of them if something is missing."""
    try:
        import torch
        from torch.utils.cpp_extension import CUDA_HOME
    except ImportError:
        say("torch is not installed here, so nothing is compiled; plain PyTorch will be used")
        return []
    if sys.platform == "win32":
        say("nothing is compiled on Windows; plain PyTorch will be used")
        return []
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        say("no C++ compiler found, so nothing is compiled; plain PyTorch will be used")
        return []
    if torch.version.cuda is None:
        return [False]
    if CUDA_HOME is None or not (Path(CUDA_HOME) / "bin" / "nvcc").exists():
        say("no nvcc found, so only the CPU's kernels are compiled")
        return [False]
    return [True, False]


def build(with_cuda):
    """Run setup with one kind of extension; raise what its build raises."""
    from torch.utils.cpp_extension import BuildExtension

    class Build(BuildExtension):
        def run(self):
            binary.STAMP.unlink(missing_ok=True)  # a build that is killed leaves no stamp: its binary is not used
            import torch

            stamp = {"torch": torch.__version__, "sources": binary.source_digest()}  # as they are before they are read
            stamp["codes"] = gpu_codes() if with_cuda else []
            super().run()
            target = binary.STAMP if self.inplace else Path(self.build_lib) / "cman" / binary.STAMP.name
            target.write_text(json.dumps(stamp) + "\n", encoding="utf-8")

    setup(ext_modules=[extension(with_cuda)], cmdclass={"build_ext": Build})


if {"build_ext", "bdist_wheel", "editable_wheel", "install"} & set(sys.argv):
    for with_cuda in attempts():
        if "--inplace" in sys.argv and binary.unusable() is None:
            say("up to date")
            break
        try:
            build(with_cuda)
            say(f"compiled for the CPU{' and CUDA' if with_cuda else ''}")
            break
        except (Exception, SystemExit) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            say(f"the {'CUDA' if with_cuda else 'C++'} build failed: {reason}")
    else:
        if "build_ext" not in sys.argv:
            setup()
else:
    setup()
