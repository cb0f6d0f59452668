"""A model folder in use: documents in, documents with predicted entities and relations out.

`cman predict` and `cman extract` both stand on `Predictor`, which finds the contextual features that a model reads; the
rest of the road is `cman.model.annotate`.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import torch

from cman.corpora.document import Document, read_documents, write_documents
from cman.corpora.ranking import Ranking, write_ranking
from cman.errors import CmanError
from cman.features.arithmetic import COSTS, Precision, check_precision, refuse_precision
from cman.features.batch import EncodedDocuments
from cman.features.cache import FeatureCache, Features
from cman.features.frozen import DocumentFeatures, FrozenEncoder, encoder_hashes, open_encoder
from cman.features.identity import check_identity
from cman.features.layers import check_layers
from cman.features.workers import one_core_each
from cman.files import write_json
from cman.kernels import KernelChoice, backend, use_kernels
from cman.layout import Layout
from cman.machine import available_device
from cman.manifest import list_file
from cman.model.annotate import BATCH_SIZE, annotate
from cman.model.copying import LabelCopies
from cman.model.decode import Dropped
from cman.model.folder import ELSEWHERE, ModelFolder
from cman.model.raw_text import predict_text, tokenizer_of

log = logging.getLogger(__name__)


class Predictor:
    """A model on a device, with the frozen encoder that it reads, if it does.

    Args:
        folder: the model; it is moved to `device`.
        workers: see `one_core_each`; None computes one batch after another with all of PyTorch's threads.
        precision: of the frozen encoder, where features are computed; see `cman.features.arithmetic`.

    Raises:
        UsageError: a precision that the model's encoder does not know, or no precision at all.
    """

    def __init__(
        self,
        folder: ModelFolder,
        device: torch.device,
        workers: Executor | None = None,
        precision: Precision = "float32",
    ) -> None:
        check_precision(precision)
        if folder.encoder is None or folder.pieces is not None:
            refuse_precision(precision, "the model reads no frozen encoder")
        self.folder, self.device, self.workers, self.precision = folder, device, workers, precision
        self.model = folder.model.to(device).eval()
        self._encoder: FrozenEncoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_encoder": None}  # it is loaded again where it is needed

    @property
    def encoder(self) -> FrozenEncoder | None:
        """The frozen encoder, loaded when a text first needs it, which takes seconds; None for a model without one.

        Raises:
            CmanError: it cannot be found or loaded, or is not the one that the model was trained with.
        """
        folder = self.folder
        if self._encoder is None and folder.encoder is not None and folder.pieces is None:
            name = folder.settings.contextual.encoder
            try:
                files = encoder_hashes(folder.encoder, name, Layout())
            except CmanError as error:
                raise CmanError(f"{error}; where it stands on this machine, --encoder or {ELSEWHERE} says") from None
            if folder.identity is not None:  # before a damaged file reaches a library that reads it
                check_identity(folder.identity | {"files": files}, folder.identity, f"encoders.{name}")
            self._encoder = open_encoder(folder.encoder, name, self.device, Layout(), self.precision)
            check_identity(self._encoder.identity(), folder.identity, f"encoders.{name}")
            log.info("encoder: products in %s%s", self._encoder.arithmetic, COSTS.get(self._encoder.arithmetic, ""))
        return self._encoder

    def predict(
        self,
        documents: Sequence[Document],
        features: Features | None = None,
        copies: LabelCopies | None = None,
        dropped: Dropped | None = None,
        ranking: Ranking | None = None,
        batch_size: int = BATCH_SIZE,
        confidences: bool = True,
    ) -> list[Document]:
        """Return the documents with predicted entities and relations in the place of their own; ids must be unique.

        Args:
            features: cached ones of the documents; None computes them now, if the model reads any.
            copies, dropped, ranking, batch_size, confidences: see `annotate`; given entities never have any.

        Raises:
            CmanError: the features are not those that the model was trained on.
        """
        if not documents:
            return []
        if features is None and self.encoder is not None:
            layers = self.folder.settings.contextual.layers
            features = DocumentFeatures(self.encoder, documents, self.workers, layers)
        return annotate(
            self.model,
            self._encoded(documents, features),
            confidences=confidences and not self.folder.settings.ner.given,
            copies=copies,
            dropped=dropped,
            ranking=ranking,
            calibration=self.folder.calibration,
            workers=self.workers,
            batch_size=batch_size,
        )

    def _encoded(self, documents: Sequence[Document], features: Features | None) -> EncodedDocuments:
        folder = self.folder
        if folder.pieces is not None and features is not None:
            raise CmanError("features: found cached ones, wanted none: the model's own encoder is fine-tuned")
        if folder.encoder is None:
            features = None
        if features is not None:
            if (shape := (features.layers, features.size)) != folder.contextual:
                raise CmanError(
                    f"contextual features: found {shape} (layers, size), the model was trained on {folder.contextual}"
                )
            check_layers(features.kept, folder.settings.contextual.layers, "contextual features")
        anchor, given = folder.settings.rel.anchor, folder.settings.ner.given
        return EncodedDocuments(
            documents, folder.vocabulary, features, anchor, annotated=False, pieces=folder.pieces, given=given
        )


def predict(
    folder: ModelFolder,
    documents: Sequence[Document],
    features: Features | None,
    device: torch.device,
    batch_size: int = BATCH_SIZE,
    confidences: bool = True,
) -> list[Document]:
    """Return predicted documents, one batch after another with PyTorch's own threads; see `Predictor.predict`."""
    return Predictor(folder, device).predict(documents, features, batch_size=batch_size, confidences=confidences)


def predict_file(
    model: Path,
    source: Path,
    target: Path,
    features: Path | None,
    device: str,
    threads: int | None,
    kernels: KernelChoice = "auto",
    copies: Path | None = None,
    ranking: Path | None = None,
    trust: bool = False,
    elsewhere: Path | None = None,
    text: Path | None = None,
    precision: Precision = "float32",
) -> None:
    """Predict a file of documents into another; arguments as for `cman predict`.

    Raises:
        CmanError: the model, the documents or the features are missing or malformed.
        UsageError: text is to be read, and it cannot be; see `tokenizer_of`.
    """
    use_kernels(kernels)
    folder = ModelFolder.load(model, trust, elsewhere)
    tokenizer = None if text is None else tokenizer_of(folder)
    documents = read_documents(source, annotated=folder.settings.ner.given)
    cache = None if features is None else FeatureCache(features)
    if cache is not None and folder.encoder is not None:
        check_identity(cache.encoder, folder.identity, str(features))
    log.info("kernels: %s", backend())
    counts = None if copies is None else LabelCopies()
    dropped = Dropped()
    where = torch.device(available_device(device))
    predictor = Predictor(folder, where, one_core_each(where, threads), precision)
    ranked = None if ranking is None else Ranking()
    predicted = predictor.predict(documents, cache, counts, dropped, ranked)
    log.info("%d documents; dropped %d relations within one entity", len(documents), dropped.inside_one)
    if copies is not None:
        write_json(copies, vars(counts))
    if ranking is not None and ranked is not None:
        write_ranking(ranking, ranked)
    if text is not None and tokenizer is not None:
        write_documents(text, predict_text(predictor, documents, predicted, tokenizer))
    write_documents(target, predicted)
    for path in (copies, ranking, text, target):
        if path is not None:
            list_file(path)
