"""The server with a real extractor behind it, as `cman serve` starts it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
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
