"""The page in headless Chromium: what is typed comes back as spans, arcs and a file; nothing from elsewhere."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("playwright.sync_api")
from fake_extractor import FakeExtraction
from playwright.sync_api import expect, sync_playwright
from served import Served, served

OPTIONS = [
    *("--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-quic", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
TEXT = "🙂 Ada lives in London. 👩‍🔬 Bob never saw Paris."


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(characters=2000) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, server: Served) -> Iterator[Any]:
    """The page; at the end, nothing was asked from elsewhere and nothing complained."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(10_000)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(server.address)
    expect(page.locator("#model")).not_to_be_empty()  # the policy of the page forbids to wait by an expression
    yield page
    assert [url for url in asked if not url.startswith((server.address, "blob:", "data:"))] == []
    assert [text for text in complaints if "status of 4" not in text] == []
    context.close()


def extract(page: Any, text: str) -> None:
    page.fill("#text", text)
    page.click("#extract")
    page.wait_for_selector("#result:not([hidden])")


def words(page: Any) -> list[str]:
    return [title.split("“")[1].split("”")[0] for title in page.locator("#drawing .entity title").all_text_contents()]


def test_entities_are_spans_with_the_right_text_behind_emoji(page):
    extract(page, TEXT)
    assert words(page) == ["Ada", "London", "Bob", "Paris"]
    assert page.locator("#drawing .entity .label").all_text_contents() == ["Peop", "Loc", "Peop", "Loc"]
    drawn = page.locator("#drawing .word").all_text_contents()
    assert "".join(drawn) == TEXT.replace(" ", "") and drawn[-2:] == ["Paris", "."]
    assert page.locator("#drawing .entity title").first.text_content() == "Peop “Ada”, confidence 0.99"


def test_relations_are_arcs_with_a_name_and_a_list(page):
    extract(page, TEXT)
    relations = FakeExtraction("1", TEXT).to_json()["relations"]
    assert page.locator("#drawing path.arc").count() == len(relations) == 3
    assert page.locator("#drawing .relation .label").first.text_content().startswith("Live_In")
    assert page.locator("#drawing .relation title").all_text_contents()[0].endswith("(confidence 0.70)")
    assert page.locator("#relations li").first.text_content() == "Ada – Live_In → London (confidence 0.70)"


@pytest.mark.parametrize("width", [320, 500, 1000])
def test_arcs_end_at_their_entities_and_stay_inside_when_lines_wrap(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    extract(page, TEXT + " And then " + "so it went " * 10 + TEXT)
    page.locator("#drawing path.arc").nth(5).wait_for(state="attached")
    problems = page.evaluate(
        """() => {
          const box = document.querySelector("#drawing").getBoundingClientRect();
          const marks = [...document.querySelectorAll("#drawing .tint")].map((mark) => mark.getClientRects()[0]);
          const problems = [];
          for (const arrow of document.querySelectorAll("#drawing .tip")) {
            const { left, right, bottom } = arrow.getBoundingClientRect();
            const x = (left + right) / 2;
            const at = (mark) => x > mark.left - 1 && x < mark.right + 1 && Math.abs(bottom - mark.top) < 3;
            if (!marks.some(at)) problems.push(`an arrow at ${x}, ${bottom}`);
          }
          for (const arc of document.querySelectorAll("#drawing path.arc")) {
            const { left, right, top } = arc.getBoundingClientRect();
            if (left < box.left - 1 || right > box.right + 1 || top < box.top) problems.push("an arc outside");
          }
          return problems;
        }"""
    )
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_download_is_the_jsonl_of_everything(page, tmp_path):
    extract(page, TEXT)
    page.locator("#least").fill("0.95")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "extraction.jsonl"
    download.value.save_as(tmp_path / "file")
    lines = Path(tmp_path / "file").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [FakeExtraction("1", TEXT).to_json()]


def test_the_slider_and_the_check_boxes_hide_and_say_so(page):
    extract(page, TEXT)
    page.locator("#least").fill("0.92")
    assert words(page) == ["Ada", "London"]
    assert page.locator("#drawing path.arc").count() == 0
    assert page.text_content("#status") == "2 of 4 entities, 0 of 3 relations shown; the JSONL has all."
    page.locator("#least").fill("0")
    page.uncheck("#entity-types input[value=Loc]")
    assert words(page) == ["Ada", "Bob"]
    assert page.locator("#drawing path.arc").count() == 0


def test_a_text_without_an_entity_says_so(page):
    extract(page, "nothing here")
    assert page.text_content("#status") == "No entity was found in this text."
    assert words(page) == []


def test_a_text_that_is_too_long_shows_the_servers_sentence_and_the_next_one_works(page):
    page.fill("#text", "é" * 2001)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#error:not([hidden])")
    assert page.text_content("#error") == "found 2,001 characters in all, wanted at most 2,000"
    assert page.text_content("#length") == "2,001 of at most 2,000 characters"
    page.fill("#text", "a" * 300_000)  # longer than the server reads
    with page.expect_response("**/extract"):
        page.click("#extract")
    expect(page.locator("#error")).to_contain_text("body: found 300,")
    extract(page, TEXT)
    assert page.locator("#error").is_hidden()


def test_markup_in_a_text_is_shown_as_it_is(page):
    text = "<img src=x onerror=alert(1)> Ada & <b>Bob</b>"
    extract(page, text)
    assert words(page) == ["Ada", "Bob"]
    assert page.locator("#drawing img, #drawing b").count() == 0


def test_everything_is_reached_by_the_keyboard_and_has_a_name(page):
    page.focus("#text")
    page.keyboard.type("Ada lives in London")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#result:not([hidden])")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
    assert reached[:10] == [
        "extract",
        "example",
        "least",
        "download",
        "copy",
        "Peop",
        "Loc",
        "Org",
        "Live_In",
        "Work_For",
    ]
    nameless = "[...document.querySelectorAll('input, textarea')].filter((each) => !each.labels.length).length"
    assert page.evaluate(nameless) == 0
    assert page.get_attribute("#status", "role") == "status"
    assert page.get_attribute("#error", "role") == "alert"
