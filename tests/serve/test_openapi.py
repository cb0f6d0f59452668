"""The OpenAPI document: whole, and true of what the endpoints answer."""

import re

import pytest

pytest.importorskip("fastapi")
from fake_extractor import FakeExtractor
from starlette.testclient import TestClient

from cman.serve.app import create_app
from cman.serve.describe import FAILURES, Extraction
from cman.serve.limits import Limits


@pytest.fixture(scope="module")
def client():
    app = create_app(FakeExtractor(), Limits(max_characters=77))
    yield TestClient(app)
    app.worker.close()


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def test_it_describes_the_endpoints_and_nothing_else(document):
    assert document["openapi"].startswith("3.")
    assert {document["info"][key] for key in ("title",)} == {"CMAN"} and document["info"]["version"]
    assert set(document["paths"]) == {"/extract", "/model", "/health", "/ready", "/version", "/metrics"}


def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            for key, each in value.items():
                yield from [each] if key == "$ref" else references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    found = set(references(document))
    assert "#/components/schemas/Extractions" in found
    assert {name for name in found if name.rpartition("/")[2] not in document["components"]["schemas"]} == set()


def test_each_operation_has_answers_with_a_description(document):
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["responses"]["200"]["description"]
            assert operation["operationId"] and operation["summary"]


def test_extract_names_its_limit_and_every_error(document):
    operation = document["paths"]["/extract"]["post"]
    asked = document["components"]["schemas"]["Question"]
    assert set(asked["properties"]) == {"text", "texts", "tokens", "id", "threshold"}
    assert asked["additionalProperties"] is False
    assert set(operation["responses"]) == {"200", *map(str, FAILURES)}
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "application/x-ndjson"}


def test_an_answer_is_what_the_document_says(client):
    answer = client.post("/extract", json={"text": "Ada lives in Paris"}).json()
    assert Extraction.model_validate(answer, strict=True).model_dump() == answer


def test_the_words_name_every_endpoint_and_no_other_address(client, document):
    words = client.get("/api").text
    assert all(path in words for path in document["paths"]) and "77 characters" in words
    for path in ("/", "/page.css", "/style.css", "/page.js", "/drawing.js", "/api", "/openapi.json"):
        addresses = set(re.findall(r"(?:https?:)?//[\w.]+", client.get(path).text)) - {
            "//www.w3.org",
            "http://www.w3.org",
        }
        assert {address for address in addresses if "." in address} == set(), path
