"""The browser's data and file: every kind of error by hand, as many as the scores count, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from documents import pairs_of_documents
from hypothesis import given
from perturbed_runs import perturbed, write_run
from typer.testing import CliRunner

from cman.cli.app import app
from cman.corpora.document import ROOT, Document, Entity, Relation, write_documents
from cman.errors import CmanError, UsageError
from cman.evaluation.errors import entity_classes
from cman.evaluation.scores import score_documents
from cman.report.browser.data import ENTITY_KINDS, RELATION_KINDS, page_data
from cman.report.browser.write import embedded, write_browser
from cman.report.results import read_run

TOKENS = ("Ada", "Bo", "of", "New", "Orm", "sleeps")
PEOPLE, PLACE = Entity("Peop", 0, 2), Entity("Loc", 3, 5)
GOLD = Document("1", TOKENS, (PEOPLE, PLACE), (Relation("Live_In", 0, 1),))


def document(*entities: Entity, relations: tuple[Relation, ...] = ()) -> Document:
    return Document("1", TOKENS, entities, relations)


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    write_documents(tmp_path / "corpora/tiny/main/test.jsonl", [GOLD])
    return tmp_path / "corpora"


def kinds(tmp_path: Path, corpora: Path, found: Document) -> tuple[list[str], ...]:
    """The kinds of predicted entities and relations, and of gold entities and relations."""
    run = write_run(tmp_path / "runs", [GOLD], [found], "cman", 1)
    split = page_data([read_run(run)], corpora)["corpora"][0]["splits"][0]
    entities, relations, gold_entities, gold_relations = json.loads(split["runs"][0]["found"])[0]
    return (
        [ENTITY_KINDS[entity[4]] for entity in entities],
        [RELATION_KINDS[relation[4]] for relation in relations],
        [ENTITY_KINDS[kind] for kind in gold_entities],
        [RELATION_KINDS[kind] for kind in gold_relations],
    )


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (GOLD, (["right", "right"], ["right"], ["right", "right"], ["right"])),
        (document(PEOPLE), (["right"], [], ["right", "missed"], ["missed entity"])),
        (
            document(PEOPLE, PLACE, Entity("Loc", 5, 6)),
            (["right", "right", "spurious"], [], ["right", "right"], ["missed pair"]),
        ),
        (
            document(PEOPLE, Entity("Org", 3, 5)),
            (["right", "wrong type"], [], ["right", "wrong type"], ["wrong type"]),
        ),
        (
            document(Entity("Org", 1, 2), PLACE),
            (["wrong boundary", "right"], [], ["wrong boundary", "right"], ["wrong boundary"]),
        ),
        (
            document(PEOPLE, PLACE, relations=(Relation("Kill", 0, 1),)),
            (["right", "right"], ["wrong label"], ["right", "right"], ["wrong label"]),
        ),
        (
            document(PEOPLE, PLACE, relations=(Relation("Live_In", 1, 0),)),
            (["right", "right"], ["reversed direction"], ["right", "right"], ["reversed direction"]),
        ),
    ],
)
def test_each_annotation_has_its_kind(tmp_path, corpora, found, wanted):
    assert kinds(tmp_path, corpora, found) == wanted


@given(pairs_of_documents())
def test_entity_classes_are_the_errors_of_strict_scores(pair):
    gold, found = pair
    missed, spurious = entity_classes(gold, found)
    counts = score_documents([gold], [found])["entities"]["strict"]["all"]
    assert len(missed) == counts["gold"] - counts["true_positive"]
    assert len(spurious) == counts["predicted"] - counts["true_positive"]
    assert {name for name in spurious.values() if name != "spurious"} <= {"wrong boundary", "wrong type"}


def test_an_entity_that_is_right_itself_explains_no_error():
    inner = Entity("Peop", 1, 2)
    assert entity_classes(document(PEOPLE, inner), document(PEOPLE)) == ({inner: "missed"}, {})


def test_the_artificial_root_is_given_and_never_an_error(tmp_path):
    gold = document(Entity(ROOT, 0, 1), PLACE)
    write_documents(tmp_path / "corpora/tiny/main/test.jsonl", [gold])
    run = write_run(tmp_path / "runs", [gold], [gold], "cman", 1)
    (corpus,) = page_data([read_run(run)], tmp_path / "corpora")["corpora"]
    assert json.loads(corpus["splits"][0]["runs"][0]["found"])[0][2] == [
        ENTITY_KINDS.index("given"),
        ENTITY_KINDS.index("right"),
    ]


def test_a_run_that_stands_there_twice_is_refused(tmp_path, corpora):
    runs = [write_run(tmp_path / name, [GOLD], [GOLD], "cman", 1) for name in ("one", "two")]
    with pytest.raises(CmanError, match="both are tiny/cman, split main, seed 1; wanted each run once"):
        write_browser(runs, corpora, tmp_path / "browser.html")


def test_predictions_that_do_not_give_their_scores_leave_nothing_behind(tmp_path, corpora):
    run = write_run(tmp_path / "runs", [GOLD], [GOLD], "cman", 1)
    write_documents(run / "predictions.jsonl", [document(PEOPLE)])
    with pytest.raises(CmanError, match=r"does not match scores\.json"):
        write_browser([run], corpora, tmp_path / "out/browser.html")
    assert not (tmp_path / "out").exists()


def test_runs_that_disagree_on_their_corpus_are_refused(tmp_path, corpora):
    runs = [write_run(tmp_path / str(seed), [GOLD], [GOLD], "cman", seed, sample=seed == 2) for seed in (1, 2)]
    with pytest.raises(CmanError, match="field sample: found True, wanted False"):
        write_browser(runs, corpora, tmp_path / "browser.html")


def test_wrong_use_is_told_apart(tmp_path, corpora):
    run = write_run(tmp_path / "runs", [GOLD], [GOLD], "cman", 1)
    with pytest.raises(UsageError, match=r"wanted a file whose name ends in \.html"):
        write_browser([run], corpora, tmp_path / "browser.json")
    assert CliRunner().invoke(app, ["browser"]).exit_code == 2


def test_the_verb_writes_equal_bytes_whatever_the_order_of_the_runs(tmp_path, corpora):
    runs = [write_run(tmp_path / "runs", [GOLD], perturbed([GOLD], 0.9, seed), "cman", seed) for seed in (1, 2)]
    pages = []
    for name, given_runs in (("a.html", runs), ("b.html", runs[::-1])):
        call = ["browser", *map(str, given_runs), "--corpora", str(corpora), "--output", str(tmp_path / name)]
        assert CliRunner().invoke(app, call).exit_code == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def data_of(page: Path) -> Any:
    """What a page shows, with what stands in files beside it put in again."""
    data = json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1])
    for corpus in data["corpora"]:
        for run in (run for split in corpus["splits"] for run in split["runs"]):
            if "file" in run:
                script = (page.parent / unquote(file := run.pop("file"))).read_text()
                assert script.startswith(f'cmanRun("{file}", ') and script.endswith(");\n")
                run["found"] = json.loads(script[len(f'cmanRun("{file}", ') : -3])
    return data


def test_runs_that_are_too_much_for_a_page_have_files_beside_it_and_no_old_ones_stay(tmp_path, corpora, monkeypatch):
    other = document(
        Entity("Aaa", 1, 2), PLACE, relations=(Relation("Aaa", 0, 1),)
    )  # types that gold lacks, sorted first
    runs = [write_run(tmp_path / "runs", [GOLD], [found], "cman", seed) for seed, found in enumerate((GOLD, other))]
    page, beside = tmp_path / "a b.html", tmp_path / "a b.runs"
    write_browser(runs, corpora, page)
    expected = data_of(page)
    assert not beside.exists() and "'self'" not in page.read_text()
    assert expected["corpora"][0]["entityTypes"] == ["Aaa", "Loc", "Peop"]
    assert expected["corpora"][0]["splits"][0]["runs"][1]["found"][0][0][0][0] == 0
    monkeypatch.setattr("cman.report.browser.write.INLINE", 10)
    write_browser(runs, corpora, page)
    assert data_of(page) == expected and len(list(beside.iterdir())) == 2
    (beside / "mine.js").write_text("")
    write_browser(runs[:1], corpora, page)
    assert sorted(len(path.stem) for path in beside.iterdir()) == [4, 16]
    monkeypatch.undo()
    write_browser(runs, corpora, page)
    assert [path.name for path in beside.iterdir()] == ["mine.js"] and data_of(page) == expected


def test_no_address_stands_in_the_page(tmp_path, corpora):
    run = write_run(tmp_path / "runs", [GOLD], [GOLD], "cman", 1)
    write_browser([run], corpora, tmp_path / "browser.html")
    page = (tmp_path / "browser.html").read_text()
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, never asked for
    assert "default-src 'none'" in page


@pytest.mark.parametrize("text", ["</script>", "<!-- <script>", "a\u2028b\u2029c", "é ✓ &amp;"])
def test_what_is_embedded_cannot_end_its_element_and_is_read_back_unchanged(text):
    value: Any = {"tokens": [text]}
    written = embedded(value)
    assert not set("<>\u2028\u2029") & set(written)
    assert json.loads(written) == value
