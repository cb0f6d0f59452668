"""`make gpu`: everything that only a GPU can tell about the kernels, in about ten minutes, into one folder.

    python -m tests.device FOLDER

Each step is a process with a limit of its own; what it says goes to FOLDER/step.txt, and FOLDER/summary.txt has a line
a step. Steps that are not timed run side by side, those that are by themselves, at the end. A step that fails ends
nothing but itself. Without a GPU, nvcc or a torch with CUDA it ends at once.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("crf", "pairs")
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
SHAPES = {
    "crf": ("32,40,9", "256,64,9", "256,128,17", "32,512,32", "4096,128,9"),
    "pairs": ("16,40,128,6", "64,64,128,6", "4,256,128,12"),
}
NEEDS = "a machine with an NVIDIA GPU, its driver, nvcc and a torch with CUDA"


@dataclass(frozen=True)
class Step:
    """A command and how many seconds it may take."""

    name: str
    command: list[str]
    limit: int = 120


def missing() -> str | None:
    """Return what this machine lacks; None if it has all that is needed. Asks for torch last, which loads slowly."""
    if shutil.which("nvidia-smi") is None or subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode:
        return "no NVIDIA GPU"
    if shutil.which("nvcc") is None:
        return "no nvcc"
    import torch

    return None if torch.cuda.is_available() else f"torch {torch.__version__}, which sees no GPU"


def stages(folder: Path) -> list[list[Step]]:
    """Return all steps; those of a stage may run side by side. Files that they make go into the folder."""
    python, made = sys.executable, folder / "made"
    compile_ = ["nvcc", "-std=c++17", "-O3", "-lineinfo", "-arch=native", f"-I{ROOT / 'csrc'}", "-x", "cu"]
    building = [
        Step("machine", ["nvidia-smi", "-q"]),
        Step("torch", [python, "-m", "torch.utils.collect_env"]),
        Step("build", [python, "setup.py", "build_ext", "--inplace"], 600),
    ]
    checking = [
        Step("tests", [python, "-m", "pytest", "-q", "-n", "4", "-p", "no:cacheprovider", "tests/kernels"], 400),
        Step("checks", [python, "-m", "tests.device.checks", "cuda"], 300),
    ]
    for room in ROOMS:
        source, program = str(ROOT / "tests/csrc" / f"{room}_cuda_test.cpp"), str(made / f"{room}-test")
        building.append(Step(f"compile-{room}", [*compile_, source, "-o", program], 300))
        checking.append(Step(f"test-{room}", [program]))
        for tool in TOOLS:
            watched = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", program, "few"]
            checking.append(Step(f"{tool}-{room}", watched, 240))
    run, corpora = made / "results/runs/device/cman/main/seed1", made / "results/corpora"
    speed = ["speed", "kernels", "--device", "cuda", "--threads=1", "--seconds=0.2", "--no-compile", "--no-memory"]
    for kind, shapes in SHAPES.items():
        speed += [word for shape in shapes for word in (f"--{kind}", shape)]
    verb = [python, "-c", "from cman.cli.app import main; main()"]
    epoch = [python, "-m", "tests.device.epoch", "cuda", str(made)]
    features = str(made / "results/features")
    timed = [
        Step("speed", [*verb, *speed, "--output", str(folder / "kernels.csv")], 300),
        Step("times", [python, "-m", "tests.device.times", str(folder / "times.csv")]),
        Step("step", [python, "-m", "tests.device.step", "cuda", str(made / "step")]),
        Step("epoch", [*epoch, str(folder)], 200),
        Step("decoding", [*verb, "speed", "decoding", str(run), "--corpora", str(corpora), "--features", features,
                          "--rounds", "5", "--output", str(folder / "decoding.csv")]),
    ]  # fmt: skip
    return [building, checking, *([step] for step in timed)]


def run(step: Step, output: Path) -> str:
    """Run a step, a group of processes that ends with its limit; return what became of it."""
    began = time.perf_counter()
    with output.open("w") as file:
        file.write(f"$ {' '.join(step.command)}\n")
        file.flush()
        try:
            process = subprocess.Popen(
                step.command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            return f"could not start: {error.strerror}"
        try:
            code = process.wait(timeout=step.limit)
            outcome = "ok" if code == 0 else f"exit status {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            outcome = f"more than {step.limit} s"
    return f"{outcome}, {time.perf_counter() - began:.0f} s"


def main(folder: Path) -> int:
    """Run all steps; return how the process ends."""
    if (why := missing()) is not None:
        print(f"make gpu: found {why}, wanted {NEEDS}")
        return 1
    (folder / "made").mkdir(parents=True, exist_ok=True)
    lines: list[str] = []

    def done(step: Step) -> None:
        lines.append(f"{step.name}: {run(step, folder / f'{step.name}.txt')}")
        print(lines[-1], flush=True)
        (folder / "summary.txt").write_text("\n".join(lines) + "\n")

    for stage in stages(folder):
        with ThreadPoolExecutor(len(stage)) as pool:
            list(pool.map(done, stage))
    return 0 if all(": ok, " in line for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
