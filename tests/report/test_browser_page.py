"""The browser's page in Chromium: filters, two runs beside each other, the address, 5,000 sentences, hostile words."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from perturbed_runs import perturbed, write_run

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.report.browser.write import write_browser

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]

ADA, ORM = Entity("Peop", 0, 1), Entity("Loc", 3, 4)
LIVES = (Relation("Live_In", 0, 1),)


def sentence(name: str, *entities: Entity, relations: tuple[Relation, ...] = (), last: str = "Orm") -> Document:
    return Document(name, ("Ada", "lives", "in", last), entities, relations)


GOLD = [
    *(sentence(name, ADA, ORM, relations=LIVES) for name in ("same", "type", "pair")),
    sentence("boundary", ADA, ORM),
    sentence("other", ADA, last="<script>window.broken=1</script>"),
    sentence("extra", ADA),
]
CMAN = [
    GOLD[0],
    sentence("type", Entity("Peop", 0, 1, 0.8), Entity("Org", 3, 4, 0.625)),
    GOLD[2],
    sentence("boundary", ADA, Entity("Loc", 2, 4)),
    GOLD[4],
    sentence("extra", ADA, ORM),
]
MULTIHEAD = [GOLD[0], GOLD[1], sentence("pair", ADA, ORM), GOLD[3], sentence("other", last=GOLD[4].tokens[3]), GOLD[5]]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    write_documents(folder / "corpora/tiny/main/test.jsonl", GOLD)
    runs = [
        write_run(folder / "runs", GOLD, CMAN, "cman", 1),
        write_run(folder / "runs", GOLD, MULTIHEAD, "multihead", 1),
    ]
    write_browser(runs, folder / "corpora", folder / "browser.html")
    return folder / "browser.html"


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens a file with a fragment; no other address may be asked for, and no script may fail."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    asked: list[str] = []
    failed: list[str] = []

    def opened(path: Path, fragment: str = "") -> Any:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri() + fragment)
        return page

    yield opened
    context.close()
    assert failed == []
    assert all(address.startswith(("file:", "data:")) for address in asked), asked
    assert len({address for address in asked if ".runs/" not in address}) == 1


def ids(page: Any) -> list[str]:
    return [article.get_attribute("data-id") for article in page.query_selector_all("article")]


def test_the_page_shows_gold_and_both_runs_of_every_sentence(open_page, file):
    page = open_page(file)
    assert page.inner_text("#status") == "6 of 6 sentences"
    assert ids(page)[0] == "same"
    heads = page.query_selector_all("article:first-of-type h3")
    assert [head.inner_text().split("  ")[0].split(" entities")[0] for head in heads] == [
        "gold", "CMAN, seed 1", "MULTIHEAD, seed 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fragment", "wanted"),
    [
        ("#kinds=0:wrong+type", ["type"]),
        ("#kinds=0:wrong+boundary", ["boundary"]),
        ("#kinds=0:spurious", ["extra"]),
        ("#kinds=0:missed", ["other"]),
        ("#kinds=0:missed&side=left", []),
        ("#kinds=1:missed+pair", ["pair"]),
        ("#kinds=1:wrong+type&side=left", ["type"]),
        ("#types=0:Org", ["type"]),
        ("#types=1:Live_In", ["same", "type", "pair"]),
        ("#kinds=0:right&types=0:Loc&side=both", ["same", "pair"]),
        ("#compare=left-right", ["pair", "other"]),
        ("#compare=right-left", ["type", "boundary", "extra"]),
        ("#compare=left-right&task=entities", ["other"]),
        ("#compare=left-finds&task=relations", ["pair"]),
        ("#compare=differ&task=relations", ["type", "pair"]),
        ("#compare=both-right", ["same"]),
        ("#compare=both-wrong", []),
        ("#text=BOUNDARY", ["boundary"]),
        ("#text=in+orm", ["same", "type", "pair", "boundary", "extra"]),
        ("#right=&compare=wrong", ["type", "boundary", "extra"]),
        ("#left=multihead/seed1&right=&compare=wrong", ["pair", "other"]),
    ],
)
def test_a_filter_lists_the_right_sentences(open_page, file, fragment, wanted):
    page = open_page(file, fragment)
    assert page.inner_text("#status") == f"{len(wanted)} of 6 sentences"
    assert ids(page) == wanted[: len(ids(page))] and (not wanted or ids(page))
    assert page.is_hidden("#notice")


def test_controls_filter_and_the_address_keeps_what_was_chosen(open_page, file):
    page = open_page(file)
    page.check("[data-box='kinds/0:wrong type']")
    assert ids(page) == ["type"]
    again = open_page(file, "#" + page.url.partition("#")[2])
    assert ids(again) == ["type"]
    page.click("#reset")
    page.select_option("#compare", "left-right")
    assert ids(page) == ["pair", "other"]
    page.click("#swap")
    assert (ids(page), page.input_value("#left")) == (["pair", "other"], "multihead/seed1")
    page.select_option("#right", "")
    assert page.query_selector("section.left") is not None and page.query_selector("section.right") is None


def test_counts_are_those_of_the_sentences_listed(open_page, file):
    def cells(page: Any, side: str, task: str) -> list[str]:
        return [cell.inner_text() for cell in page.query_selector_all(f"tr[data-side={side}][data-task={task}] td")]

    page = open_page(file)
    assert cells(page, "left", "entities") == ["8", "3", "2", "76.19"]
    assert cells(page, "right", "relations") == ["2", "0", "1", "80.00"]
    page.fill("#text", "type")
    assert cells(page, "left", "entities") == ["1", "1", "1", "50.00"]


def test_right_wrong_and_missed_differ_by_sign_line_and_words(open_page, file):
    page = open_page(file, "#text=type&right=")
    labels = page.eval_on_selector_all("text.label", "all => all.map((one) => one.textContent)")
    assert labels == ["Peop ✓", "Loc − type", "Live_In − type", "Peop ✓", "Org ✗ type"]
    titles = page.eval_on_selector_all("title", "all => all.map((one) => one.textContent)")
    assert "Org “Orm”: wrong (wrong type), confidence 0.625" in titles
    dashes = page.eval_on_selector_all(".bar", "all => all.map((one) => getComputedStyle(one).strokeDasharray)")
    assert len(set(dashes)) == 3


def test_keys_move_between_sentences_and_into_the_search(open_page, file):
    page = open_page(file)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    assert page.eval_on_selector("article.selected", "one => one.dataset.id") == "type"
    assert "at=main%2F1" in page.url
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("xj")
    assert (page.input_value("#text"), page.input_value("#left")) == ("xj", "cman/seed1")


def test_words_of_a_corpus_are_never_markup(open_page, file):
    page = open_page(file, "#text=other")
    assert page.evaluate("window.broken") is None
    words = page.eval_on_selector_all("text.word", "all => all.map((one) => one.textContent)")
    assert "<script>window.broken=1</script>" in words
    assert page.eval_on_selector_all("script", "all => all.length") == 2  # the data and the page's own


def test_an_address_that_names_what_is_not_there_says_so(open_page, file):
    page = open_page(file, "#left=cman/seed9&compare=left-right")
    assert "left cman/seed9" in page.inner_text("#notice")


def test_of_five_thousand_sentences_only_those_in_view_stand_in_the_page(open_page, tmp_path):
    gold = [
        Document(str(name), ("Ada", "lives", "in", "Orm", f"word{name}") * 8, (ADA, ORM), LIVES) for name in range(5000)
    ]
    write_documents(tmp_path / "corpora/tiny/main/test.jsonl", gold)
    runs = [write_run(tmp_path / "runs", gold, perturbed(gold, 0.3, 1), name, 1) for name in ("cman", "multihead")]
    write_browser(runs, tmp_path / "corpora", tmp_path / "browser.html")
    page = open_page(tmp_path / "browser.html")
    count = "document.querySelectorAll('*').length"
    assert page.inner_text("#status") == "5000 of 5000 sentences"
    assert page.evaluate(count) < 4000
    page.keyboard.press("End")
    assert page.eval_on_selector("article.selected", "one => one.dataset.id") == "4999"
    assert page.evaluate(count) < 4000
    page.fill("#text", "word4321")
    assert ids(page) == ["4321"]


def test_runs_beside_the_page_are_read_when_they_are_chosen_and_one_that_is_gone_is_named(
    open_page, chromium, file, tmp_path, monkeypatch
):
    runs = sorted((file.parent / "runs").glob("*/*/*/*"))
    monkeypatch.setattr("cman.report.browser.write.INLINE", 0)
    write_browser(runs, file.parent / "corpora", tmp_path / "large.html")
    page = open_page(tmp_path / "large.html", "#right=&compare=wrong")
    page.wait_for_function("document.getElementById('status').textContent === '3 of 6 sentences'")
    assert ids(page) == ["type", "boundary", "extra"]
    with page.expect_request(lambda request: ".runs/" in request.url):
        page.select_option("#right", "multihead/seed1")
    page.select_option("#compare", "left-right")
    page.wait_for_function("document.getElementById('status').textContent === '2 of 6 sentences'")
    assert ids(page) == ["pair", "other"] and page.is_hidden("#notice")
    gone = next((tmp_path / "large.runs").iterdir())
    gone.unlink()
    alone = chromium.new_page()
    alone.goto((tmp_path / "large.html").as_uri())
    alone.wait_for_function("document.getElementById('status').textContent === '0 of 0 sentences'")
    assert alone.inner_text("#notice") == f"Cannot be read, wanted beside this page: large.runs/{gone.name}."
    alone.close()
