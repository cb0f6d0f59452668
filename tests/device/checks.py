"""What `make gpu` asks of the operations beyond the tests; each check says in a line what it found.

    python -m tests.device.checks cuda

`cpu` as the device does what can be done there: the same shapes, two host threads, the gradient again.
"""

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from cman import kernels
from cman.kernels import reference
from cman.machine import deterministic
from cman.speed.inputs import CrfInputs, make_inputs
from cman.speed.operations import OPERATIONS, calls_of
from cman.speed.parity import share_of_tolerance, truth
from cman.speed.shapes import Shape
from cman.speed.timing import elapsed

SHAPES = 200
TAGS = (1, 2, 3, 4, 5, 9, 10, 17, 18, 25, 26, 32, 33, 64, 100)  # both sides of what kernels are compiled for
LABELS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 13, 25)
REPETITIONS = 20
REPEATED = (("crf", (64, 60, 9)), ("crf", (64, 60, 40)), ("pairs", (16, 60, 128, 6)), ("pairs", (4, 90, 40, 25)))
ROUNDING = 1e-5  # by which sums in another order may differ, of their largest value


def shapes(count: int, seed: int = 0) -> Iterator[Shape]:
    """Yield random shapes, half of each kind; few are large."""
    draw = random.Random(seed)

    def size(most: int) -> int:
        return 1 + int((most - 1) * draw.random() ** 3)

    for number in range(count):
        if number % 2:
            yield Shape("pairs", (size(6), size(70), size(150), draw.choice(LABELS)))
        else:
            yield Shape("crf", (size(50), 2 + size(60), draw.choice(TAGS)))


def random_shapes(device: str, count: int = SHAPES) -> str:
    """Compare every operation with the definition in float64 on random shapes."""
    worst, where, calls = 0.0, "", 0
    for number, shape in enumerate(shapes(count)):
        x = make_inputs(shape, number)
        for operation in OPERATIONS.values():
            if operation.kind != shape.kind:
                continue
            with torch.set_grad_enabled(operation.differentiated):
                exact = truth(operation.name, x, reference)
                outputs = calls_of(kernels)[operation.name](x.cast(device))()
            share = share_of_tolerance(operation.name, tuple(each.cpu() for each in outputs), exact, x)
            calls += 1
            if share > worst:
                worst, where = share, f"{operation.name} at {shape.name}"
            if share > 1:
                raise AssertionError(f"{operation.name} at {shape.name}: {share:.3g} times what is tolerated")
    return f"{count} shapes, {calls} calls; the largest difference is {worst:.3g} of what is tolerated ({where})"


def streams_and_threads(device: str, rounds: int = 50) -> str:
    """Let two host threads, each on a stream of its own, run small and large batches; nothing may change."""
    sizes = (("crf", (64, 60, 40)), ("crf", (8, 200, 9)), ("pairs", (8, 60, 128, 12)), ("pairs", (2, 20, 64, 4)))
    every = [make_inputs(Shape(kind, given)).cast(device) for kind, given in sizes]  # type: ignore[arg-type]
    expected = [_gradients(x) for x in every]
    wrong: list[str] = []

    def work(order: list[int]) -> None:
        stream = torch.cuda.stream(torch.cuda.Stream()) if device == "cuda" else contextlib.nullcontext()
        with stream:
            for number in order * rounds:
                for one, other in zip(_gradients(every[number]), expected[number], strict=True):
                    if _differ(one, other) > ROUNDING:
                        wrong.append(f"{sizes[number]}: {_differ(one, other):.3g}")

    if device == "cuda":
        torch.cuda.synchronize()
    threads = [threading.Thread(target=work, args=(order,)) for order in ([0, 1, 2, 3], [3, 1, 0, 2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise AssertionError(f"results changed: {wrong[:3]}")
    return f"two threads, {2 * rounds * len(sizes)} forward and backward passes: nothing changed"


def repeated_gradient(device: str) -> str:
    """Compute the same gradients again and again: the same bits on a CPU; on a GPU in deterministic mode."""
    free = _largest_change(device)
    with deterministic():
        held = _largest_change(device)
    if free > (ROUNDING if device == "cuda" else 0) or held > 0:
        raise AssertionError(f"gradients differ by {free:.3g} of their largest value, in deterministic mode {held:.3g}")
    return (
        f"{REPETITIONS} times: the largest difference is {free:.3g} of a gradient's largest value, "
        f"in deterministic mode {held:g}"
    )


def _largest_change(device: str) -> float:
    largest = 0.0
    for kind, sizes in REPEATED:
        x = make_inputs(Shape(kind, sizes)).cast(device)  # type: ignore[arg-type]
        first = _gradients(x)
        for _ in range(REPETITIONS - 1):
            largest = max(largest, *(_differ(a, b) for a, b in zip(_gradients(x), first, strict=True)))
    return largest


def graph(device: str) -> str:
    """Capture a forward and backward pass, replay it on other inputs, and compare with the plain call."""
    for kind, sizes in (("crf", (32, 40, 9)), ("pairs", (16, 40, 128, 6))):
        static, other = (make_inputs(Shape(kind, sizes), seed).cast(device) for seed in (0, 1))  # type: ignore[arg-type]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            _gradients(static)
        torch.cuda.current_stream().wait_stream(side)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            results = _gradients(static)
        for mine, theirs in zip(static.leaves, other.leaves, strict=True):
            mine.copy_(theirs)
        captured.replay()
        torch.cuda.synchronize()
        for one, expected in zip(results, _gradients(static), strict=True):
            if _differ(one, expected) > ROUNDING:
                raise AssertionError(f"{kind}: a replayed graph differs by {_differ(one, expected):.3g}")
    return "a CRF's loss and the pairs' cross-entropy, with gradients: replayed as computed"


def bandwidth(device: str) -> str:
    """Time a copy within the device's memory: the ceiling of whatever passes through memory once."""
    source = torch.empty(2**28, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    seconds = min(elapsed(lambda: target.copy_(source), 5, device) for _ in range(5))
    return f"copying {source.nbytes / 2**30:g} GiB: {2 * source.nbytes / seconds / 1e9:.0f} GB/s read and written"


def _gradients(x: Any) -> tuple[Tensor, ...]:
    name = "crf_nll_backward" if isinstance(x, CrfInputs) else "pair_bce_backward"
    with torch.enable_grad():
        return tuple(calls_of(kernels)[name](x)())


def _differ(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-12))


CHECKS: tuple[Callable[[str], str], ...] = (random_shapes, streams_and_threads, repeated_gradient)
ON_A_GPU: tuple[Callable[[str], str], ...] = (graph, bandwidth)


def main(device: str) -> int:
    """Run all checks; return how the process ends."""
    failed = 0
    print(f"kernels: {kernels.backend()}, {device}", flush=True)
    for check in CHECKS + (ON_A_GPU if device == "cuda" else ()):
        try:
            print(f"{check.__name__}: {check(device)}", flush=True)
        except Exception as error:
            failed += 1
            print(f"{check.__name__}: FAILED, {type(error).__name__}: {error}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
