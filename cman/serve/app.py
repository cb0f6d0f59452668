"""The web application: the page, `POST /extract`, and the descriptions of both.

Endpoints: `/` (page), `/extract`, `/model` (types, limits, scores), `/health`, `/openapi.json`, `/api` (the same in
words). Every error is `{"error": "one sentence"}`. Nothing is loaded from another address.
"""

import asyncio
import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cman import __version__
from cman.errors import CmanError
from cman.serve import describe
from cman.serve.asked import RefusedError, parse_asked
from cman.serve.door import App, Door
from cman.serve.limits import Limits
from cman.serve.process import EndedError, Inside, ModelProcess, TextExtractor
from cman.serve.worker import ClosedError, QueueFullError, Worker

JSON, LINES = "application/json", "application/x-ndjson"
STATIC = {"/": ("page.html", "text/html"), "/page.css": ("page.css", "text/css")}
STATIC |= {f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("page", "drawing")}

ENDED = "text: found one at which the model's process ended, for want of memory; wanted shorter sentences."
OURS = "The server failed at this request; its log says where."


def create_app(
    extractor: TextExtractor | ModelProcess, limits: Limits | None = None, hosts: frozenset[str] | None = None
) -> Door:
    """Return the application.

    Args:
        extractor: the model, in a process of its own or in this one.
        limits: see there.
        hosts: names under which it may be addressed; see `Door`.
    """
    limits = limits or Limits()
    model = extractor if isinstance(extractor, ModelProcess) else Inside(extractor)
    worker = Worker(model, limits.max_waiting, limits.timeout)
    return Door(_application(model, worker, limits), worker, limits, hosts)


def _application(known: ModelProcess | Inside, worker: Worker, limits: Limits) -> App:
    app = FastAPI(
        title="CMAN",
        version=__version__,
        summary="Entities and relations of text.",
        docs_url=None,  # FastAPI's own pages load scripts from another address
        redoc_url=None,
    )
    _answer_errors(app)
    for path, (name, kind) in STATIC.items():
        app.add_api_route(path, _file(name, kind), include_in_schema=False)

    @app.get("/api", include_in_schema=False)
    async def api() -> Response:
        return Response(describe.in_words(limits), media_type="text/plain")

    @app.get("/health", summary="Whether the server lives, and what it does.", response_model=describe.Health)
    async def health() -> dict[str, Any]:
        return {"status": "ok", "waiting": worker.waiting, "running": worker.running}

    @app.get("/model", summary="What the model knows, and what one request may hold.", response_model=describe.Model)
    async def model() -> dict[str, Any]:
        return {
            "entity_types": known.entity_types,
            "relation_types": known.relation_types,
            "description": known.describe(),
            "max_characters": limits.max_characters,
            "max_texts": limits.max_texts,
        }

    @app.post(
        "/extract",
        summary="Extract entities and relations of one text or several.",
        openapi_extra=describe.request(limits),
        responses=describe.RESPONSES,
        response_model=None,
    )
    async def extract(request: Request) -> Response:
        lines = _wants_lines(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            kind = request.headers.get("content-type", "none")[:80]
            raise RefusedError(415, f"Content-Type: found {kind!a}, wanted {JSON}")
        asked = parse_asked(await request.body(), limits)
        found = await _unless_gone(request, worker, asked.texts)
        if lines:
            text = "".join(_json(each) + "\n" for each in found)
        else:
            text = _json(found[0] if asked.single else {"extractions": found})
        return Response(text.encode(), media_type=LINES if lines else JSON)

    return app


def _wants_lines(request: Request) -> bool:
    format = request.query_params.get("format")
    if format not in (None, "json", "jsonl"):
        raise RefusedError(400, f"format: found {format[:40]!a}, wanted json or jsonl")
    return format == "jsonl" if format else LINES in request.headers.get("accept", "").lower()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _file(name: str, kind: str) -> Any:
    content = (files("cman.serve") / name).read_bytes()

    async def answer() -> Response:
        return Response(content, media_type=kind)

    return answer


async def _unless_gone(request: Request, worker: Worker, texts: list[str]) -> list[dict[str, Any]]:
    """Return what the texts hold; a request whose client went away leaves the queue."""
    work = asyncio.ensure_future(worker.extract(texts))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise RefusedError(499, "The client closed the connection.")  # nobody reads this
        return work.result()
    except QueueFullError as full:
        retry = {"Retry-After": str(full.retry_after)}
        raise RefusedError(503, f"{worker.max_waiting} requests wait already; try again.", retry) from None
    except ClosedError:
        raise RefusedError(503, "The server is being stopped.", {"Retry-After": "10"}) from None
    except TimeoutError:
        raise RefusedError(504, f"There was no result within {worker.timeout:g} s.") from None
    except EndedError:
        raise RefusedError(413, ENDED) from None
    except CmanError as error:  # the model's own sentence about the text
        raise RefusedError(400, str(error)) from None
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return JSONResponse({"error": error.sentence}, error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        where = f"{request.method} {request.url.path[:80]!a}"
        sentence = f"{where}: {error.detail}; /api says what there is."
        return JSONResponse({"error": sentence}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": OURS}, 500)  # the door writes the error to the log
