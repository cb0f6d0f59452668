"""The look of all figures: one style sheet, one place that saves them, so that equal figures give equal bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cman.files import atomic_path

FORMATS = ("pdf", "svg", "png")
SHEET = Path(__file__).with_name("cman.mplstyle")
# Okabe and Ito's colours, which the colour-blind can tell apart, from dark to light: they differ in grey as well.
BLACK, BLUE, VERMILION, PURPLE, GREEN, ORANGE, SKY = (
    "#000000", "#0072B2", "#D55E00", "#CC79A7", "#009E73", "#E69F00", "#56B4E9",
)  # fmt: skip


@contextmanager
def styled() -> Iterator[Any]:
    """Yield pyplot with the style of the project and nothing of the user's own."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.style.context(["default", str(SHEET)]):
        yield pyplot


def save(figure: Any, stem: Path) -> list[Path]:
    """Write a figure as PDF, SVG and PNG beside each other, without dates and versions; return the paths."""
    paths = [stem.with_name(f"{stem.name}.{form}") for form in FORMATS]
    metadata: dict[str, dict[str, None]] = {
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    for path, form in zip(paths, FORMATS, strict=True):
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=form, metadata=metadata[form])
        figure.set_layout_engine("none")  # arranged once, which takes as long as drawing: all forms have one layout
    return paths
