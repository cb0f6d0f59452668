"""LaTeX of printed tables, by a template beside this file.

The result is a document of its own that can also be read into another one by `\\input`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

TEMPLATE = "tables.tex.j2"
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
}


def escape(text: str) -> str:
    """Return text for LaTeX, its special characters escaped and every run of white space made one blank."""
    return "".join(ESCAPES.get(character, character) for character in " ".join(text.split()))


def render(tables: Sequence[Any], template: str = TEMPLATE) -> str:
    """Return the LaTeX of the tables by a template: a document of its own that can also be read in by another one."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        line_statement_prefix="%%",
        line_comment_prefix="%#",
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        comment_start_string=r"\COMMENT{",  # the usual {# stands in LaTeX's own {#1}
        comment_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        autoescape=False,  # HTML escapes have no place here; the template passes every text through `tex`
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["tex"] = escape
    return environment.get_template(template).render(tables=tables)
