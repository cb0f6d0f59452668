"""The corpus formats, one a line: what `format:` may say, which keys come with it, and what it is.

A format is one file of `cman.corpora`, which has its name (`cman/corpora/conll04.py`; that of a sample stands in
`samples/`): what it does is said by `cman.corpora.formats`. A new one of one's own is that file, its test and a line
here. The keys stand in `cman.config`, so that a configuration is checked without loading any reader.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union

from pydantic import Field, create_model

from cman.config.corpora import Ade, AdeSample, Conll04, Conll04Sample, Corpus, Drec, DrecSample
from cman.config.own import Own, OwnText


class Format(NamedTuple):
    """The keys of a format, and what the reference page says of it."""

    keys: type[Corpus]
    meaning: str


FORMATS: Mapping[str, Format] = {
    "conll04": Format(
        Conll04,
        "The real CoNLL04 corpus in a public packaging; or, by `paths: {train, dev, test}`, your own files in its five "
        "columns, which have no checksum and are never fetched.",
    ),
    "conll04-sample": Format(Conll04Sample, "A corpus by a seeded grammar, in CoNLL04's raw format."),
    "ade": Format(Ade, "The real ADE corpus out of its archive."),
    "ade-sample": Format(AdeSample, "A corpus by a seeded grammar, as ADE's archive."),
    "drec": Format(Drec, "The real DREC corpus, which needs a signed agreement: train.tsv, dev.tsv and test.tsv."),
    "drec-sample": Format(DrecSample, "A corpus by a seeded grammar, in DREC's raw format."),
    "jsonl": Format(Own, "Documents as this project writes them, one a line; a file a split."),
    "spert": Format(Own, "SpERT's JSON, a list a split; or the same file three times, with a list for each split."),
    "dygie": Format(Own, "DyGIE++'s, PURE's and SciERC's JSON lines, a text of sentences a line; a file a split."),
    "brat": Format(OwnText, "Text annotated with brat, a folder of .txt and .ann files a split."),
    "pfn": Format(Own, "PFN's JSON: texts with triples, or SpERT's or DyGIE++'s layout; a file a split."),
    "conll2003": Format(
        Own, "A token a line, its tag last (BIO, IOB1, BIOES or BILOU), as in CoNLL-2003; no relations; a file a split."
    ),
    "docbin": Format(OwnText, "spaCy's DocBin (.spacy), with relations in the user data; a file a split."),
    "doccano": Format(OwnText, "doccano's JSON lines, a text a line; a file a split."),
    "labelstudio": Format(OwnText, "Label Studio's JSON, a list of tasks; a file a split."),
    "prodigy": Format(OwnText, "Prodigy's JSON lines, a text a line, of ner.manual or rel.manual; a file a split."),
}


def _keys(name: str, keys: type[Corpus]) -> type[Corpus]:
    """Return the group of keys of exactly one format."""
    title = "".join(part.capitalize() for part in name.split("-"))
    only: Any = Literal[name]
    return create_model(title, __base__=keys, __doc__=keys.__doc__, format=(only, ...))


if TYPE_CHECKING:
    AnyCorpus = Corpus
else:
    AnyCorpus = Annotated[
        Union[tuple(_keys(name, format.keys) for name, format in FORMATS.items())],  # noqa: UP007
        Field(discriminator="format"),
    ]
