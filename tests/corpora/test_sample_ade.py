"""The sample corpus of ADE: an archive that the reader of the real one reads, with the traps of the real one."""

import hashlib
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from cman.corpora.ade import DRUG, EFFECT, read_ade
from cman.corpora.folds import Grouped
from cman.corpora.overlap import has_overlap
from cman.corpora.samples.ade import GRAMMAR, NAME_RULES, RULES, TYPES, write_ade_sample
from cman.errors import UsageError

# SHA-256 of what the first fifty sentences of seed 1 say; a change of the grammar changes it.
FIRST_FIFTY = "f6ed1c09c83de2b2bc786fdc263309ccdc393ff31de2584e82d2537d370c78ef"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Grouped]:
    path = tmp_path_factory.mktemp("sample") / "ade.zip"
    write_ade_sample(path, 1500, seed=1)
    return read_ade(path)


def test_every_rule_of_the_grammar_leads_somewhere():
    for alternatives in RULES.values():
        for alternative in alternatives:
            for piece in alternative.pieces:
                assert piece.sort == "word" or piece.name in (RULES if piece.sort == "#" else TYPES), piece
    assert set(TYPES) - {"compound"} <= NAME_RULES.keys()
    assert all(f"@{kind}" in GRAMMAR for kind in TYPES)


def test_sentences_differ_as_those_of_the_real_corpus_do(corpus):
    documents = [item.document for item in corpus]
    assert len(documents) == 1500
    assert {entity.type for document in documents for entity in document.entities} == {EFFECT, DRUG}
    assert all(document.relations for document in documents)
    assert all(document.entities[link.head].type == EFFECT for document in documents for link in document.relations)
    assert 0.02 < sum(map(has_overlap, documents)) / 1500 < 0.15
    assert 0.1 < sum(len(document.relations) > 1 for document in documents) / 1500 < 0.5
    lengths = sorted(len(document.tokens) for document in documents)
    assert lengths[0] < 8 and 12 < lengths[750] < 24 and lengths[-1] > 30


def test_abstracts_have_one_to_six_sentences(corpus):
    sizes = Counter(Counter(item.group for item in corpus).values())
    assert set(sizes) <= set(range(1, 7)) and len(sizes) >= 4


def test_drugs_and_diseases_that_have_no_relation_are_not_annotated(corpus):
    annotated = {document.tokens[entity.start] for document in (item.document for item in corpus)
                 for entity in document.entities if entity.type == DRUG}  # fmt: skip
    unannotated = 0
    for item in corpus:
        covered = {place for entity in item.document.entities for place in range(entity.start, entity.end)}
        bare = [token for place, token in enumerate(item.document.tokens) if place not in covered]
        unannotated += len(annotated.intersection(bare))
    assert unannotated > 100


def test_most_drugs_occur_once(corpus):
    names = Counter(" ".join(item.document.tokens[entity.start : entity.end]) for item in corpus
                    for entity in item.document.entities if entity.type == DRUG)  # fmt: skip
    assert sum(count == 1 for count in names.values()) > len(names) / 2


def test_the_same_request_gives_the_same_bytes_and_another_seed_another_corpus(tmp_path):
    for name, seed in (("one.zip", 1), ("again.zip", 1), ("other.zip", 2)):
        write_ade_sample(tmp_path / name, 50, seed)
    assert len({(tmp_path / name).read_bytes() for name in ("one.zip", "again.zip")}) == 1
    assert (tmp_path / "one.zip").read_bytes() != (tmp_path / "other.zip").read_bytes()
    # Of the content, because the packed bytes may differ between versions of zlib.
    said = "\n".join(str(item.document.to_json()) for item in read_ade(tmp_path / "one.zip"))
    assert hashlib.sha256(said.encode()).hexdigest() == FIRST_FIFTY


def test_more_sentences_keep_the_first_ones(tmp_path, corpus):
    write_ade_sample(tmp_path / "few.zip", 40, seed=1)
    assert read_ade(tmp_path / "few.zip") == corpus[:40]


def test_writing_many_sentences_takes_no_more_memory_than_writing_few(tmp_path):
    def peak(sentences: int) -> int:
        tracemalloc.start()
        write_ade_sample(tmp_path / "sample.zip", sentences, seed=1)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(10)
    assert peak(3000) < 2 * peak(300)


@pytest.mark.parametrize("sentences", [0, 100_000_001])
def test_an_impossible_size_is_refused(tmp_path, sentences):
    with pytest.raises(UsageError, match=f"found {sentences}"):
        write_ade_sample(tmp_path / "sample.zip", sentences, 1)
    assert not list(Path(tmp_path).iterdir())
