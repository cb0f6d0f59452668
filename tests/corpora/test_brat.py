"""A folder annotated with brat becomes documents, and what is read otherwise than it is written is counted."""

import pytest

pytest.importorskip("spacy", reason="the extra `text` is not installed")

from typer.testing import CliRunner

from cman.cli.app import app
from cman.config.own import OwnText
from cman.corpora.brat import read_brat
from cman.corpora.document import Entity, Relation, read_documents
from cman.corpora.prepare import prepare
from cman.corpora.raw import given_files
from cman.corpora.tokenize import TextTokenizer
from cman.errors import CmanError
from cman.layout import Layout

TEXT = "Ada and Bo Vale live in Orm. They work for the Red Cross in Ulm."
ANNOTATIONS = """T1\tPeop 0 3;11 15\tAda Vale
T2\tPeop 8 15\tBo Vale
T3\tLoc 24 27\tOrm
T4\tOrg 47 56\tRed Cross
T5\tLoc 60 62\tUl
T6\tPeop 29 33\tThey
T7\tOrg 51 56\tCross
E1\tLive:T1
R1\tLive_In Arg1:T2 Arg2:T3
R2\tWork_For Arg1:T2 Arg2:T4
R3\tWork_For Arg1:T6 Arg2:T4
R4\tWork_For Arg1:T6 Arg2:T7
#1\tAnnotatorNotes T1\tboth are called Vale
"""


@pytest.fixture
def folder(tmp_path):
    """Three equal folders, made by hand."""
    for split in ("train", "dev", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.txt").write_text(TEXT)
        (tmp_path / split / "a.ann").write_text(ANNOTATIONS)
        (tmp_path / split / "b.txt").write_text("Eva Orm lives in Ulm.")
        (tmp_path / split / "b.ann").write_text(
            "T1\tPeop 0 7\tEva Orm\nT2\tLoc 17 20\tUlm\nR1\tLive_In Arg1:T1 Arg2:T2\n"
        )
    return tmp_path


def corpus_of(folder, **changes):
    return OwnText(format="brat", paths={split: folder / split for split in ("train", "dev", "test")}, **changes)


def read(folder, policy="hull"):
    warnings = []
    return read_brat(folder / "train", TextTokenizer("en"), policy, warnings), "\n".join(warnings)


def test_spans_become_tokens_and_everything_out_of_the_ordinary_is_counted(folder):
    (first, second, _), warnings = read(folder)
    assert (first.id, first.text) == ("a-1", "Ada and Bo Vale live in Orm.")
    assert [first.text[start:end] for start, end in first.offsets] == list(first.tokens)
    assert first.entities == (Entity("Peop", 0, 4), Entity("Peop", 2, 4), Entity("Loc", 6, 7))
    assert first.relations == (Relation("Live_In", 1, 2),)
    assert second.entities == (Entity("Org", 4, 6), Entity("Loc", 7, 8), Entity("Peop", 0, 1), Entity("Org", 5, 6))
    assert second.relations == (Relation("Work_For", 2, 0), Relation("Work_For", 2, 3))
    for said in (
        "1 discontinuous entities, read as one span around all parts",
        "a.ann: line 1",
        "1 entities that begin or end inside a token",
        "a.ann: line 5",
        "1 relations between two sentences, left out",
        "a.ann: line 10",
        "1 of kind event, 1 of kind note",
    ):
        assert said in warnings


def test_discontinuous_spans_are_dropped_or_refused_as_configured(folder):
    (first, *_), warnings = read(folder, "drop")
    assert first.entities == (Entity("Peop", 2, 4), Entity("Loc", 6, 7))
    assert "1 discontinuous entities, left out" in warnings
    with pytest.raises(CmanError, match=r"a\.ann: line 1: field span: found 2 parts, wanted one"):
        read(folder, "refuse")


def test_a_sentence_does_not_end_inside_an_entity(folder):
    (folder / "train/a.txt").write_text("See Fig. 2 of Vol. B now.")
    (folder / "train/a.ann").write_text("T1\tPart 0 21\tSee Fig. 2 of Vol. B\n")
    (only, _), warnings = read(folder)
    assert only.text == "See Fig. 2 of Vol. B now." and len(only.entities) == 1
    apart = len(TextTokenizer("en").sentences(only.text)) > 1
    assert ("sentences were joined" in warnings) == apart


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("T1\tPeop 0 99\tAda", "field span: found '0 99', wanted START < END <= 64"),
        ("T1\tPeop 0-3\tAda", "field span: found 'Peop 0-3'"),
        ("T1\tPeop 0 3\tBo", "field text: found 'Bo', wanted 'Ada'"),
        ("R1\tLive_In Arg1:T1 Arg2:T2", "field argument: found 'T1'"),
        ("R1\tLive_In T1 T2", "field relation: found 'Live_In T1 T2'"),
        ("Xda", "wanted a line that begins with"),
        ("T1\tPeop 3 4\t ", "found blanks alone"),
    ],
)
def test_a_malformed_line_is_named(folder, line, said):
    (folder / "train/a.ann").write_text(line + "\n")
    with pytest.raises(CmanError, match=r"a\.ann: line 1: ") as caught:
        read(folder)
    assert said in str(caught.value)


def test_a_file_without_its_partner_and_a_missing_folder_are_refused(folder):
    (folder / "train/a.ann").unlink()
    with pytest.raises(CmanError, match=r"a\.txt: found no a\.ann beside it"):
        read(folder)
    with pytest.raises(CmanError, match=r"nowhere.*wanted a folder annotated with brat"):
        read_brat(folder / "nowhere", TextTokenizer("en"), "hull", [])


def test_training_reads_no_overlap_and_test_keeps_it(folder):
    prepare("b", corpus_of(folder), Layout(folder / "results"))
    counts = {
        split: sum(len(each.entities) for each in read_documents(folder / f"results/corpora/b/main/{split}.jsonl"))
        for split in ("train", "dev", "test")
    }
    assert counts == {"train": 7, "dev": 7, "test": 9}


def test_the_workflow_is_told_of_every_file(folder):
    assert given_files(corpus_of(folder)) == [
        str(folder / split / name)
        for split in ("train", "dev", "test")
        for name in ("a.ann", "a.txt", "b.ann", "b.txt")
    ]


def test_check_explains_the_corpus_and_writes_nothing(folder):
    paths = ", ".join(f"{split}: {folder / split}" for split in ("train", "dev", "test"))
    (folder / "c.yaml").write_text(f"corpora: {{b: {{format: brat, paths: {{{paths}}}}}}}\n")
    before = sorted(folder.rglob("*"))
    arguments = ["prepare", "--check", "--config", str(folder / "c.yaml"), "--corpus", "b"]
    result = CliRunner().invoke(app, [*arguments, "--results", str(folder / "results")])
    assert result.exit_code == 0, result.output
    for said in (
        "entities\t9\t9\t9",
        "train: 2 sentences with overlapping entities, which one BIO tag a token cannot encode (a-1, a-2)",
        "train and test: 3 sentences of the second stand in the first",
        "overlap: keep_longest: train goes without 2 of 9 entities, 2 of 4 relations",
        "b: can be trained",
    ):
        assert said in result.output
    assert sorted(folder.rglob("*")) == before


def test_check_explains_a_corpus_that_cannot_be_trained_and_fails(folder):
    (folder / "train/b.ann").write_text("")  # the policy takes the other relation of this type away
    paths = ", ".join(f"{split}: {folder / split}" for split in ("train", "dev", "test"))
    (folder / "c.yaml").write_text(f"corpora: {{b: {{format: brat, paths: {{{paths}}}}}}}\n")
    result = CliRunner().invoke(app, ["prepare", "--check", "--config", str(folder / "c.yaml"), "--corpus", "b"])
    assert result.exit_code == 1
    assert "train goes without" in result.output and "found the type 'Live_In'" in result.output
    assert "can be trained" not in result.output
