"""Writes the prediction browser: a template with its style, its scripts and the data of the runs within it.

The page asks for nothing else: its content security policy allows no address at all, and of scripts and styles the
very ones that stand in it. Its bytes depend on the runs and the prepared corpora only.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from cman import drawing
from cman.errors import UsageError
from cman.files import write_text
from cman.report.browser.data import page_data
from cman.report.results import read_run
from cman.report.runs import NO_FACTS, Facts

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SCRIPTS = ("model", "filter", "card", "list", "state", "controls", "main")  # each knows those before


def write_browser(folders: Sequence[Path], corpora: Path, output: Path, facts: Facts = NO_FACTS) -> None:
    """Write the page of all runs.

    Args:
        folders: run folders or records, at least one, of any corpora.
        corpora: the folder of prepared corpora, such as `results/corpora`.
        output: the HTML file.
        facts: titles of runs by folder, in the place of those of their provenance.

    Raises:
        UsageError: no run is given, or `output` is not named as a page.
        CmanError: a run is malformed, stands there twice, is of another version of its corpus, or its predictions do
            not give its scores.
    """
    if not folders:
        raise UsageError("runs: found none, wanted at least one run folder")
    if output.suffix != ".html":
        raise UsageError(f"--output: found {output.name!r}, wanted a file whose name ends in .html")
    page = render(page_data([read_run(folder, facts.get(folder)) for folder in folders], corpora))
    write_text(output, page)
    log.info("%s: %d runs, %.1f MB", output, len(folders), len(page.encode()) / 1e6)


def render(data: dict[str, Any]) -> str:
    """Return the page for what `page_data` gives."""
    sheet = drawing.sheet() + (HERE / "page.css").read_text(encoding="utf-8")
    script = drawing.script() + "".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        style=sheet, script=script, data=embedded(data), style_hash=_hash(sheet), script_hash=_hash(script)
    )


def embedded(data: Any) -> str:
    """Return JSON that can stand within a `<script>`: no text of a corpus can end the element or begin another."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
