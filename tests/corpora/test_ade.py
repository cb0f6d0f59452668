"""The reader of DRUG-AE.rel on lines written by hand, and on the real archive where the mirror has it."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from cman.corpora.ade import ARCHIVE, read_ade, read_relations
from cman.corpora.document import Entity, Relation
from cman.corpora.folds import Grouped, spert_folds
from cman.corpora.overlap import has_overlap, keep_longest, reduced
from cman.errors import CmanError
from cman.layout import FOLDS

SENTENCE = "Severe rash and fever after lithium; the rash of lithium toxicity resolved."
SHIFT = 100
AE, DRUG = "Adverse-Effect", "Drug"


def line(effect: str, at: int, drug: str, drug_at: int, sentence: str = SENTENCE, abstract: str = "77") -> str:
    """One line of the file; the places are those in the sentence."""
    begin, drug_begin = SHIFT + at, SHIFT + drug_at
    return f"{abstract}|{sentence}|{effect}|{begin}|{begin + len(effect)}|{drug}|{drug_begin}|{drug_begin + len(drug)}"


def read(*lines: str) -> list[Grouped]:
    return read_relations(lines, "x.rel")


def refused(*lines: str) -> str:
    with pytest.raises(CmanError) as error:
        read(*lines)
    return str(error.value)


# ---- what a line says


def test_lines_of_a_sentence_become_one_document_with_offsets_into_its_text():
    (found,) = read(line("Severe rash", 0, "lithium", 28), line("fever", 16, "lithium", 28))
    document = found.document
    assert (found.group, document.id, document.text) == ("77", "0", SENTENCE)
    assert document.tokens[:8] == ("Severe", "rash", "and", "fever", "after", "lithium", ";", "the")
    assert document.offsets is not None
    assert [SENTENCE[start:end] for start, end in document.offsets] == list(document.tokens)
    assert document.entities == (Entity(AE, 0, 2), Entity(DRUG, 5, 6), Entity(AE, 3, 4))
    assert document.relations == (Relation(AE, 0, 1), Relation(AE, 2, 1))


def test_a_text_that_occurs_twice_is_placed_by_the_other_mentions_of_its_sentence():
    (found,) = read(line("rash", 41, "lithium", 49))
    assert found.document.entities == (Entity(AE, 8, 9), Entity(DRUG, 10, 11))
    (found,) = read(line("rash", 7, "lithium", 28))
    assert found.document.entities == (Entity(AE, 1, 2), Entity(DRUG, 5, 6))


def test_an_effect_may_contain_its_drug():
    (found,) = read(line("lithium toxicity", 49, "lithium", 49))
    assert found.document.entities == (Entity(AE, 10, 12), Entity(DRUG, 10, 11))
    assert has_overlap(found.document)


def test_blanks_around_a_mention_count_for_its_offset_and_not_for_its_text():
    (found,) = read(f"77|{SENTENCE}| fever |{SHIFT + 15}|{SHIFT + 22}|lithium|{SHIFT + 28}|{SHIFT + 35}")
    assert found.document.entities[0] == Entity(AE, 3, 4)


def test_sentences_are_numbered_in_order_of_appearance_and_the_same_text_in_two_abstracts_is_two():
    first, again, other = line("fever", 16, "lithium", 28), line("fever", 16, "lithium", 28, abstract="78"), \
        line("Severe rash", 0, "lithium", 28)  # fmt: skip
    found = read(first, again, other)
    assert [(item.document.id, item.group) for item in found] == [("0", "77"), ("1", "78")]
    assert len(found[0].document.relations) == 2


# ---- what is refused


MALFORMED = [
    (f"77|{SENTENCE}|fever|116|122|lithium|128|135", "field effect end: found 116 to 122, wanted 116 to 121"),
    (f"77|{SENTENCE}|fever|116|121|lithium|128|134", "field drug end: found 128 to 134, wanted 128 to 135"),
    (
        f"77|{SENTENCE}|fever|117|122|lithium|128|135",
        "field drug begin: found 128 for 'lithium', which does not fit",
    ),
    (f"77|{SENTENCE}|nausea|116|122|lithium|128|135", "field effect: found 'nausea', which does not stand in"),
    (f"77|{SENTENCE}|feve|116|120|lithium|128|135", "field effect: found 'feve', which begins or ends inside of a"),
    (f"77|{SENTENCE}|fever|x|121|lithium|128|135", "field effect begin: found 'x', wanted a whole number"),
    (f"77|{SENTENCE}|fever|116|121|lithium|-28|135", "field drug begin: found '-28', wanted a whole number"),
    (f"77|{SENTENCE}|fever|116|121|lithium|128", "found 7 fields, wanted 8 (PubMed id, sentence, effect"),
    (f"77|{SENTENCE}| |116|117|lithium|128|135", "field effect: found nothing"),
    (f"|{SENTENCE}|fever|116|121|lithium|128|135", "field PubMed id: found nothing"),
    ("", "found 1 fields"),
]


def test_a_malformed_line_is_named_with_field_found_and_wanted():
    for changed, message in MALFORMED:
        said = refused(line("Severe rash", 0, "lithium", 28, abstract="76"), changed)
        assert said.startswith("x.rel: line 2: ") and message in said


def test_a_line_that_does_not_fit_the_others_of_its_sentence_is_named():
    wrong = f"77|{SENTENCE}|fever|{SHIFT + 17}|{SHIFT + 22}|lithium|{SHIFT + 28}|{SHIFT + 35}"
    assert refused(line("Severe rash", 0, "lithium", 28), wrong).startswith(
        "x.rel: line 2: field effect begin: found 117"
    )


def test_mentions_that_fit_two_places_are_refused():
    sentence = "rash by lithium ; rash by lithium"
    assert "fit 2 places of the sentence" in refused(line("rash", 0, "lithium", 8, sentence))


def test_the_same_relation_twice_is_refused():
    same = line("fever", 16, "lithium", 28)
    assert "line 2: found the same effect and drug a second time" in refused(same, same)


def test_a_file_without_a_line_is_refused():
    assert "found no line" in refused()


# ---- the real corpus


@pytest.fixture(scope="module")
def mirror() -> Path:
    folder = Path(os.environ.get("CMAN_MIRROR") or "/nonexistent")
    if not (folder / ARCHIVE.name).is_file():
        pytest.skip("CMAN_MIRROR names no folder with the real corpora")
    return folder


@pytest.fixture(scope="module")
def real(mirror: Path) -> list[Grouped]:
    return read_ade(mirror / ARCHIVE.name)


def test_the_real_corpus_has_the_known_counts(real):
    entities = Counter(entity.type for item in real for entity in item.document.entities)
    assert len(real) == 4272
    assert len({item.group for item in real}) == 1644
    assert entities == {AE: 5776, DRUG: 5063}
    assert sum(len(item.document.relations) for item in real) == 6821
    lengths = [len(item.document.tokens) for item in real]
    assert (sum(lengths), max(lengths)) == (90714, 97)
    assert sum(has_overlap(item.document) for item in real) == 119


# Sentences, entities, relations, sentences that still overlap.
POLICIES = {
    "keep_longest": (4272, 10719, 6627, 0),
    "drop_sentences": (4153, 10477, 6552, 0),
    "drop_relations": (4220, 10679, 6701, 12),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_leaves_the_known_counts_of_the_real_corpus(real, policy):
    left = [found for item in real if (found := reduced(item.document, policy)) is not None]
    counts = (len(left), sum(len(item.entities) for item in left), sum(len(item.relations) for item in left))
    assert (*counts, sum(map(has_overlap, left))) == POLICIES[policy]
    assert not any(has_overlap(keep_longest(item)) for item in left)


def test_all_documents_equal_the_public_fold_files_in_tokens_entities_and_relations(real, mirror):
    by_id = {item.document.id: item.document.to_json() for item in real}
    seen = 0
    for number in range(len(FOLDS)):
        for expected in json.loads((mirror / f"ade/folds/ade_split_{number}_test.json").read_text()):
            found = by_id[str(expected.pop("orig_id"))]
            assert {key: found[key] for key in expected} == expected
            seen += 1
    assert seen == len(by_id) == 4272


def test_the_folds_are_the_public_ones(real, mirror):
    folds = spert_folds(len(real))
    for number in range(len(FOLDS)):
        public = json.loads((mirror / f"ade/folds/ade_split_{number}_test.json").read_text())
        assert {item["orig_id"] for item in public} == {place for place, fold in enumerate(folds) if fold == number}
