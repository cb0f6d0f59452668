"""Compiles LaTeX that a test wrote, alone or read into a document, and looks at what the engine says of it."""

import shutil
import subprocess
from pathlib import Path

ENGINES = [name for name in ("pdflatex", "lualatex", "xelatex") if shutil.which(name)]


def compiled(folder: Path, name: str, document: str | None = None, engine: str = "pdflatex") -> str:
    """Return the log of `name`.tex, after checking that it became a PDF without overfull boxes.

    Args:
        document: the preamble of a document that reads the file by `\\input`; None compiles the file itself.
    """
    if document is not None:
        text = rf"{document}\begin{{document}}Before. \input{{{name}}} After.\end{{document}}"
        (folder / "main.tex").write_text(text)
        name = "main"
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
    result = subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
    log = (folder / f"{name}.log").read_text(errors="replace")
    assert result.returncode == 0, log[-2000:]
    assert (folder / f"{name}.pdf").stat().st_size > 0
    assert "Overfull" not in log and "Float too large" not in log
    assert "occurred inside" not in log and "multiply" not in log
    return log
