"""`cman speed kernels`: every operation at every shape, all contenders in the same rounds.

For each shape and number of threads: the inputs, the definition in float64, one call of each contender whose outputs
must agree with it, then the interleaved timing of those that do, and each one's memory in a process of its own, once a
shape. A contender that is not installed, fails or disagrees has a row that says so.
"""

import gc
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch

from cman.kernels import backend, reference
from cman.machine import available_device, processor
from cman.speed.compiling import Compiler, compiled_reference, fresh_cache
from cman.speed.contenders import COMPILED, OURS, contenders, release
from cman.speed.inputs import Inputs, make_inputs
from cman.speed.memory import Job, in_a_process
from cman.speed.operations import OPERATIONS, Call, Operation, Outputs, calls_of
from cman.speed.parity import describe, share_of_tolerance, truth
from cman.speed.peers import Contender
from cman.speed.plot import plot_rows
from cman.speed.rows import FAILED, MISSING, SKIPPED, TIMED, SpeedRow, write_rows
from cman.speed.shapes import Shape
from cman.speed.tables import Screen
from cman.speed.timing import Timing, interleave
from cman.style import FORMATS


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        seconds: time for each contender of an operation, shape and number of threads.
        compile_limit: seconds that one compilation of the definition may take; 0 compiles none.
        full: sentences without padding; else a CRF's lengths are uniform from L/4 to L.
    """

    threads: tuple[int, ...] = (1, 2)
    seconds: float = 1.0
    device: str = "cpu"
    compile_limit: float = 60.0
    memory: bool = True
    full: bool = False
    seed: int = 0


def speed_of_kernels(shapes: Sequence[Shape], options: Options, output: Path) -> list[SpeedRow]:
    """Measure, print, and write the CSV and beside it the figure; the CSV grows with every table that is printed.

    Raises:
        UsageError: a device that this machine does not have.
    """
    options = replace(options, device=available_device(options.device))
    rows: list[SpeedRow] = []
    before = torch.get_num_threads()
    with Screen() as screen, fresh_cache(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers: what they call is deprecated, and theirs to mend
        screen.line(f"kernels: {backend()}")
        screen.line(f"{_device(options)}, {processor()}, torch {torch.__version__}")
        for contender in contenders():
            if (why := contender.missing()) is not None:
                screen.line(f"missing: {contender.name} ({why})")
        try:
            compiler = Compiler(options.compile_limit)
            gc.collect()
            gc.freeze()  # the peers' own objects, which each later collection would go through
            for shape in shapes:
                for threads in options.threads:
                    torch.set_num_threads(threads)
                    measured = _shape(shape, threads, options, compiler, screen)
                    screen.table(f"{shape.name}, {threads} thread{'s' * (threads > 1)}", measured)
                    rows += measured
                    write_rows(output, rows)
        finally:
            gc.unfreeze()
            torch.set_num_threads(before)
        screen.line(f"{output}: {len(rows)} rows")
        plot_rows(rows, output.with_suffix(""))
        screen.line(f"{output.with_suffix('')}.{{{','.join(FORMATS)}}}: first number of threads")
    return rows


def _shape(shape: Shape, threads: int, options: Options, compiler: Compiler, screen: Screen) -> list[SpeedRow]:
    x = make_inputs(shape, options.seed, full=options.full).cast(options.device)
    lengths = "full" if options.full or shape.kind == "pairs" else "uniform from L/4"
    rows: list[SpeedRow] = []
    for operation in OPERATIONS.values():
        if operation.kind != shape.kind:
            continue
        screen.doing(f"{shape.name}, {operation.title}")
        job = Job(operation.name, "", shape.sizes, options.seed, options.full, options.device, threads)
        measured = _operation(operation, x, job, options, compiler)
        for row in measured:
            row.backend, row.device, row.processor = backend(), _device(options), processor()
            row.lengths, row.torch, row.seed, row.unit = lengths, torch.__version__, options.seed, operation.unit
        rows += measured
        gc.collect()
    return rows


def _operation(operation: Operation, x: Inputs, job: Job, options: Options, compiler: Compiler) -> list[SpeedRow]:
    """Return the rows of one operation: parity, then timing, then memory."""
    compiled = Contender(COMPILED, {operation.name: lambda x: calls_of(compiled_reference())[operation.name](x)})
    rows, calls = [], {}
    with torch.set_grad_enabled(operation.differentiated):
        exact = truth(operation.name, x, reference)
        for contender in (*contenders(), compiled):
            if operation.name not in contender.builds:
                continue
            row = SpeedRow(
                operation.name, "x".join(map(str, job.sizes)), job.threads, contender.name, release(contender.name)
            )
            rows.append(row)
            if (why := contender.missing()) is not None:
                row.status, row.note = MISSING, why
            elif contender.cpu_only and options.device != "cpu":
                row.status, row.note = SKIPPED, "runs on the CPU only"
            elif contender is compiled and (refused := compiler.refusal(job)) is not None:
                row.status, row.note = SKIPPED, refused
            elif (call := checked(contender, operation, x, exact, row)) is not None:
                calls[contender.name] = call
        del exact
        timings = interleave(calls, options.seconds, options.device)
    enter(rows, timings, x.items)
    if options.memory and job.threads == options.threads[0]:
        for row in rows:
            _memory(row, job)
    return rows


def checked(contender: Contender, operation: Operation, x: Inputs, exact: Outputs, row: SpeedRow) -> Call | None:
    """Return a contender's call if its outputs agree with the definition; else the row says why there is none."""
    try:
        call = contender.builds[operation.name](x)
        outputs = contender.outputs(operation.name, call(), x)
        row.parity = share_of_tolerance(operation.name, outputs, exact, x)
    except Exception as error:  # a contender may fail in any way; its row says which
        words = str(error).strip().splitlines()[:1] or [""]
        row.status, row.note = FAILED, f"{type(error).__name__}: {words[0][:160]}"
        return None
    if row.parity > 1:
        row.status, row.note = FAILED, describe(row.parity)
        return None
    return call


def enter(rows: Sequence[SpeedRow], timings: Mapping[str, Timing], items: int) -> None:
    """Write timings into their rows; the ratio is to our median in the same rounds."""
    ours = timings.get(OURS)
    for row in rows:
        timing = timings.get(row.contender)
        if timing is None:
            continue
        row.median_ms, row.min_ms, row.max_ms = (
            seconds * 1e3 for seconds in (timing.median, min(timing.seconds), max(timing.seconds))
        )
        row.q1_ms, row.q3_ms = (seconds * 1e3 for seconds in timing.quartiles)
        row.cold_ms = None if timing.cold_median is None else timing.cold_median * 1e3
        row.rounds, row.calls = len(timing.seconds), timing.calls
        if timing.cpu:
            row.cpu_median_ms, row.cpu_min_ms = median(timing.cpu) * 1e3, min(timing.cpu) * 1e3
        row.busy = "yes" if timing.waited else ""
        row.rate = items / timing.median / 1e6
        row.ratio = None if ours is None else timing.median / ours.median


def _memory(row: SpeedRow, job: Job) -> None:
    if row.status != TIMED:
        return
    if row.contender == COMPILED:
        row.remark("memory not measured: the compiler needs more than what it makes")
        return
    measured = in_a_process(replace(job, contender=row.contender, threads=1))
    if measured.peak is None:
        row.remark(measured.note)
    else:
        row.peak_mb = measured.peak / 2**20


def _device(options: Options) -> str:
    return torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
