"""Builds `cman._C` from csrc/ where torch and a C++ compiler are found, with CUDA where torch and nvcc have it.

    python setup.py build_ext --inplace

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
ARCHITECTURES = ("compute_80,code=sm_80", "compute_90,code=sm_90", "compute_90,code=compute_90")  # the last is PTX


def say(message):
    print(f"cman kernels: {message}", file=sys.stderr)


def stamp_module():
    """Return cman/kernels/stamp.py, loaded without the package around it, which needs torch."""
    spec = importlib.util.spec_from_file_location("cman_stamp", ROOT / "cman" / "kernels" / "stamp.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def extension(with_cuda):
    """Return the extension, for the CPU alone or with CUDA."""
    import torch
    from torch.utils.cpp_extension import CppExtension, CUDAExtension

    sources = sorted(path for path in (ROOT / "csrc").iterdir() if path.suffix in (".cpp", ".cu"))
    if not with_cuda:
        sources = [path for path in sources if path.stem != "library_cuda" and path.suffix != ".cu"]
    flags = ["-std=c++20", "-O3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-g0"]
    if "backend: OpenMP" in torch.__config__.parallel_info() and "clang" not in os.environ.get("CXX", ""):
        # ATen's parallel loop is compiled into the extension, and is a plain loop without this. The extension is not
        # linked to an OpenMP of its own: torch brings one, and two would each keep their threads spinning.
        flags.append("-fopenmp")
    arguments = {
        "name": "cman._C",
        "sources": [str(path.relative_to(ROOT)) for path in sources],
        "extra_compile_args": {"cxx": flags},
        "extra_link_args": ["-s"],
    }
    if not with_cuda:
        return CppExtension(**arguments)
    arguments["extra_compile_args"]["nvcc"] = [
        "-std=c++20",
        "-O3",
        *(f"-gencode=arch={each}" for each in ARCHITECTURES),
    ]
    return CUDAExtension(**arguments, define_macros=[("CMAN_CUDA", "1")])


def attempts():
    """Return which extensions to try, best first: True is with CUDA. None of them if something is missing."""
    try:
        import torch
        from torch.utils.cpp_extension import CUDA_HOME
    except ImportError:
        say("torch is not installed here, so nothing is compiled; plain PyTorch will be used")
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
            stamp = stamp_module()
            stamp.STAMP.unlink(missing_ok=True)  # a build that is killed leaves no stamp: its binary is not used
            import torch

            content = {"torch": torch.__version__, "sources": stamp.sources_hash()}  # as they are before they are read
            super().run()
            target = stamp.STAMP if self.inplace else Path(self.build_lib) / "cman" / stamp.STAMP.name
            target.write_text(json.dumps(content) + "\n", encoding="utf-8")

    setup(ext_modules=[extension(with_cuda)], cmdclass={"build_ext": Build})


def up_to_date():
    """Return whether the binary beside the package is what a build would make."""
    import torch

    stamp = stamp_module()
    found = stamp.read_stamp()
    wanted = {"torch": torch.__version__, "sources": stamp.sources_hash()}
    return found == wanted and any(stamp.PACKAGE.glob("_C.*.so"))


if {"build_ext", "bdist_wheel", "editable_wheel", "install"} & set(sys.argv):
    for with_cuda in attempts():
        if "--inplace" in sys.argv and up_to_date():
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
