"""The sample corpus of DREC: files that the reader of the real one reads, with the traps of the real one."""

import hashlib
import tracemalloc
from collections import Counter

import pytest

from cman.corpora.document import ROOT, Document
from cman.corpora.drec import read_drec
from cman.corpora.samples.drec import NAME_RULES, RULES, TYPES, write_drec_sample
from cman.errors import UsageError

# SHA-256 of the first fifty training advertisements of seed 1; a change of the grammar changes it.
FIRST_FIFTY = "6c06b928290a3cb6561868f3a38227407dce0461b9cd0dd9bbbac39f602a7f41"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    path = tmp_path_factory.mktemp("sample") / "train.tsv"
    write_drec_sample(path, "train", 800, seed=1)
    warnings: list[str] = []
    documents = read_drec(path, warnings)
    assert warnings == []
    return documents


def test_every_rule_of_the_grammar_leads_somewhere():
    for alternatives in RULES.values():
        for alternative in alternatives:
            for piece in alternative.pieces:
                assert piece.sort == "word" or piece.name in (RULES if piece.sort == "#" else TYPES), piece
    assert TYPES.keys() <= NAME_RULES.keys()


def test_advertisements_have_the_nine_types_both_relations_and_a_root(corpus):
    types = Counter(entity.type for document in corpus for entity in document.entities)
    assert set(types) == {ROOT, *TYPES.values()} and len(TYPES) == 9
    assert types[ROOT] == len(corpus)
    assert all(document.entities[0].is_root for document in corpus)
    assert {link.type for document in corpus for link in document.relations} == {"Part-of", "Equivalent"}
    assert all(any(link.tail == 0 for link in document.relations) for document in corpus)
    assert not any(link.head == 0 for document in corpus for link in document.relations)


def test_advertisements_are_long_and_dense_and_some_tokens_have_several_heads(corpus):
    lengths = sorted(len(document.tokens) for document in corpus)
    assert 45 < lengths[400] < 90 and lengths[-1] > 90
    assert sum(len(document.relations) for document in corpus) / len(corpus) > 8
    several = [document for document in corpus
               if max(Counter(link.head for link in document.relations).values()) > 1]  # fmt: skip
    assert len(several) > 50


def test_splits_and_seeds_differ_and_the_same_request_gives_the_same_file(tmp_path):
    for name, split, seed in (("a", "train", 1), ("b", "train", 1), ("c", "dev", 1), ("d", "train", 2)):
        write_drec_sample(tmp_path / name, split, 50, seed)
    contents = [(tmp_path / name).read_bytes() for name in "abcd"]
    assert contents[0] == contents[1] and len(set(contents)) == 3
    assert hashlib.sha256(contents[0]).hexdigest() == FIRST_FIFTY


def test_advertisements_are_written_one_by_one_and_not_gathered(tmp_path):
    path = tmp_path / "train.tsv"
    write_drec_sample(path, "train", 10, seed=1)
    tracemalloc.start()
    write_drec_sample(path, "train", 1000, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 4


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(UsageError, match="found 'all', wanted one of train, dev, test"):
        write_drec_sample(tmp_path / "all.tsv", "all", 1, 1)
