"""Text for LaTeX that every engine compiles, whatever its script.

Plain pdfLaTeX has the Latin letters of Western Europe and accents to compose others with. Any other character becomes
`\\cmanchar{4E2D}`, its code point: LuaLaTeX and XeLaTeX print the character itself where the document's font or DejaVu
Sans has it, and otherwise, as pdfLaTeX always does, `[U+4E2D]`. A long word may break after every few letters, so that
it stays on the page.
"""

import re
import unicodedata

ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
}
DIRECT = set("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŁłŒœŠšŽž")
ACCENTS = {  # combining character -> accent command
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
LONGEST, STEP = 24, 12  # letters of a word that is not broken, and after how many a longer one may be


def escape(text: str) -> str:
    """Return text for LaTeX, its special characters escaped and every run of white space made one blank."""
    return " ".join(_word(word) for word in text.split())


def _word(word: str) -> str:
    letters = [_character(character) for character in word]
    if len(letters) > LONGEST:
        letters = [letter + r"\-" * (place % STEP == 0) for place, letter in enumerate(letters, start=1)]
    return "".join(letters)


def _character(character: str) -> str:
    if character in ESCAPES or character in DIRECT or " " <= character <= "~":
        return ESCAPES.get(character, character)
    decomposed = unicodedata.normalize("NFD", character)
    base, marks = decomposed[0], decomposed[1:]
    if re.fullmatch("[A-Za-z]", base) and marks in ACCENTS:
        letter = {"i": r"\i", "j": r"\j"}.get(base, base)
        return rf"\{ACCENTS[marks]}{{{letter}}}"
    return rf"\cmanchar{{{ord(character):04X}}}"
