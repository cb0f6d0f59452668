"""Each answer of the application: what is asked rightly, and one sentence for whatever is not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
from fake_extractor import FakeExtraction, FakeExtractor
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cman import __version__
from cman.errors import UsageError
from cman.serve.app import create_app
from cman.serve.limits import Limits
from cman.serve.server import allowed_hosts, is_loopback

LIMITS = Limits(max_characters=50, max_texts=3, max_waiting=2, timeout=5)
TEXT = "🙂 Ada lives in London"


@pytest.fixture
def extractor() -> FakeExtractor:
    return FakeExtractor()


@pytest.fixture
def client(extractor: FakeExtractor) -> Iterator[TestClient]:
    app = create_app(extractor, LIMITS, allowed_hosts("127.0.0.1"))
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield client
    app.worker.close()


def refused(client: TestClient, status: int, content: Any = None, **options: Any) -> str:
    """The sentence of a refusal; afterwards the server answers as ever."""
    options.setdefault("headers", {"content-type": "application/json"})
    answer = client.post("/extract", content=content, **options)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert client.post("/extract", json={"text": TEXT}).json() == FakeExtraction("1", TEXT).to_json()
    return answer.json()["error"]


def test_one_text_is_answered_by_one_extraction_whose_offsets_count_characters(client):
    answer = client.post("/extract", json={"text": TEXT})
    assert answer.status_code == 200
    found = answer.json()
    assert [found["text"][each["start"] : each["end"]] for each in found["entities"]] == ["Ada", "London"]
    assert found["relations"] == [{"type": "Live_In", "head": 0, "tail": 1, "score": 0.7}]


def test_several_texts_are_answered_in_their_order(client):
    found = client.post("/extract", json={"texts": ["Ada", "", "Paris"]}).json()
    assert [each["text"] for each in found["extractions"]] == ["Ada", "", "Paris"]


@pytest.mark.parametrize(
    ("query", "accept"), [("", "application/x-ndjson"), ("?format=jsonl", "*/*"), ("?format=jsonl", "application/json")]
)
def test_jsonl_has_one_line_a_text(client, query, accept):
    answer = client.post("/extract" + query, json={"texts": ["Ada\u2028\nB", TEXT]}, headers={"accept": accept})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = answer.content.decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line)["text"] for line in lines] == ["Ada\u2028\nB", TEXT]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"text=Ada", "body: found no JSON (Expecting value at character 0), wanted an object"),
        (b"", "is missing"),
        (b'{"text": "\xff"}', "parsing the body"),
        (b"[" * 100_000, "parsing the body"),
        (b'["Ada"]', 'found ["Ada"], wanted an object'),
        (b"NaN", "found NaN, wanted an object"),
        (b"{}", "found none, wanted either texts, or text or tokens"),
        (b'{"text": "a", "texts": ["b"]}', "found both, wanted either"),
        (b'{"texts": ["b"], "id": "7"}', "field id: found one beside texts"),
        (b'{"text": "a", "lang": "en"}', "field lang: unknown key"),
        (b'{"text": 3}', "field text: found 3, wanted a string"),
        (b'{"text": null}', "field text: found null, wanted a string"),
        (b'{"texts": "Ada"}', 'field texts: found "Ada", wanted a list'),
        (b'{"texts": []}', "field texts: found [], wanted a list of at least 1"),
        (b'{"texts": ["Ada", true]}', "field texts[1]: found true, wanted a string"),
        (b'{"tokens": ["Ada", ""]}', 'field tokens[1]: found "", wanted a non-empty string'),
        (b'{"text": "a", "id": 1.5}', "field id: found 1.5, wanted a string or a whole number"),
        (b'{"text": "a", "threshold": 2}', "field threshold: found 2, wanted a number less than or equal to 1"),
        (b'{"text": "a\\ud83d"}', "wanted text without lone surrogates"),
    ],
)
def test_a_body_that_is_not_what_was_asked_for_is_answered_by_400_with_the_place(client, extractor, body, words):
    assert words in refused(client, 413 if len(body) > 9999 else 400, body) or len(body) > 9999
    assert extractor.seen == [TEXT]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"text": "a" * 51}, "found 51 characters in all, wanted at most 50"),
        ({"tokens": ["a" * 25, "b" * 25]}, "found 51 characters in all, wanted at most 50"),
        ({"texts": ["a" * 26, "b" * 25]}, "found 51 characters in all"),
        ({"texts": [""] * 4}, "field texts: found 4 texts, wanted at most 3"),
        ({"text": "a" * 9000}, "body: found 9,0"),
    ],
)
def test_what_is_too_long_is_answered_by_413(client, body, words):
    assert words in refused(client, 413, json.dumps(body).encode())


def test_an_answer_has_the_id_that_was_given_and_a_threshold_is_handed_to_the_model(client, extractor):
    found = client.post("/extract", json={"text": TEXT, "id": 7, "threshold": 0.5}).json()
    assert found["id"] == "7" and extractor.calls == [(1, 0.5)]


def test_tokens_are_read_as_they_are_and_a_text_beside_them_must_be_theirs(client):
    assert client.post("/extract", json={"tokens": ["Ada", "sleeps"]}).json()["text"] == "Ada sleeps"
    both = {"tokens": ["Ada", "sleeps"], "text": " Ada  sleeps"}
    assert client.post("/extract", json=both).json()["text"] == " Ada  sleeps"
    assert "wanted those of the text beside them" in refused(client, 400, b'{"tokens": ["Ada"], "text": "Bob"}')


def test_it_says_that_it_is_ready_what_it_is_and_what_it_did(client, extractor):
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/version").json() == {"version": __version__, "model": extractor.describe()}
    assert client.post("/extract", json={"text": TEXT}).status_code == 200
    lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines())
    assert lines['cman_answers_total{status="200"}'] == "3" and lines["cman_texts_total"] == "1"
    assert lines["cman_characters_total"] == str(len(TEXT)) and float(lines["cman_seconds_total"]) > 0


@pytest.mark.parametrize("character", ["a", "é", "🙂", "\n"])
def test_the_longest_text_is_accepted_however_json_writes_it(client, character):
    text = character * LIMITS.max_characters
    for ascii_only in (True, False):
        body = json.dumps({"text": text}, ensure_ascii=ascii_only).encode()
        headers = {"content-type": "application/json; charset=utf-8"}
        assert client.post("/extract", content=body, headers=headers).json()["text"] == text


def test_another_content_type_is_answered_by_415(client):
    assert "application/json" in refused(client, 415, b'{"text": "a"}', headers={"content-type": "text/plain"})
    assert "none" in refused(client, 415, b'{"text": "a"}', headers={})


def test_another_format_is_answered_by_400(client):
    assert "format: found \"xml\", wanted 'json' or 'jsonl'" in refused(
        client, 400, b'{"text": "a"}', params={"format": "xml"}
    )


@pytest.mark.parametrize("text", ["break", "infinite"])
def test_an_error_of_ours_is_answered_by_500_without_its_words_and_logged(client, caplog, text):
    sentence = refused(client, 500, json.dumps({"text": text}).encode())
    assert "log" in sentence and "secret" not in sentence
    assert "POST '/extract' failed" in caplog.text


def test_a_text_that_the_model_refuses_is_answered_by_its_sentence(client):
    assert refused(client, 400, b'{"text": "unreadable"}') == "text 1: found no sentence, wanted one"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/extract", 405), ("GET", "/docs", 404)])
def test_what_does_not_exist_is_said_in_json(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert path in answer.json()["error"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "", "127.0.0.1.evil.example", "[::2]"])
def test_another_name_of_this_machine_is_refused(client, host):
    answer = client.get("/health", headers={"host": host})
    assert (answer.status_code, answer.text) == (400, "Invalid host header")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
def test_the_names_of_the_loopback_are_accepted(client, host):
    assert client.get("/health", headers={"host": host}).json() == {"status": "ok", "waiting": 0, "running": False}


def test_a_server_for_others_may_have_any_name():
    assert [is_loopback(host) for host in ("127.0.0.2", "::1", "localhost", "0.0.0.0", "10.0.0.1", "a.example")] == [
        *[True] * 3,
        *[False] * 3,
    ]
    assert allowed_hosts("0.0.0.0") == ("*",)


def test_every_answer_forbids_other_addresses_and_no_other_site_may_read_one(client):
    for path in ("/", "/page.js", "/health", "/nothing"):
        headers = client.get(path, headers={"origin": "http://evil.example"}).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "access-control-allow-origin" not in headers


def test_the_model_is_described(client):
    model = client.get("/model").json()
    assert model["entity_types"] == ["Peop", "Loc", "Org"]
    assert (model["max_characters"], model["description"]["corpus"]) == (50, "conll04")


@pytest.mark.parametrize(
    "wrong", [{"max_characters": 0}, {"max_waiting": -1}, {"timeout": 0}, {"timeout": float("nan")}]
)
def test_a_limit_that_refuses_everything_is_a_wrong_use(wrong):
    with pytest.raises(UsageError, match="--"):
        Limits(**wrong)


@given(
    st.binary(max_size=60) | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_body_is_read_or_refused_with_a_sentence(body):
    app = create_app(FakeExtractor(), LIMITS)
    answer = TestClient(app).post("/extract", content=body, headers={"content-type": "application/json"})
    app.worker.close()
    if answer.status_code != 200:
        assert answer.status_code in (400, 413)
        assert "\n" not in answer.json()["error"] and answer.json()["error"].isprintable()
