"""From encoded documents to annotated ones: batches of similar length, the model, and decoding.

It is the one road that the evaluation of an epoch, `cman predict` and `cman extract` take, so that the same tokens get
the same annotations in all three.
"""

from concurrent.futures import Executor

import torch

from cman.corpora.document import Document
from cman.corpora.ranking import LEAST, Ranking
from cman.features.batch import EncodedDocuments
from cman.features.lengths import batches_by_length
from cman.model.calibration import Calibration
from cman.model.cman import Cman
from cman.model.copying import LabelCopies
from cman.model.decode import Dropped, decode_batch
from cman.model.members import Members
from cman.model.multihead import MultiHead

BATCH_SIZE = 32  # sentences
PADDED_TOKENS = 4096  # of a batch: bounds memory where sentences are long


def joint_threshold(model: Cman | MultiHead | Members) -> float | None:
    """Return what a relation's joint confidence must exceed; None where it is that of its pair (`rel.confidence`).

    Given entities (`ner.given`) are certain, so that there is nothing to join.
    """
    relations = model.relations
    return None if relations.settings.confidence == "pair" or model.settings.ner.given else relations.threshold


def annotate(
    model: Cman | MultiHead | Members,
    documents: EncodedDocuments,
    *,
    confidences: bool = True,
    copies: LabelCopies | None = None,
    dropped: Dropped | None = None,
    ranking: Ranking | None = None,
    calibration: Calibration | None = None,
    workers: Executor | None = None,
    batch_size: int = BATCH_SIZE,
) -> list[Document]:
    """Return the documents, in their order, with predicted entities and relations in the place of their own.

    The model is put into evaluation mode and left there. Where it is given the entities (`ner.given`), those of
    `documents` come back.

    Args:
        model: on the device where it is to run.
        documents: with the features that the model reads, or the pieces of the encoder that is part of it.
        confidences: False leaves out the entities' scores, which cost more than the decoding.
        copies: counts the label copies, if they are wanted.
        dropped: counts relations that no two entities carry, if they are wanted.
        ranking: gets each document's relations from `LEAST` up, if they are wanted; what is returned stays the same.
        calibration: of the scores; None leaves them as the model gives them.
        workers: see `cman.features.workers`; None computes one batch after another with all of PyTorch's threads.
    """
    model.eval()
    device = next(model.parameters()).device

    def annotated(indices: list[int]) -> tuple[list[Document], LabelCopies, Dropped, Ranking]:
        counted, lost, ranked = LabelCopies(), Dropped(), Ranking()
        with torch.inference_mode():
            batch = documents.batch(indices).to(device)
            prediction = model.predict(batch, None if ranking is None else LEAST)
            if copies is not None:
                counted.add(prediction, batch.lengths)
            decoded = decode_batch(
                prediction,
                [documents.documents[index] for index in indices],
                batch.lengths,
                documents.vocabulary,
                model.reported_crf,
                model.relations.settings,
                lost,
                confidences,
                ranked,
                joint_threshold(model),
            )
        if calibration is not None:
            decoded = [calibration.document(each) for each in decoded]
            ranked = {name: calibration.scored(relations) for name, relations in ranked.items()}
        return decoded, counted, lost, ranked

    batches = batches_by_length(documents.lengths.tolist(), rows=batch_size, padded=PADDED_TOKENS)
    result: dict[int, Document] = {}
    for indices, (decoded, counted, lost, ranked) in zip(
        batches, (map if workers is None else workers.map)(annotated, batches), strict=True
    ):
        result.update(zip(indices, decoded, strict=True))
        if copies is not None:
            copies.merge(counted)
        if dropped is not None:
            dropped.inside_one += lost.inside_one
        if ranking is not None:
            ranking.update(ranked)
    return [result[index] for index in range(len(documents))]
