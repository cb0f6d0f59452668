"""The gradients of a step on a GPU, recorded as CUDA graphs and replayed.

A step of this size is a thousand small kernels, which take several times as long to be queued one by one as to run.
A graph queues them at once, for tensors of fixed shapes at fixed places: there is one for each padded shape
(`shapes`), recorded when the first batch needs it. What fits none of them, such as the smaller batch at an epoch's end,
is computed call by call. Which way a batch goes depends on the documents and the seed alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from cman.config.settings import Settings
from cman.features.batch import Batch
from cman.kernels.library import compiled
from cman.model.cman import Cman
from cman.model.losses import JointLoss
from cman.model.multihead import MultiHead
from cman.model.output import Losses
from cman.training.shapes import Shape, ladder, padded, shape_of
from cman.training.step import add_gradients

WARM = 2  # calls before a recording: libraries choose their kernels and take their memory


def recordable(settings: Settings, device: torch.device) -> bool:
    """Return whether gradients of these settings can be recorded on a device.

    They cannot where a step asks the GPU for a number, or where something changes between steps that is no tensor.
    """
    label, rel = settings.label, settings.rel
    changes = label.source == "scheduled" and label.gold_start != label.gold_end
    asks = rel.scorer == "span" or rel.candidates == "entities" or rel.params == "per_relation" or rel.null_class
    plain = settings.crf.potential == "pairwise" or settings.encoder.trainable or settings.distil.teacher is not None
    known = device.type == "cuda" and settings.training.graphs
    return known and compiled(torch.empty(0, device=device)) and not (changes or asks or plain)


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    batch: Batch  # where the graph reads
    passes: list[Losses]  # where it writes


class RecordedGradients:
    """Computes what `add_gradients` does, for a model on a GPU.

    Args:
        batches: of an epoch, on the host; by their sizes the shapes are chosen.
        size: sentences of a batch.
    """

    def __init__(
        self, model: Cman | MultiHead, joint: JointLoss, settings: Settings, batches: Iterable[Batch], size: int
    ) -> None:
        self.model, self.joint, self.settings, self.size = model, joint, settings, size
        self.trained = [each for each in (*model.parameters(), *joint.parameters()) if each.requires_grad]
        self.device = self.trained[0].device
        self.shapes = ladder(batch for batch in batches if len(batch.lengths) == size)
        self._recordings: dict[Shape, _Recording] = {}
        self._stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()  # shared: one graph runs at a time

    def __call__(self, batch: Batch) -> list[Losses]:
        """Put the gradients of a batch of the host in the place of those that there are; return the losses.

        The losses stand where the next call writes.
        """
        shape = self.shape(batch)
        if shape is None:
            self._clear()
            return add_gradients(self.model, self.joint, batch.to(self.device), self.settings)
        given = padded(batch, shape)
        if shape not in self._recordings:
            self._recordings[shape] = self._record(given.to(self.device))
        recording = self._recordings[shape]
        for name, target in _tensors(recording.batch).items():
            target.copy_(getattr(given, name).pin_memory(), non_blocking=True)
        recording.graph.replay()
        return recording.passes

    def shape(self, batch: Batch) -> Shape | None:
        """Return the smallest shape that a batch is padded to; None if it is computed call by call."""
        own = shape_of(batch) if len(batch.lengths) == self.size else None
        return None if own is None else next((shape for shape in self.shapes if shape.holds(own)), None)

    def _record(self, batch: Batch) -> _Recording:
        random = torch.cuda.get_rng_state(self.device)  # put back: what is computed here draws none of the training's
        batch = replace(batch, **{name: tensor.clone() for name, tensor in _tensors(batch).items()})
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            for _ in range(WARM):
                self._gradients(batch)
        torch.cuda.current_stream(self.device).wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            passes = self._gradients(batch)
        torch.cuda.set_rng_state(random, self.device)
        return _Recording(graph, batch, passes)

    def _gradients(self, batch: Batch) -> list[Losses]:
        self._clear()
        return add_gradients(self.model, self.joint, batch, self.settings)

    def _clear(self) -> None:
        """Set the gradients to 0 where they are, for the graphs add to this memory."""
        gradients = []
        for each in self.trained:
            if each.grad is None:
                each.grad = torch.zeros_like(each)
            gradients.append(each.grad)
        torch._foreach_zero_(gradients)


def _tensors(batch: Batch) -> dict[str, Any]:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: each for name, each in values.items() if isinstance(each, Tensor)}
