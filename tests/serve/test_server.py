"""A real server under what should not happen: too many, too long, too slow; it answers, stays small and lives."""

import asyncio
import signal
import socket
import time

import httpx
import pytest

pytest.importorskip("fastapi")
from fake_extractor import FakeExtractor
from served import Served, read_all, request, served

from cman.errors import CmanError, UsageError
from cman.extract.sentences import Given
from cman.serve.app import create_app
from cman.serve.limits import Limits
from cman.serve.process import Inside
from cman.serve.server import address_of, bound_socket
from cman.serve.worker import ClosedError, QueueFullError, Worker

TEXT = {"text": "Ada lives in London"}


def lives(server: Served) -> bool:
    answer = httpx.post(server.address + "extract", json=TEXT, timeout=60)
    return answer.status_code == 200 and len(answer.json()["entities"]) == 2


def lives_again(server: Served) -> bool:
    """Whether it answers after a crowd, whose last connections it may still count for a moment."""
    for _ in range(50):
        if lives(server):
            return True
        time.sleep(0.1)
    return False


def until(server: Served, name: str, value: object) -> None:
    """Return when the server says so of itself."""
    for _ in range(1000):
        if httpx.get(server.address + "health", timeout=60).json()[name] == value:
            return
    raise AssertionError(f"{name} never became {value}")


# ---- the queue


def given(text: str) -> list[Given]:
    return [Given("1", text)]


def in_turn(extractor: FakeExtractor, max_waiting: int, timeout: float, asked: list[str]) -> list[object]:
    """The outcomes of one text that makes the model wait, then of others; the model goes on when all have one."""

    async def ask() -> list[object]:
        worker = Worker(Inside(extractor), max_waiting, timeout)
        first = asyncio.ensure_future(worker.extract(given("wait")))
        await asyncio.to_thread(extractor.begun.wait)
        others = [asyncio.ensure_future(worker.extract(given(text))) for text in asked]
        done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED) if others else (set(), None)
        assert all(each.exception() is not None for each in done)
        if timeout < 1:
            await asyncio.wait([first, *others])
        extractor.go_on.set()
        outcomes = await asyncio.gather(first, *others, return_exceptions=True)
        assert await worker.extract(given("after"))
        worker.close()
        with pytest.raises(ClosedError):
            await worker.extract(given("late"))
        return outcomes

    return asyncio.run(ask())


def test_a_request_beyond_the_queue_is_refused_and_the_others_are_computed():
    extractor = FakeExtractor()
    outcomes = in_turn(extractor, 2, 20, ["1", "2", "3", "4"])
    assert [isinstance(each, QueueFullError) for each in outcomes] == [False, False, False, True, True]
    assert extractor.seen == ["wait", "1", "2", "after"]
    assert all(each.retry_after >= 1 for each in outcomes if isinstance(each, QueueFullError))


def test_a_request_that_timed_out_while_it_waited_is_never_computed():
    extractor = FakeExtractor()
    outcomes = in_turn(extractor, 2, 0.2, ["1", "2"])
    assert [type(each) for each in outcomes] == [TimeoutError] * 3
    assert extractor.seen == ["wait", "after"]


def test_requests_that_wait_are_computed_in_one_batch_and_each_alone_if_it_fails():
    extractor = FakeExtractor()
    outcomes = in_turn(extractor, 3, 20, ["1", "2", "3", "4"])
    assert [[each["text"] for each in found] for found in outcomes[:-1]] == [["wait"], ["1"], ["2"], ["3"]]
    assert extractor.calls == [(1, None), (3, None), (1, None)]
    extractor = FakeExtractor()
    outcomes = in_turn(extractor, 3, 20, ["1", "break", "3", "4"])
    assert [type(each) for each in outcomes] == [list, list, ZeroDivisionError, list, QueueFullError]
    assert [count for count, _ in extractor.calls] == [1, 3, 1, 1, 1, 1]


def through_the_door(limits: Limits, clients: int, leave: bool = False) -> tuple[list[httpx.Response], FakeExtractor]:
    """The answers to several requests while the model is busy; with `leave`, the last clients go away instead."""
    extractor = FakeExtractor()
    app = create_app(extractor, limits)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            tasks = [asyncio.ensure_future(client.post("/extract", json={"text": "wait"}))]
            await asyncio.to_thread(extractor.begun.wait)
            tasks += [asyncio.ensure_future(client.post("/extract", json=TEXT)) for _ in range(clients)]
            waiting = set(tasks)
            while (
                len(waiting) > 1 + limits.max_waiting
            ):  # on a busy machine not all have arrived when the first is refused
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if limits.timeout < 1:
                await asyncio.wait(tasks)
            extractor.go_on.set()
            return await asyncio.gather(*tasks)

    answers = asyncio.run(ask())
    app.worker.close()
    return answers, extractor


def test_too_many_at_once_are_answered_by_503_and_when_to_come_back():
    answers, _ = through_the_door(Limits(max_waiting=3, timeout=20), 30)
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [503] * 27
    late = [answer for answer in answers if answer.status_code == 503]
    assert all(int(answer.headers["retry-after"]) >= 1 and answer.json()["error"] for answer in late)


def test_a_result_that_does_not_come_in_time_is_answered_by_504():
    answers, extractor = through_the_door(Limits(max_waiting=3, timeout=0.3), 2)
    assert [answer.status_code for answer in answers] == [504] * 3
    assert extractor.seen == ["wait"]


# ---- bodies and connections


def test_many_long_bodies_are_refused_in_little_memory():
    body = b'{"text": "' + b"a" * 10_000_000 + b'"}'
    with served(timeout=120) as server:  # of which a busy machine needs much
        assert lives(server)
        before = server.peak()

        async def post(client: httpx.AsyncClient, chunked: bool) -> int:
            async def pieces():
                for start in range(0, len(body), 65536):
                    yield body[start : start + 65536]

            headers = {"content-type": "application/json"}
            if not chunked:  # in pieces, too: copies of whole bodies would keep a busy machine from sending any
                headers["content-length"] = str(len(body))
            return (await client.post(server.address + "extract", content=pieces(), headers=headers)).status_code

        async def all_of_them() -> list[int]:
            limits = httpx.Limits(max_connections=60)
            async with httpx.AsyncClient(limits=limits, timeout=300) as client:
                return await asyncio.gather(*[post(client, number % 2 == 0) for number in range(50)])

        # Of 50, some find the server busy; none is accepted, and none gets no answer.
        statuses = asyncio.run(all_of_them())
        assert set(statuses) <= {413, 503} and statuses.count(413) > 10
        assert server.peak() - before < 60
        assert lives_again(server)


def test_an_endless_chunked_body_is_answered_and_cut_off():
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    with served() as server:
        with server.connect() as connection:
            connection.sendall(request("Transfer-Encoding: chunked"))
            sent = 0
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                while sent < 2**31:
                    connection.sendall(chunk)
                    sent += len(chunk)
        with server.connect() as connection:
            connection.sendall(request("Transfer-Encoding: chunked") + chunk * 5)
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 413") and b"body: found more than 244,096 bytes" in answer
        assert server.peak() < 250
        assert lives(server)


def test_a_length_that_is_too_long_is_refused_before_the_body_is_sent():
    with served() as server, server.connect() as connection:
        connection.sendall(request("Content-Length: 999999999999", "Expect: 100-continue"))
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 413") and b"100 Continue" not in answer
        assert lives(server)


def test_a_body_that_trickles_is_cut_off_with_an_answer():
    with served(timeout=0.5) as server, server.connect() as connection:
        connection.sendall(request("Content-Length: 30", body=b'{"te'))
        assert read_all(connection).startswith(b"HTTP/1.1 408")
        assert lives(server)


@pytest.mark.parametrize("head", [b"", b"POST /extract HTTP/1.1\r\nHost: local"])
def test_headers_that_do_not_come_are_cut_off(head):
    with served(timeout=0.5) as server, server.connect() as connection:
        connection.sendall(head)
        assert read_all(connection) == b""
        assert lives(server)


def test_headers_without_an_end_are_refused():
    with served() as server, server.connect() as connection:
        connection.sendall(request("X: " + "a" * 40_000)[:-4])
        assert read_all(connection)[:12] in (b"HTTP/1.1 400", b"")
        assert lives(server)


def test_a_client_that_went_away_leaves_the_queue():
    with served(waiting=1, timeout=20) as server:
        body = b'{"text": "wait"}'
        with server.connect() as busy:
            busy.sendall(request(f"Content-Length: {len(body)}", body=body))
            until(server, "running", True)
            with server.connect() as waiting:
                waiting.sendall(request(f"Content-Length: {len(body)}", body=body))
                until(server, "waiting", 1)
                assert httpx.post(server.address + "extract", json=TEXT, timeout=60).status_code == 503
            until(server, "waiting", 0)


# ---- beginning and end


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0_even_while_the_model_computes(how):
    with served() as server, server.connect() as connection:
        body = b'{"text": "wait"}'
        connection.sendall(request(f"Content-Length: {len(body)}", body=body))
        until(server, "running", True)
        assert server.stop(how) == 0


def test_a_port_that_is_taken_is_told_in_a_sentence():
    with bound_socket("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        assert address_of(first) == f"http://127.0.0.1:{port}/"
        with pytest.raises(CmanError, match=f"--port {port}: .*wanted a free port"):
            bound_socket("127.0.0.1", port)


def test_a_host_that_is_none_is_a_wrong_use(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UsageError, match=r"--host: found 'no\.such'"):
        bound_socket("no.such", 0)
