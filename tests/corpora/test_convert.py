"""Documents go from one format into another and back; what a format cannot hold is told."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from documents import annotations
from hypothesis import given

from cman.config.corpora import Conll04, Corpus
from cman.config.own import Own
from cman.corpora.conll04 import read_spert
from cman.corpora.convert import convert_file
from cman.corpora.document import Document, Entity, Relation, read_documents, write_documents
from cman.corpora.formats import split_format
from cman.errors import CmanError, UsageError

ADA = Document("1", ("Ada", "in", "Orm"), (Entity("Peop", 0, 1), Entity("Loc", 2, 3)), (Relation("Live_In", 0, 1),))


def read(corpus: Corpus, folder: Path) -> dict[str, list[Document]]:
    return split_format(corpus).read(corpus, folder, [])


def through(folder: Path, document: Document, form: str, lossy: bool = False) -> Document:
    """Return a document converted to a format and back."""
    write_documents(folder / "a.jsonl", [document])
    convert_file("jsonl", form, folder / "a.jsonl", folder / "b", None, "en", lossy)
    convert_file(form, "jsonl", folder / "b", folder / "c.jsonl", None, "en", False)
    (found,) = read_documents(folder / "c.jsonl")
    return found


@given(annotations())
def test_spert_holds_everything(found):
    with tempfile.TemporaryDirectory() as folder:
        document = Document("x", tuple("abcdef"), *found)
        assert through(Path(folder), document, "spert") == document


@given(annotations())
def test_five_columns_hold_what_is_left_after_a_lossy_conversion_exactly(found):
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        left = through(Path(first), Document("x", tuple("abcdef"), *found), "conll04", lossy=True)
        assert through(Path(second), left, "conll04") == left


def test_brat_holds_text_entities_and_relations(tmp_path):
    pytest.importorskip("spacy", reason="the extra `text` is not installed")
    found = through(tmp_path, ADA, "brat")
    assert (found.tokens, found.entities, found.relations) == (ADA.tokens, ADA.entities, ADA.relations)
    assert (found.id, found.text, found.offsets) == ("1-1", "Ada in Orm", ((0, 3), (4, 6), (7, 10)))


def test_what_five_columns_cannot_hold_is_counted_and_nothing_is_written(tmp_path):
    nested = Document("1", ADA.tokens, (*ADA.entities, Entity("Event", 0, 3)), ADA.relations)
    with pytest.raises(CmanError, match=r"2 overlapping entities, 1 relations of these; wanted .* --lossy"):
        through(tmp_path, nested, "conll04")
    assert not (tmp_path / "b").exists()


def test_a_wrong_format_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--to: found 'drec'"):
        convert_file("jsonl", "drec", tmp_path, tmp_path, None, "en", False)


def test_ones_own_files_in_the_real_packagings_give_the_same_documents_as_the_real_corpus(tmp_path):
    mirror = os.environ.get("CMAN_MIRROR")
    if not mirror:
        pytest.skip("CMAN_MIRROR names no folder with the real corpora")
    file = Path(mirror) / "conll04/spert/conll04.json"
    splits = dict.fromkeys(("train", "dev", "test"), file)
    real = {split: read_spert(file, split) for split in splits}
    assert read(Own(format="spert", paths=splits), tmp_path) == real
    for split, documents in json.loads(file.read_text(encoding="utf-8")).items():
        (tmp_path / f"{split}.json").write_text(json.dumps(documents))
        convert_file("spert", "conll04", tmp_path / f"{split}.json", tmp_path / f"{split}.txt", None, "en", False)
    apart = Own(format="spert", paths={split: tmp_path / f"{split}.json" for split in splits})
    assert read(apart, tmp_path) == real
    columns = Conll04(format="conll04", paths={split: tmp_path / f"{split}.txt" for split in splits})
    found = read(columns, tmp_path)
    assert [each.tokens for each in found["test"]] == [each.tokens for each in real["test"]]
    assert sum(len(each.relations) for each in found["train"]) == sum(len(each.relations) for each in real["train"])
