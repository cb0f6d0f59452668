"""From documents to padded tensors."""

import re

import numpy as np
import pytest
import torch

from cman.corpora.document import Document, Entity, Relation
from cman.errors import CmanError
from cman.features.batch import EncodedDocuments
from cman.features.vocabulary import Vocabulary

DOCUMENTS = [
    Document(
        "a",
        ("New", "York", "and", "Ada", "and", "Ada"),
        (Entity("Loc", 0, 2), Entity("Peop", 3, 4)),
        (Relation("In", 1, 0), Relation("Of", 0, 1), Relation("In", 1, 0)),
    ),
    Document("b", ("Ada",)),
    Document(
        "c", ("Bo", "and", "extraordinarily"), (Entity("Peop", 0, 1), Entity("Loc", 2, 3)), (Relation("In", 0, 1),)
    ),
]
VOCABULARY = Vocabulary.of(DOCUMENTS)


class FeatureRows:
    """Features whose value tells the row; document `c` comes first."""

    features = np.arange(10 * 2 * 3, dtype=np.float16).reshape(10, 2, 3)

    def rows(self, document: Document) -> int:
        return {"c": 0, "a": 3, "b": 9}[document.id]


def encoded(documents=DOCUMENTS, cache=None, **options) -> EncodedDocuments:
    return EncodedDocuments(documents, VOCABULARY, cache, **options)


def spelled(batch, vocabulary=VOCABULARY) -> list[list[str]]:
    """The words of a batch, read back from their characters."""
    forms = ["".join(vocabulary.chars[char] for char in row if char) for row in batch.chars.tolist()]
    return [
        [forms[form] for form in row[:n]] for row, n in zip(batch.forms.tolist(), batch.lengths.tolist(), strict=True)
    ]


def test_words_and_tags_are_ids_padded_with_zero():
    batch = encoded().batch([0, 1, 2])
    assert batch.lengths.tolist() == [6, 1, 3]
    words = [
        [VOCABULARY.words[word] for word in row[:n]] for row, n in zip(batch.words.tolist(), (6, 1, 3), strict=True)
    ]
    assert words == [list(document.tokens) for document in DOCUMENTS]
    tags = [[VOCABULARY.tags[tag] for tag in row] for row in batch.tags.tolist()]
    assert tags[0][:6] == ["B-Loc", "I-Loc", "O", "B-Peop", "O", "O"]
    assert tags[2][:4] == ["B-Peop", "O", "B-Loc", "O"]
    assert not batch.words[1, 1:].any() and not batch.tags[1, 1:].any()


@pytest.mark.parametrize("indices", [[0, 1, 2], [2, 0], [1], [1, 1]], ids=str)
def test_forms_point_at_the_characters_of_the_batchs_own_different_words(indices):
    batch = encoded().batch(indices)
    tokens = [list(DOCUMENTS[index].tokens) for index in indices]
    assert spelled(batch) == tokens
    different = {token for row in tokens for token in row}
    assert len(batch.chars) == len(different)
    assert batch.chars.shape[1] == max(map(len, different)), (
        "padded to the longest form of this batch, not of the corpus"
    )


def test_forms_stand_in_groups_of_similar_length_whose_sizes_the_host_knows():
    tokens = ("a" * 7, "bb", "c" * 64, "d" * 65, "ee", "f" * 6, "g" * 900)
    batch = encoded([Document("a", tokens), Document("b", ("bb",))], annotated=False).batch([0, 1])
    assert batch.groups == ((3, 6), (2, 64), (2, 900))
    assert [int((row > 0).sum()) for row in batch.chars] == [2, 2, 6, 7, 64, 65, 900]
    assert encoded([Document("a", tokens), Document("b", ("bb",))], annotated=False).batch([1]).groups == ((1, 2),)


def test_documents_come_in_the_order_asked_for_in_tensors_that_hold_the_longest():
    batch = encoded().batch([2, 1])
    assert batch.words.shape == batch.forms.shape == batch.tags.shape
    assert len(batch.words) == 2 and batch.words.shape[1] >= 3
    assert spelled(batch) == [["Bo", "and", "extraordinarily"], ["Ada"]]


def test_contextual_features_are_the_documents_rows_and_zero_in_the_padding():
    batch = encoded(cache=FeatureRows()).batch([1, 0, 2])
    assert batch.contextual.shape == (3, batch.words.shape[1], 2, 3) and batch.contextual.dtype == torch.float16
    assert torch.equal(batch.contextual[0, 0], torch.from_numpy(FeatureRows.features[9]))
    assert torch.equal(batch.contextual[1, :6], torch.from_numpy(FeatureRows.features[3:9]))
    assert torch.equal(batch.contextual[2, :3], torch.from_numpy(FeatureRows.features[:3]))
    assert not any(batch.contextual[row, n:].any() for row, n in enumerate((1, 6, 3)))


def test_without_a_cache_there_are_no_contextual_features():
    assert encoded().batch([0]).contextual is None


@pytest.mark.parametrize(("anchor", "york"), [("last", 1), ("first", 0)])
def test_relations_link_the_anchors_once_each(anchor, york):
    batch = encoded(anchor=anchor).batch([1, 0, 2])
    kinds = VOCABULARY.relation_ids
    assert batch.relations.tolist() == [[1, york, 3, kinds["Of"]], [1, 3, york, kinds["In"]], [2, 0, 2, kinds["In"]]]


def test_a_batch_without_relations_has_none():
    relations = encoded().batch([1]).relations
    assert relations.shape == (0, 4) and relations.dtype == torch.int64


def test_unannotated_documents_may_hold_types_that_the_vocabulary_lacks():
    strange = Document("a", ("x", "y"), (Entity("New", 0, 1), Entity("Newer", 1, 2)), (Relation("Odd", 0, 1),))
    batch = encoded([strange], annotated=False).batch([0])
    assert not batch.tags.any() and batch.relations.shape == (0, 4)


def test_unknown_words_and_characters_have_their_ids():
    batch = encoded([Document("a", ("ζ", "New"))]).batch([0])
    assert batch.words[0, 0] == 0 and batch.words[0, 1] == VOCABULARY.word_ids["New"]
    assert batch.chars[batch.forms[0, 0]].tolist() == [1, 0, 0]


def test_overlapping_entities_are_refused_by_the_documents_name():
    document = Document("odd", ("New", "York"), (Entity("Loc", 0, 2), Entity("Loc", 1, 2)))
    with pytest.raises(CmanError, match=r"document odd: the entity Loc at tokens 1 to 2 overlaps"):
        encoded([document])


def test_overlapping_entities_of_unannotated_documents_do_not_matter():
    document = Document("odd", ("New", "York"), (Entity("Loc", 0, 2), Entity("Loc", 1, 2)))
    assert len(encoded([document], annotated=False)) == 1


def test_a_document_that_the_cache_lacks_is_refused():
    class Lacking(FeatureRows):
        def rows(self, document: Document) -> int:
            raise CmanError(f"has no features of document {document.id!r}")

    with pytest.raises(CmanError, match=re.escape("document 'a'")):
        encoded(cache=Lacking())


def test_a_batch_moves_to_a_device_as_a_whole():
    batch = encoded(cache=FeatureRows()).batch([0, 1])
    moved = batch.to(torch.device("meta"))
    assert all(value.device.type == "meta" for value in vars(moved).values() if isinstance(value, torch.Tensor))
    assert moved.groups == batch.groups
    assert encoded().batch([0]).to(torch.device("cpu")).contextual is None
