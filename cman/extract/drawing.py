"""An extraction as HTML that stands alone, for notebooks: a line a sentence, entities as boxes, relations as arcs.

Everything is SVG without a script, because notebooks show saved results without running anything. Widths are those of a
monospace font, and each piece of text is told its width, so that boxes and arcs fit whichever font is used.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cman.extract.extraction import Extraction, FoundEntity, FoundRelation

CELL, LINE = 8.4, 20  # pixels of a character, and of a line of text
LEVEL = 20  # pixels between two arcs
MARGIN = 6
SENTENCES = 50  # that are drawn; of the others the number is told
COLOURS = ("#cfe3ff", "#ffe0b8", "#cdeccb", "#f4cfe3", "#e2d6fb", "#fbeaa5", "#c9ecec", "#e4e4e4")
FONT = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:14px"

Span = tuple[int, int]


def html(extraction: "Extraction") -> str:
    """Return the drawing of a text with its entities and relations."""
    sentences = extraction.sentences or ((0, len(extraction.text)),)
    types = list(dict.fromkeys(entity.type for entity in extraction.entities))
    colours = {kind: COLOURS[index % len(COLOURS)] for index, kind in enumerate(types)}
    parts = [_sentence(extraction, span, colours) for span in sentences[:SENTENCES]]
    if not extraction.text.strip() and not extraction.entities:
        parts = ["<p>(a text without a word)</p>"]
    if len(sentences) > SENTENCES:
        parts.append(f"<p>… and {len(sentences) - SENTENCES} more sentences</p>")
    return f'<div style="background:#fff;color:#111;padding:4px;{FONT}">{"".join(parts)}</div>'


def _sentence(extraction: "Extraction", span: Span, colours: dict[str, str]) -> str:
    inside = {
        index: entity
        for index, entity in enumerate(extraction.entities)
        if span[0] <= entity.start and entity.end <= span[1]
    }
    links = [link for link in extraction.relations if link.head in inside and link.tail in inside]
    levels = _levels([tuple(sorted((inside[link.head].start, inside[link.tail].start))) for link in links])
    top = MARGIN + LEVEL * (max(levels, default=-1) + 1) + LINE
    pieces, boxes, x = [], {}, float(MARGIN)
    for text, index in _pieces(extraction.text, span, inside):
        size = CELL * max(cells(text), 1)
        if index is None:
            pieces.append(_text(text, x, top, size))
        else:
            entity = inside[index]
            size = max(size, CELL * 0.72 * cells(entity.type)) + 6
            boxes[index] = x + size / 2
            pieces.append(_box(entity, text, x, top, size, colours[entity.type]))
        x += size
    arcs = [_arc(link, boxes, top, level) for link, level in zip(links, levels, strict=True)]
    width, height = x + MARGIN, top + LINE + MARGIN
    return (
        '<div style="overflow-x:auto">'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" style="{FONT}">'
        f"{''.join(arcs)}{''.join(pieces)}</svg></div>"
    )


def _pieces(text: str, span: Span, inside: dict[int, "FoundEntity"]) -> Iterator[tuple[str, int | None]]:
    """Yield the text of a sentence in pieces, each with the entity that it is."""
    at = span[0]
    for index, entity in sorted(inside.items(), key=lambda pair: (pair[1].start, pair[1].end)):
        if entity.start > at:
            yield _visible(text[at : entity.start]), None
        yield _visible(text[entity.start : entity.end]) or "∅", index  # a root has no characters
        at = max(at, entity.end)
    if at < span[1]:
        yield _visible(text[at : span[1]]), None


def _visible(text: str) -> str:
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in ("Cc", "Cs") and not char.isspace()
                   else " " if char.isspace() else char for char in text)  # fmt: skip


def cells(text: str) -> int:
    """Return how many characters of a monospace font a text is wide."""
    return sum(
        0
        if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn")
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )


def _text(text: str, x: float, y: float, size: float, more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" textLength="{size:.1f}" lengthAdjust="spacingAndGlyphs" fill="#111" '
        f'style="white-space:pre" xml:space="preserve"{more}>{escape(text)}</text>'
    )


def _box(entity: "FoundEntity", text: str, x: float, y: float, size: float, colour: str) -> str:
    score = "" if entity.score is None else f" {entity.score:.2f}"
    wide = CELL * max(cells(text), 1)
    return (
        f"<g><title>{escape(entity.type)}{score}</title>"
        f'<rect x="{x + 1:.1f}" y="{y - 15}" width="{size - 2:.1f}" height="{LINE + 14}" rx="4" fill="{colour}"/>'
        f"{_text(text, x + (size - wide) / 2, y, wide)}"
        f'<text x="{x + size / 2:.1f}" y="{y + 14}" text-anchor="middle" fill="#444" font-size="10">'
        f"{escape(entity.type)}</text></g>"
    )


def _arc(link: "FoundRelation", boxes: dict[int, float], top: float, level: int) -> str:
    head, tail = boxes[link.head], boxes[link.tail]
    side = 4 if tail > head else -4  # an entity with several arcs has them side by side
    head, tail = head + side, tail - side
    bottom, y = top - 17, top - LINE - LEVEL * level - 4
    score = "" if link.score is None else f" {link.score:.2f}"
    return (
        f"<g><title>{escape(link.type)}{score}</title>"
        f'<path d="M{head:.1f},{bottom} C{head:.1f},{y - 6} {head:.1f},{y} {(head + tail) / 2:.1f},{y} '
        f'C{tail:.1f},{y} {tail:.1f},{y - 6} {tail:.1f},{bottom}" fill="none" stroke="#666"/>'
        f'<path d="M{tail - 4:.1f},{bottom - 6} L{tail:.1f},{bottom} L{tail + 4:.1f},{bottom - 6}z" fill="#666"/>'
        f'<text x="{(head + tail) / 2:.1f}" y="{y - 4}" text-anchor="middle" fill="#333" font-size="11" '
        f'stroke="#fff" stroke-width="3" paint-order="stroke">{escape(link.type)}</text></g>'
    )


def _levels(spans: Sequence[tuple[int, ...]]) -> list[int]:
    """Return a height for each span: above all that it has in common with, shorter ones first."""
    levels = [0] * len(spans)
    done: list[int] = []
    for index in sorted(range(len(spans)), key=lambda each: spans[each][1] - spans[each][0]):
        start, end = spans[index]
        below = [levels[each] for each in done if max(start, spans[each][0]) < min(end, spans[each][1])]
        levels[index] = max(below, default=-1) + 1
        done.append(index)
    return levels
