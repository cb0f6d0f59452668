"""What a user should know about texts before trusting what is found in them: wrapped lines, JSON, tags."""

import logging
import re
from collections import Counter
from collections.abc import Iterator

from cman.extract.reading import Record

log = logging.getLogger(__name__)

LOOKED_AT = 500  # texts at the beginning
FEWEST = 3  # of them that make a sentence about most
MOST = 0.5
LONG = 40  # characters of a line that is no heading
ENDS = re.compile(r"""[.!?:;…。！？]["'”’»)\]]*\s*$""")
TAGS = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:nbsp|amp|lt|gt|quot|#\d+);")
JSON = re.compile(r"""\s*(\{\s*"|\[\s*[{"]).*[}\]],?\s*$""", re.DOTALL)
MOJIBAKE = re.compile("\u00c3[\u0080-\u00bf]|\u00e2\u20ac|\u00c2[\u00a0-\u00bf]|\ufffd")

SAID = {
    "wrapped": "end without a full stop: are they wrapped lines? --documents paragraph or file reads them as one text",
    "json": "are JSON, which is read as words; --input-format jsonl reads an object a line",
    "tags": "hold tags or entities of HTML, which are read as words; take the text out of it first",
    "mojibake": "hold characters as of UTF-8 that was read as another encoding, such as Ã© for é; mend them first",
}


def watched(records: Iterator[Record], lines: bool) -> Iterator[Record]:
    """Yield records, and say once what is suspicious about the first of them.

    Args:
        lines: a line is a document.
    """
    texts: list[str] | None = []
    for record in records:
        if texts is not None and record.given is not None:
            texts.append(record.given.text)
            if len(texts) == LOOKED_AT:
                _say(texts, lines)
                texts = None
        yield record
    if texts:
        _say(texts, lines)


def suspicions(texts: list[str], lines: bool) -> dict[str, int]:
    """Return how many texts are suspicious of what, where it is worth a warning."""
    filled = [text for text in texts if text.strip()]
    counts: Counter[str] = Counter()
    for text in filled:
        counts["wrapped"] += lines and len(text) >= LONG and not ENDS.search(text)
        counts["json"] += bool(JSON.match(text))
        counts["tags"] += bool(TAGS.search(text))
        counts["mojibake"] += bool(MOJIBAKE.search(text))
    share = MOST * len(filled)
    least = {"mojibake": 1.0, "json": max(1.0, share)}
    return {kind: count for kind, count in counts.items() if count >= least.get(kind, max(FEWEST, share))}


def _say(texts: list[str], lines: bool) -> None:
    for kind, count in suspicions(texts, lines).items():
        log.warning("%d of the first %d texts %s", count, len(texts), SAID[kind])
