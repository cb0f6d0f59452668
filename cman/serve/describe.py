"""What the endpoints take and give: models of the OpenAPI document, and the same in plain words for `/api`."""

from typing import Any

from pydantic import BaseModel

from cman.serve.limits import Limits


class Entity(BaseModel):
    """A typed stretch of the text: characters (Unicode code points) `start` to `end`, the end exclusive."""

    type: str
    start: int
    end: int
    text: str
    score: float | None


class Relation(BaseModel):
    """A typed, directed pair of entities; `head` and `tail` are places in `entities`."""

    type: str
    head: int
    tail: int
    score: float | None


class Extraction(BaseModel):
    """What one text holds; also one line of the JSONL."""

    id: str
    text: str
    entities: list[Entity]
    relations: list[Relation]


class Extractions(BaseModel):
    """What several texts hold, in their order."""

    extractions: list[Extraction]


class Failure(BaseModel):
    """One sentence: where, what was found, what was wanted."""

    error: str


class Health(BaseModel):
    """Whether the server lives, and what it does."""

    status: str
    waiting: int
    running: bool


class Version(BaseModel):
    """What answers: the program's version, and what the model was trained on."""

    version: str
    model: dict[str, Any]


class Model(BaseModel):
    """What the model knows, and what one request may hold."""

    entity_types: list[str]
    relation_types: list[str]
    description: dict[str, Any]
    max_characters: int
    max_texts: int


FAILURES = {
    400: "The body is no JSON, or a field is wrong; or the Host header names another server.",
    408: "The body did not end in time.",
    413: "The body, a text, or the list of texts is too long.",
    415: "The body is not application/json.",
    500: "An error of the server; its log says where.",
    503: "Too many requests wait; Retry-After says when to come back, in seconds.",
    504: "The result did not come in time.",
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One extraction for `text`, all of them for `texts`; as JSONL one line a text for both.",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/Extraction"}, {"$ref": "#/components/schemas/Extractions"}]
                }
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
        "model": Extraction | Extractions,
    },
    **{status: {"description": sentence, "model": Failure} for status, sentence in FAILURES.items()},
}


def in_words(limits: Limits) -> str:
    """Return the description for a reader."""
    failures = "\n".join(f"  {status}  {sentence}" for status, sentence in FAILURES.items())
    return f"""CMAN: entities and relations of text

POST /extract
  Content-Type: application/json
  {{"text": "Ada Lovelace lives in London."}}      one text
  {{"texts": ["...", "..."]}}                      several, at most {limits.max_texts:,}
  {{"tokens": ["Ada", "lives", "in", "London"]}}   one sentence in tokens; a text beside them must be theirs
  At most {limits.max_characters:,} characters in all. Beside them may stand
  "id": "a1"        what the answer to text or tokens is called; "1" by default
  "threshold": 0.5  the least confidence of what is answered, 0 to 1; the server's by default

  curl -H 'Content-Type: application/json' -d '{{"text": "Ada Lovelace lives in London."}}' http://localhost:8000/extract

  The answer to one text:
  {{"id": "1", "text": "Ada Lovelace lives in London.",
   "entities": [{{"type": "Peop", "start": 0, "end": 12, "text": "Ada Lovelace", "score": 0.99}}, ...],
   "relations": [{{"type": "Live_In", "head": 0, "tail": 1, "score": 0.97}}]}}
  The answer to several: {{"extractions": [...]}}, in their order.
  Offsets count characters (Unicode code points), the end is exclusive. head and tail are places in entities.
  With "Accept: application/x-ndjson" or /extract?format=jsonl: JSONL, one line a text.

An error is {{"error": "one sentence"}}:
{failures}

GET /model         what the model knows, and what one request may hold
GET /health        whether the server lives, and what it does
GET /ready         200 when the model is loaded and warm, 503 until then
GET /version       the program's version, and what the model was trained on
GET /metrics       counts since the start, for Prometheus
GET /openapi.json  this description for programs (OpenAPI)
GET /              the page
"""
