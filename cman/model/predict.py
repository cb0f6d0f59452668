"""Predicting documents with a trained model, in batches of similar length, in the order given."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from cman.corpora.document import Document, read_documents, write_documents
from cman.errors import CmanError
from cman.features.batch import EncodedDocuments
from cman.features.cache import FeatureCache, Features
from cman.features.frozen import DocumentFeatures, open_encoder
from cman.files import write_json
from cman.kernels import KernelChoice, backend, use_kernels
from cman.layout import Layout
from cman.machine import available_device
from cman.model.annotate import BATCH_SIZE, annotate
from cman.model.copying import LabelCopies
from cman.model.decode import Dropped
from cman.model.folder import ModelFolder

log = logging.getLogger(__name__)


def predict(
    folder: ModelFolder,
    documents: Sequence[Document],
    cache: Features | None,
    device: torch.device,
    batch_size: int = BATCH_SIZE,
    copies: LabelCopies | None = None,
) -> list[Document]:
    """Return the documents with predicted entities and relations in the place of their own.

    Args:
        cache: features of the documents; None computes them now, if the model reads any.
        copies: counts the label copies, if they are wanted.

    Raises:
        CmanError: the cache or the encoder gives other features than the model was trained on.
    """
    features = cache
    if folder.pieces is not None and cache is not None:
        raise CmanError("features: found cached ones, wanted none: the model's own encoder is fine-tuned")
    if folder.encoder is None or folder.pieces is not None:
        features = None
    elif cache is None:
        encoder = open_encoder(folder.encoder, folder.settings.contextual.encoder, device, Layout())
        features = DocumentFeatures(encoder, documents)
    if features is not None and features.features.shape[1:] != folder.contextual:
        found = tuple(features.features.shape[1:])
        raise CmanError(
            f"contextual features: found {found} (layers, size), the model was trained on {folder.contextual}"
        )
    folder.model.to(device)
    given = folder.settings.ner.given
    anchor = folder.settings.rel.anchor
    encoded = EncodedDocuments(
        documents, folder.vocabulary, features, anchor, annotated=False, pieces=folder.pieces, given=given
    )
    dropped = Dropped()
    predicted = annotate(
        folder.model,
        encoded,
        confidences=not given,
        copies=copies,
        dropped=dropped,
        batch_size=batch_size,
    )
    log.info("%d documents; dropped %d relations within one entity", len(documents), dropped.inside_one)
    return predicted


def predict_file(
    model: Path,
    source: Path,
    target: Path,
    features: Path | None,
    device: str,
    threads: int | None,
    kernels: KernelChoice = "auto",
    copies: Path | None = None,
) -> None:
    """Predict a file of documents into another; arguments as for `cman predict`.

    Raises:
        CmanError: the model, the documents or the features are missing or malformed.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    use_kernels(kernels)
    folder = ModelFolder.load(model)
    documents = read_documents(source)
    cache = None if features is None else FeatureCache(features)
    log.info("kernels: %s", backend())
    counts = None if copies is None else LabelCopies()
    predicted = predict(folder, documents, cache, torch.device(available_device(device)), copies=counts)
    if copies is not None:
        write_json(copies, vars(counts))
    write_documents(target, predicted)
