"""Mutated files: bytes cut, copied, flipped or put in, and JSON whose values are replaced, removed or repeated.

A mutation is known by its seed and its number, so that one that a test reports can be made again.
"""

import contextlib
import json
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cman.errors import CmanError

PIECES = [b"\x00", b"\xff", b"\n", b'"', b"\\ud800", b"[", b"]", b"{", b"}", b"-1", b"9" * 5000, b"1e999", b"NaN",
          b"\t", b"\r", b" ", b",", b":", b"../", "\u2028".encode()]  # fmt: skip
VALUES = [None, True, False, -1, 0, 1, 2**63, 10**5000, 0.5, 1e308, float("inf"), float("nan"), "", "\0", "\ud800",
          "x", "../x", "x" * 3000, [], {}, [None], {"": 0}]  # fmt: skip
SECONDS = 5  # of the processor, for one file


class Reader(NamedTuple):
    """A reader, the file that is mutated, and what must hold of whatever it accepts."""

    path: Path
    read: Callable[[], Any]
    check: Callable[[Any], None] = lambda value: None


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return content with up to three cuts, copies, flips or pieces put in, or with other values where it is JSON."""
    if chance.random() < 0.5:
        with contextlib.suppress(ValueError):
            return _other_values(content, chance)
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.randint(0, 8))
        put = [b"", content[start:end] * 2, chance.choice(PIECES), bytes([chance.randrange(256)]),
               b"[" * chance.randint(1, 3000)][chance.choice((0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4))]  # fmt: skip
        content = content[:start] + put + content[end:]
    return content


def _other_values(content: bytes, chance: random.Random) -> bytes:
    """Return JSON, or lines of it, with up to two values changed."""
    try:
        value, lines = json.loads(content), False
    except ValueError:
        value, lines = [json.loads(line) for line in content.splitlines()], True
    for _ in range(chance.randint(1, 2)):
        places = list(_places(value))
        if not places:
            break
        inside, key = chance.choice(places)
        change = chance.randrange(4)
        if change == 0:
            del inside[key]
        elif change == 1 and isinstance(inside, list):
            inside.insert(key, inside[key])
        elif change == 2:
            other, place = chance.choice(places)
            inside[key] = json.loads(_json(other[place]))
        else:
            inside[key] = chance.choice(VALUES)
    return ("".join(_json(each) + "\n" for each in value) if lines else _json(value)).encode()


def _json(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**4000:
        return "9" * 5000  # which Python does not write
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_json(each)}' for key, each in value.items())}}}"
    return json.dumps(value)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Raise an error in what takes longer than it may."""

    def late(*_: Any) -> None:
        raise AssertionError(f"took more than {SECONDS} s of the processor")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def fuzz(name: str, reader: Reader, times: int) -> int:
    """Read mutations of a file; return how many were accepted.

    Nothing but CmanError may come out, in at most 500 characters and with the name of the file, and what is accepted
    must pass the reader's check.

    Raises:
        AssertionError: with one mutation of each kind that went wrong.
    """
    sound, accepted, wrong = reader.path.read_bytes(), 0, dict[str, str]()
    reader.check(reader.read())
    for number in range(times):
        reader.path.write_bytes(content := mutated(sound, random.Random(f"{name}.{number}")))
        try:
            with bounded():
                reader.check(reader.read())
            accepted += 1
        except CmanError as error:
            told = str(error)
            if len(told) > 500 or (reader.path.name not in told and str(reader.path.parent) not in told):
                wrong.setdefault("message", f"mutation {number}: {told}")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
            wrong.setdefault(kind, f"mutation {number}: {str(error)[:200]!r} at {content[:200]!r}")
    reader.path.write_bytes(sound)
    assert not wrong, f"{name}: " + "\n".join(f"{kind}: {each}" for kind, each in wrong.items())
    return accepted
