"""An extractor that finds capitalised words, and obeys a few words of the text: for tests of the server.

Run as a program, it serves itself: port 0, options `max_characters max_waiting timeout`; the address is printed.
"""

import os
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.extract.sentences import Given


@dataclass(frozen=True)
class FakeExtraction:
    id: str
    text: str

    def to_json(self) -> dict[str, Any]:
        words = list(re.finditer(r"\b[A-Z][a-z]+\b", self.text))
        entities = [
            {
                "type": "Loc" if word.group() in ("London", "Paris") else "Peop",
                "start": word.start(),
                "end": word.end(),
                "text": word.group(),
                "score": round(0.99 - 0.05 * place, 4),
            }
            for place, word in enumerate(words)
        ]
        relations = [
            {"type": "Live_In", "head": head, "tail": tail, "score": 0.7}
            for head in range(len(entities))
            for tail in range(len(entities))
            if abs(head - tail) == 1 and entities[head]["type"] == "Peop" and entities[tail]["type"] == "Loc"
        ]
        return {"id": self.id, "text": self.text, "entities": entities, "relations": relations}


class FakeExtractor:
    entity_types = ("Peop", "Loc", "Org")
    relation_types = ("Live_In", "Work_For")

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.calls: list[tuple[int, float | None]] = []  # texts and threshold of each
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def describe(self) -> dict[str, Any]:
        return {"corpus": "conll04", "experiment": "cman"}

    def read(self, givens: list[Given], threshold: float | None = None) -> list[FakeExtraction]:
        texts = [given.text for given in givens]
        self.seen += texts
        self.calls.append((len(texts), threshold))
        if "wait" in texts:
            self.begun.set()
            self.go_on.wait(20)
        if "hang" in texts:
            re.match(r"(a+)+$", "a" * 64 + "b")  # for ever, and no other thread of this process runs
        if "die" in texts:
            os._exit(9)  # as the system ends a process for want of memory
        if "break" in texts:
            raise ZeroDivisionError("secret words")
        if "unreadable" in texts:
            raise CmanError("text 1: found no sentence, wanted one")
        if "infinite" in texts:
            return [Infinite("1", "")]
        return [FakeExtraction(given.id, given.text) for given in givens]


class Infinite(FakeExtraction):
    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "score": float("inf")}


def load(path: Path, options: dict[str, Any], verify: bool) -> FakeExtractor:
    """As `cman serve` loads a model, in the model's process."""
    print(path, sorted(options.items()), file=sys.stderr)
    return FakeExtractor()


def main() -> None:
    from cman.serve.app import create_app
    from cman.serve.limits import Limits
    from cman.serve.process import ModelProcess
    from cman.serve.server import address_of, allowed_hosts, bound_socket, serve

    characters, waiting, timeout = sys.argv[1:]
    limits = Limits(int(characters), max_waiting=int(waiting), timeout=float(timeout))
    with bound_socket("127.0.0.1", 0) as listener:
        listener.listen()
        listener.listen()
        print(address_of(listener), flush=True)
        serve(create_app(ModelProcess(FakeExtractor), limits, allowed_hosts("127.0.0.1")), listener, limits)


if __name__ == "__main__":
    main()
