"""What the page of `cman serve` and the prediction browser share: the drawing of a text with arcs, and the style sheet.

`drawing.js` is a module of ECMAScript; `style.css` has the colours of light and dark, text, controls and the drawing.
Types are coloured by `cman.style`, as figures are.
"""

from pathlib import Path

from cman import style

HERE = Path(__file__).parent
COLOURS = {
    "blue": style.BLUE,
    "vermilion": style.VERMILION,
    "purple": style.PURPLE,
    "green": style.GREEN,
    "orange": style.ORANGE,
    "sky": style.SKY,
}


def script() -> str:
    """Return the module that draws."""
    return (HERE / "drawing.js").read_text(encoding="utf-8")


def sheet() -> str:
    """Return the style sheet."""
    colours = "".join(f"--{name}:{value};" for name, value in COLOURS.items())
    return f":root{{{colours}}}\n{(HERE / 'style.css').read_text(encoding='utf-8')}"
