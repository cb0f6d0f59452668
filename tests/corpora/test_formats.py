"""The table of formats and the files of formats say the same."""

from importlib import import_module
from pathlib import Path

import pytest

import cman.corpora
from cman.config.configuration import parse_configuration
from cman.config.formats import FORMATS
from cman.corpora.formats import corpus_title, files_of, licence, module_name

OWN = {"paths": {"train": "a", "dev": "b", "test": "c"}}
FOLDER = Path(cman.corpora.__file__).parent


def corpus(name: str):
    keys = OWN if "paths" in FORMATS[name].keys.model_fields and not name.startswith(("conll04", "ade")) else {}
    return parse_configuration({"corpora": {"mine": {"format": name, **keys}}}, "test").corpus("mine")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_table_is_a_file_with_the_functions_of_a_format(name):
    module, configured = import_module(module_name(name)), corpus(name)
    reader = "read" if configured.folded is None else "read_grouped"
    functions = ["files", reader]
    if hasattr(module, "write"):
        functions += ["read_file", "fitting"]
    for function in functions:
        assert getattr(module, function).__module__ == module.__name__, function
    assert configured.is_absent == (files_of(configured) == [])
    assert configured.is_own == (not hasattr(module, "TITLE")), "a corpus of one's own is called by its name"


def test_every_file_that_reads_a_corpus_is_in_the_table():
    found = {path for path in FOLDER.rglob("*.py") if "def files(corpus" in path.read_text(encoding="utf-8")}
    listed = {FOLDER.parents[1] / f"{module_name(name).replace('.', '/')}.py" for name in FORMATS}
    assert found - {FOLDER / "formats.py"} == listed


def test_a_public_corpus_is_called_by_its_title_and_ones_own_by_its_name():
    assert [corpus_title("mine", corpus(name)) for name in ("ade", "drec-sample", "jsonl")] == [
        "ADE",
        "DREC-like",
        "mine",
    ]
    assert licence(corpus("jsonl")) is None and "agreement" in str(licence(corpus("drec")))
    given = parse_configuration({"corpora": {"x": {"format": "ade", "licence": "CC0"}}}, "test").corpus("x")
    assert licence(given) == "CC0"
    columns = parse_configuration({"corpora": {"x": {"format": "conll04", **OWN}}}, "test").corpus("x")
    assert corpus_title("x", columns) == "x" and licence(columns) is None


def test_the_keys_that_documents_depend_on_leave_out_what_only_presents_or_chooses():
    base = {"format": "ade-sample", "sentences": 60}
    more = {**base, "licence": "x", "language": "de", "only": ["cman"], "settings": {"crf.boundary": True}}
    keys = [
        parse_configuration({"corpora": {"x": {**each, "folds_run": folds}}}, "test").corpus("x").document_keys()
        for each, folds in ((base, [0]), (more, [1, 2]), ({**base, "seed": 2}, [0]))
    ]
    assert keys[0] == keys[1] != keys[2]
    text = {"format": "brat", **OWN}
    languages = [parse_configuration({"corpora": {"x": {**text, "language": code}}}, "test") for code in ("en", "de")]
    assert languages[0].corpus("x").document_keys() != languages[1].corpus("x").document_keys(), "it makes the tokens"
