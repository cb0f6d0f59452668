"""Writes the prediction browser: a template with its style, its scripts and the data of the runs within it.

The page asks for nothing else: its content security policy allows no address at all, and of scripts and styles the
very ones that stand in it. Where the runs are more than `INLINE` characters, each has a file of its own in a folder
beside the page, a script that the page reads when the run is chosen: a page that is opened as a file may read nothing
else. Then scripts of the page's own place are allowed, too. All bytes depend on the runs and the prepared corpora only.
"""

import base64
import hashlib
import json
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from cman import drawing
from cman.errors import UsageError
from cman.files import write_text
from cman.report.browser.data import compact, page_data
from cman.report.results import read_run
from cman.report.runs import NO_FACTS, Facts

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SCRIPTS = ("model", "filter", "card", "list", "state", "controls", "main")  # each knows those before
INLINE = 8_000_000  # characters of runs that a page holds; beyond, it would take seconds to open
OWN = re.compile(r"[0-9a-f]{16}\.js")


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
    data = page_data([read_run(folder, facts.get(folder)) for folder in folders], corpora)
    beside = output.with_suffix(".runs")
    files = _beside(data, beside.name)
    for name, content in files.items():
        write_text(beside / name, content)
    page = render(data, bool(files))
    write_text(output, page)
    for path in beside.glob("*.js"):
        if path.name not in files and OWN.fullmatch(path.name):  # of an older page
            path.unlink()
    if not files and beside.is_dir():
        with suppress(OSError):  # something else stands there, too
            beside.rmdir()
    size = len(page.encode()) / 1e6
    log.info("%s: %d runs, %.1f MB%s", output, len(folders), size, f", and {beside} beside it" if files else "")


def _beside(data: dict[str, Any], folder: str) -> dict[str, str]:
    """Put the runs into the data, or where they are too much for a page, name their files, which are returned."""
    runs = [run for corpus in data["corpora"] for split in corpus["splits"] for run in split["runs"]]
    files: dict[str, str] = {}
    if sum(len(run["found"]) for run in runs) <= INLINE:
        for run in runs:
            run["found"] = json.loads(run["found"])
        return files
    for run in runs:
        found = _escaped(run.pop("found"))
        name = f"{hashlib.sha256(found.encode()).hexdigest()[:16]}.js"
        run["file"] = f"{quote(folder)}/{name}"
        files[name] = f"cmanRun({json.dumps(run['file'])}, {found});\n"
    return files


def render(data: dict[str, Any], beside: bool = False) -> str:
    """Return the page for what `page_data` gives.

    Args:
        beside: runs stand in files beside the page.
    """
    sheet = drawing.sheet() + (HERE / "page.css").read_text(encoding="utf-8")
    script = drawing.script() + "".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        style=sheet,
        script=script,
        data=embedded(data),
        style_hash=_hash(sheet),
        script_hash=_hash(script),
        beside=beside,
    )


def embedded(data: Any) -> str:
    """Return JSON that can stand within a `<script>`: no text of a corpus can end the element or begin another."""
    return _escaped(compact(data))


def _escaped(text: str) -> str:
    for character in "<>\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
