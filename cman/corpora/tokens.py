"""The tokens of English text: the rules under which the public folds of ADE were made, with character offsets.

The folds of Eberts and Ulges (2020) hold the tokens of spaCy as it was then. Its version 3.8 divides 421 of the 4,272
sentences differently (`44-year` has become three tokens), so the rules stand here, as far as they matter: a word
between blanks loses signs at its beginning and end one by one, and what is left is divided at signs between letters.
A full stop that ends the text is always a token.
"""

import re

SIGNS = r"""[%=,:;!?()\[\]{}<>_#*&"'$]"""
UNITS = "km|m|cm|mm|nm|ha|kg|g|mg|t|lb|oz|mph|hPa|Pa|mbar|mb|MB|kb|KB|gb|GB|tb|TB|T|G|M|K|%"
PREFIX = re.compile(rf"\.\.+|''|{SIGNS}|\+(?![0-9])")
SUFFIX = re.compile(
    rf"(?:\.\.+|'[sS]|''|{SIGNS}|(?<=[0-9])\+|(?<=[0-9])(?:{UNITS})"
    rf"|(?<=[0-9a-z+-])\.|(?<={SIGNS})\.|(?<=[A-Z][A-Z])\.)$"
)
INFIX = re.compile(
    r"\.\.+|(?<=[0-9])[+*^-](?=[0-9-])|(?<=[a-z])\.(?=[A-Z])|(?<=[A-Za-z]),(?=[A-Za-z])"
    r'|(?<=[A-Za-z])(?:--|-|~)(?=[A-Za-z])|(?<=[A-Za-z"])[:<>=/](?=[A-Za-z])|\)-'
)
# Words that the rules would divide otherwise; most are exceptions of spaCy, the fourth is one of the folds' own.
WHOLE = {word: (word,) for word in ("and/or", "i.e.", "e.g.", "<3", "(=")}
EXCEPTIONS = {**WHOLE, "bisabolol-": ("bisabolol", "-"), "cannot": ("can", "not"), "im": ("i", "m")}


def tokenise(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each token, `end` exclusive; together the tokens are the text without its blanks."""
    stop = len(text) - text.endswith(".")
    spans = [span for word in re.finditer(r"\S+", text[:stop]) for span in _divided(word[0], word.start())]
    return [*spans, (stop, stop + 1)] if stop < len(text) else spans


def _divided(word: str, offset: int) -> list[tuple[int, int]]:
    start, end = 0, len(word)
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    while start < end and word[start:end] not in EXCEPTIONS:
        size = end - start
        suffix = SUFFIX.search(word[start:end])
        prefix = PREFIX.match(word[start:end])
        if prefix and not (suffix and word[start : start + suffix.start()] in EXCEPTIONS):
            before.append((start, start + prefix.end()))
            start += prefix.end()
            suffix = None if word[start:end] in EXCEPTIONS else SUFFIX.search(word[start:end])
        if suffix:
            after.append((start + suffix.start(), end))
            end = start + suffix.start()
        if end - start == size:
            break
    core = [(start + first, start + last) for first, last in _core(word[start:end])]
    return [(offset + first, offset + last) for first, last in [*before, *core, *reversed(after)]]


def _core(word: str) -> list[tuple[int, int]]:
    if word in EXCEPTIONS:
        lengths = [len(part) for part in EXCEPTIONS[word]]
        return [(sum(lengths[:place]), sum(lengths[: place + 1])) for place in range(len(lengths))]
    spans, start = [], 0
    for sign in INFIX.finditer(word):
        if sign.start() > start:
            spans.append((start, sign.start()))
        if sign[0] == ")-":
            spans += [(sign.start(), sign.start() + 1), (sign.start() + 1, sign.end())]
        elif sign.start() > 0:
            spans.append(sign.span())
        start = sign.end() if sign.start() > 0 or sign[0] == ")-" else 0
    return [*spans, (start, len(word))] if start < len(word) else spans
