"""The published figures that tables and figures compare with, read from `config/published.yaml`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from cman.config.experiments import EXPERIMENTS
from cman.config.strict_yaml import load_yaml
from cman.errors import reads
from cman.files import read_text
from cman.validation import Closed, Text, checked

NUMBERS = ("I", "II", "III", "IV", "V", "VI", "VII")  # the numbers the paper gives its tables

Percent = Annotated[float, Field(ge=0, le=100)]


class PublishedRow(Closed):
    """One row as a paper prints it; `experiment` names the experiment here that repeats it, if there is one."""

    method: Text
    entity_f1: Percent | None
    relation_f1: Percent | None
    source: Text
    bert: bool
    experiment: str = ""
    note: str = ""
    inputs: str = ""  # what it reads, where docs/results.md shows it
    added: bool = False  # published elsewhere: it stands below the rows of the paper's table


class PublishedTable(Closed):
    """A table of the paper: its number, its corpus, who published it, and its rows in the order printed.

    `title` is what the corpus is called where there is no run that says so, `absent` why there may be none.
    """

    number: Literal["", "I", "II", "III", "IV", "VI", "VII"]
    corpus: Text
    origin: str
    rows: tuple[PublishedRow, ...]
    title: str = ""
    added: tuple[str, ...] = ()  # experiments that are shown below the paper's rows
    note: str = ""
    absent: str = ""

    @field_validator("added")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in EXPERIMENTS:
                raise ValueError(f"found {name!r}, wanted the name of an experiment")
        return names


class PublishedDecoding(Closed):
    """One row of Table V; `relative_time` is to the first row of its corpus, null where it is no decoding time."""

    corpus: Text
    title: Text
    method: Text
    experiment: Text
    overall_f1: Percent | None
    relative_time: float | None
    note: str = ""


class Decoding(Closed):
    """Table V."""

    origin: Text
    rows: tuple[PublishedDecoding, ...]


class PublishedPoint(Closed):
    """What the paper's text gives of a figure: an F1, or the difference of an experiment from a reference."""

    figure: Literal["figure5", "figure6", "figure7", "figure8"]
    task: Literal["entities", "relations"]
    group: str
    experiment: Text
    reference: str = ""
    value: float
    source: Text


class Published(Closed):
    """All that was published: tables of F1, the table of decoding times, and what the text gives of figures."""

    tables: tuple[PublishedTable, ...]
    decoding: Decoding | None = None
    figures: tuple[PublishedPoint, ...] = ()


@reads("the published tables")
def read_published(path: Path) -> Published:
    """Return what a YAML file says was published.

    Raises:
        CmanError: the file is missing, not YAML, or a field is missing, unknown or of the wrong kind.
    """
    return checked(Published, load_yaml(read_text(path), str(path), "the published tables"), str(path), strict=False)
