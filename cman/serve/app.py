"""The web application: the page, `POST /extract`, and the descriptions of both.

Endpoints: `/` (page), `/extract`, `/model` (types, limits, scores), `/health`, `/ready`, `/version`, `/metrics`,
`/openapi.json`, `/api` (the same in words). Every error is `{"error": "one sentence"}`. Nothing is loaded from another
address.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from cman import __version__, drawing
from cman.errors import CmanError
from cman.extract.sentences import Given
from cman.serve import describe
from cman.serve.door import Door
from cman.serve.limits import Limits
from cman.serve.process import EndedError, Inside, ModelProcess, TextExtractor
from cman.serve.question import Question
from cman.serve.worker import ClosedError, QueueFullError, Worker
from cman.validation import told

JSON, LINES = "application/json", "application/x-ndjson"
ENDED = "text: found one at which the model's process ended, for want of memory; wanted shorter sentences."
OURS = "The server failed at this request; its log says where."


def create_app(
    extractor: TextExtractor | ModelProcess, limits: Limits | None = None, hosts: Sequence[str] = ("*",)
) -> Door:
    """Return the application.

    Args:
        extractor: the model, in a process of its own or in this one.
        limits: see there.
        hosts: names under which it may be addressed, `*` for any. A page of another site that lets its own name point
            to this machine is refused by that.
    """
    limits = limits or Limits()
    model = extractor if isinstance(extractor, ModelProcess) else Inside(extractor)
    worker = Worker(model, limits.max_waiting, limits.timeout)
    statuses = Counter[int]()
    app = FastAPI(
        title="CMAN",
        version=__version__,
        summary="Entities and relations of text.",
        docs_url=None,  # FastAPI's own pages load scripts from another address
        redoc_url=None,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    _answer_errors(app)
    _add_pages(app, limits)
    _add_state(app, worker, limits, statuses)
    _add_extract(app, worker, limits)
    app.openapi()["paths"]["/extract"]["post"]["responses"].pop("422")  # FastAPI's own; here it is 400
    return Door(app, worker, limits, statuses)


def _add_pages(app: FastAPI, limits: Limits) -> None:
    def page(name: str) -> str:
        return (files("cman.serve") / name).read_text(encoding="utf-8")

    for path, text, kind in (
        ("/", page("page.html"), "text/html"),
        ("/page.css", page("page.css"), "text/css"),
        ("/page.js", page("page.js"), "text/javascript"),
        ("/style.css", drawing.sheet(), "text/css"),
        ("/drawing.js", drawing.script(), "text/javascript"),
        ("/api", describe.in_words(limits), "text/plain"),
    ):
        app.add_route(path, _always(text, kind), include_in_schema=False)


def _always(text: str, kind: str) -> Callable[[Request], Response]:
    return lambda request: Response(text, media_type=kind)


def _add_state(app: FastAPI, worker: Worker, limits: Limits, statuses: Counter[int]) -> None:
    known = worker.model

    @app.get("/health", summary="Whether the server lives, and what it does.", response_model=describe.Health)
    async def health() -> dict[str, Any]:
        return {"status": "ok", "waiting": worker.waiting, "running": worker.running}

    @app.get("/ready", summary="Whether the model is loaded and warm.", responses={503: {"model": describe.Failure}})
    async def ready() -> dict[str, str]:
        if not known.loaded:
            raise HTTPException(503, "The model is being loaded.", {"Retry-After": "5"})
        return {"status": "ready"}

    @app.get("/version", summary="What answers.", response_model=describe.Version)
    async def version() -> dict[str, Any]:
        return {"version": __version__, "model": known.describe()}

    @app.get("/model", summary="What the model knows, and what one request may hold.", response_model=describe.Model)
    async def model() -> dict[str, Any]:
        return {
            "entity_types": known.entity_types,
            "relation_types": known.relation_types,
            "description": known.describe(),
            "max_characters": limits.max_characters,
            "max_texts": limits.max_texts,
        }

    @app.get("/metrics", summary="Counts since the start.", response_class=PlainTextResponse)
    async def metrics() -> str:
        figures: dict[str, float] = {
            f'cman_answers_total{{status="{status}"}}': count for status, count in sorted(statuses.items())
        }
        figures |= {f"cman_{name}_total": worker.done[name] for name in ("batches", "texts", "characters")}
        figures |= {"cman_seconds_total": round(worker.busy, 6)}
        figures |= {"cman_waiting": worker.waiting, "cman_running": int(worker.running)}
        return "".join(f"{name} {value}\n" for name, value in figures.items())


def _add_extract(app: FastAPI, worker: Worker, limits: Limits) -> None:
    @app.post(
        "/extract",
        summary="Extract entities and relations of one text or several.",
        dependencies=[Depends(_check_content_type)],
        responses=describe.RESPONSES,
        response_model=None,
    )
    async def extract(question: Question, request: Request, format: Literal["json", "jsonl"] | None = None) -> Response:
        """At most so many characters and texts as `/model` says. Without `format`, the Accept header decides."""
        found = await _unless_gone(request, worker, question.givens(limits), question.threshold)
        if format == "jsonl" or (format is None and LINES in request.headers.get("accept", "").lower()):
            return Response("".join(_json(each) + "\n" for each in found), media_type=LINES)
        return Response(_json({"extractions": found} if question.texts else found[0]), media_type=JSON)


def _check_content_type(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        kind = request.headers.get("content-type", "none")[:80]
        raise HTTPException(415, f"Content-Type: found {kind!a}, wanted {JSON}")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


async def _unless_gone(
    request: Request, worker: Worker, givens: list[Given], threshold: float | None
) -> list[dict[str, Any]]:
    """Return what the texts hold; a request whose client went away leaves the queue."""
    work = asyncio.ensure_future(worker.extract(givens, threshold))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise HTTPException(499, "The client closed the connection.")  # nobody reads this
        return work.result()
    except QueueFullError as full:
        retry = {"Retry-After": str(full.retry_after)}
        raise HTTPException(503, f"{worker.max_waiting} requests wait already; try again.", retry) from None
    except ClosedError:
        raise HTTPException(503, "The server is being stopped.", {"Retry-After": "10"}) from None
    except TimeoutError:
        raise HTTPException(504, f"There was no result within {worker.timeout:g} s.") from None
    except EndedError:
        raise HTTPException(413, ENDED) from None
    except CmanError as error:  # the model's own sentence about the text
        raise HTTPException(400, str(error)) from None
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: StarletteHTTPException) -> Response:
        sentence = error.detail
        if error.status_code in (404, 405):
            sentence = f"{request.method} {request.url.path[:80]!a}: {error.detail}; /api says what there is."
        return JSONResponse({"error": sentence}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            sentence = f"body: found no JSON ({first['ctx']['error']} at character {first['loc'][1]}), wanted an object"
        else:
            sentence = told(first | {"loc": first["loc"][1:]})
        return JSONResponse({"error": sentence}, 400)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": OURS}, 500)  # the door writes the error to the log
