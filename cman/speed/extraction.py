"""The rate of extraction from text, beside the rate of its contextual encoder alone, in turns within one process.

The encoder alone runs on the same sentences, as pieces made beforehand, twice: in the batches and on the worker threads
of extraction, one core a batch, and as PyTorch by itself would use the cores, all of them within each operation. No
pieces, no features and no CMAN are in its time; all of extraction, sentences and tokens included, is in the other's.
"""

import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from cman.errors import CmanError
from cman.extract.extractor import Extractor
from cman.extract.inputs import Input
from cman.extract.run import LONGEST_TEXT
from cman.extract.sentences import Given
from cman.extract.sources import sources_of
from cman.features.arithmetic import Precision
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.transformer.pieces import Windows
from cman.files import write_csv

log = logging.getLogger(__name__)

COLUMNS = ("contender", "threads", "sentences", "rounds", "seconds", "sentences_a_second", "share_of_it")

ROUNDS = 5


def speed_of_extraction(
    model: Path, source: Path, threads: int, output: Path, rounds: int = ROUNDS, precision: Precision = "auto"
) -> None:
    """Time a model on a file of texts, one a line, and write a CSV; see `cman speed extraction`.

    Raises:
        CmanError: the model or the file cannot be read.
    """
    entries = list(Input(sources_of([source], None), LONGEST_TEXT).records())
    texts = [record.given.text for record in entries if record.given is not None]
    if len(texts) < len(entries) or not any(texts):
        raise CmanError(f"{source}: found a line that cannot be read, or no text; wanted a text a line")
    extractor = Extractor.load(model, device="cpu", threads=threads, precision=precision)
    sentences = sum(len(result.sentences) for result in extractor.batch(texts))  # warms everything up, too
    contenders = {"extraction": lambda: extractor.batch(texts), **_encoder_alone(extractor, texts, threads)}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    rows = []
    full = statistics.median(seconds["extraction"])
    for name, values in seconds.items():
        median = statistics.median(values)
        cells = (name, threads, sentences, rounds, f"{median:.4f}", f"{sentences / median:.1f}", f"{median / full:.3f}")
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
        log.info(
            "%s: %.0f sentences/s; extraction has %.0f %% of that rate",
            name,
            sentences / median,
            100 * median / full,
        )
    write_csv(output, COLUMNS, rows)


def _encoder_alone(extractor: Extractor, texts: list[str], threads: int) -> dict[str, Callable[[], object]]:
    predictor = extractor.predictor
    encoder = predictor.encoder or predictor.model.inputs.encoder
    if not isinstance(encoder, TransformerEncoder):
        return {}
    workers = predictor.workers
    assert workers is not None  # on a CPU there are some
    every = [one for text in texts for one in extractor.sentences(Given("", text))]
    windows = [batch for _, batch in encoder.batches(every)]

    def alone(each: Windows) -> None:
        with torch.inference_mode():
            encoder.model(input_ids=each.ids, attention_mask=each.mask)

    def within_operations() -> None:
        torch.set_num_threads(threads)
        for each in windows:
            alone(each)

    return {
        "encoder alone, a core a batch": lambda: list(workers.map(alone, windows)),
        "encoder alone, all cores within an operation": within_operations,
    }
