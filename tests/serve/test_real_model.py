"""The server with a real extractor behind it, as `cman serve` starts it."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from served import request
from untrained import untrained

from cman import Extractor

TEXT = "Ada Lovelace lives in London. \U0001f600 Charles Babbage lives in Cambridge."


def test_the_endpoint_answers_what_the_extractor_finds(tmp_path: Path) -> None:
    model = untrained(tmp_path / "model")
    command = [sys.executable, "-m", "cman", "serve", "--model", str(model), "--port", "0", "--threads", "1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert address is not None
        found = httpx.post(f"{address[0]}/extract", json={"text": TEXT}, timeout=60)
        expected = Extractor.load(model, threads=1)(TEXT).to_json()
        assert found.status_code == 200 and expected["entities"]
        assert found.json() == json.loads(json.dumps(expected))
        assert httpx.post(f"{address[0]}/extract", content=b"{", headers={"content-type": "application/json"}).is_error
        known = httpx.get(f"{address[0]}/model").json()
        assert known["entity_types"] == ["Loc", "Peop"] and known["description"] == {"corpus": "none"}
    finally:
        server.terminate()
        assert server.wait(20) == 0


@pytest.mark.slow
def test_no_text_and_no_crowd_keeps_health_or_other_clients_waiting() -> None:
    """What once stopped the whole server: 20,000 brackets, as many emojis, an endless sentence, slow clients."""
    model = Path(__file__).parents[2] / "models" / "conll04"
    command = [sys.executable, "-m", "cman", "serve", "--model", str(model), "--port", "0", "--threads", "1",
               "--max-characters", "100000"]  # fmt: skip
    done, health, others = threading.Event(), list[float](), list[int]()
    with contextlib.ExitStack() as stack:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        stack.callback(server.wait)
        stack.callback(server.kill)
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())
        assert address is not None

        def watch() -> None:
            with httpx.Client(timeout=60) as client:
                while not done.wait(0.1):
                    start = time.monotonic()
                    assert client.get(f"{address[0]}/health").status_code == 200
                    health.append(time.monotonic() - start)

        def ask() -> None:
            with httpx.Client(timeout=60) as client:
                while not done.wait(0.3):
                    others.append(client.post(f"{address[0]}/extract", json={"text": TEXT}).status_code)

        threads = [threading.Thread(target=each) for each in (watch, ask)]
        trickling = [socket.create_connection(("127.0.0.1", int(address[1]))) for _ in range(50)]
        try:
            for connection in trickling:
                connection.sendall(request("Content-Length: 99", body=b'{"te'))
            assert httpx.post(f"{address[0]}/extract", json={"text": TEXT}, timeout=60).status_code == 200
            for thread in threads:
                thread.start()
            for text in ("(" * 20_000, "\U0001f600" * 20_000, "word " * 10_000 + "."):
                refused = httpx.post(f"{address[0]}/extract", json={"text": text}, timeout=60)
                assert refused.status_code == 400 and "wanted 1000 at most" in refused.json()["error"]
            deadline = time.monotonic() + 30  # a fast machine refuses all before health was asked often
            while len(health) <= 5 and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            done.set()
            for thread in threads:
                thread.join()
            for connection in trickling:
                connection.close()
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others may have the processors
    assert len(health) > 5 and max(health) < busy, max(health)
    assert others and set(others) == {200}
