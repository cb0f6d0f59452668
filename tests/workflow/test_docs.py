"""The documentation: what its pages say to type is typed, page by page, in a copy of the project."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from cman.config.formats import FORMATS
from cman.config.reference import reference
from cman.config.schema import schema

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
RUN = sorted(page.name for page in DOCS.glob("*.md") if BLOCK.search(page.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_every_block_of_a_page_runs_in_its_order(new_project, page):
    project = new_project()
    (project / "models").symlink_to(DOCS.parent / "models")
    for language, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if language == "sh":
            project.run("bash", "-euo", "pipefail", "-c", block)
        else:
            project.run(sys.executable, "-c", block)


def test_a_block_that_fails_would_be_found(new_project):
    project = new_project()
    with pytest.raises(AssertionError):
        project.run("bash", "-euo", "pipefail", "-c", "cman score --gold nothing --predictions nothing\ntrue")


def test_pages_with_commands_to_run_are_found():
    assert {"extraction.md", "own-corpus.md", "pipeline.md", "install.md"} <= set(RUN)


def test_the_configuration_reference_is_what_the_code_says():
    written = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert written == reference(), "write it again: python -m cman.config.reference > docs/configuration.md"
    made = subprocess.run([sys.executable, "-m", "cman.config.reference"], capture_output=True, text=True, check=True)
    assert made.stdout == written


def test_the_schema_is_what_the_code_says_and_fits_every_configuration():
    config = DOCS.parent / "config"
    written = json.loads((config / "schema.json").read_text(encoding="utf-8"))
    assert written == schema(), "write it again: python -m cman.config.schema > config/schema.json"
    validator = jsonschema.Draft202012Validator(written)
    for path in sorted(config.glob("*.yaml")):
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert validator.is_valid(value) == (path.stem != "published"), path
    value = yaml.safe_load((config / "default.yaml").read_text(encoding="utf-8"))
    own = {"format": "dygie", "paths": dict.fromkeys(("train", "dev", "test"), "a.jsonl")}
    assert validator.is_valid({**value, "corpora": {"own": own}})
    for corpus in ({**own, "foo": 1}, {**own, "format": "conll04-sample"}, {"format": "dygie"}):
        assert not validator.is_valid({**value, "corpora": {"own": corpus}}), corpus
    for wrong in ({"foo": 1}, {"settings": {"lstm.hiden": 1}}, {"settings": {"lstm": {"hidden": 0}}}):
        assert not validator.is_valid({**value, **wrong}), wrong


def test_a_new_format_with_the_keys_of_all_changes_neither_page_nor_schema(monkeypatch):
    before = reference(), schema()
    fewer = {name: format for name, format in FORMATS.items() if name != "dygie"}
    monkeypatch.setattr("cman.config.reference.FORMATS", fewer)
    assert reference() == before[0]
    assert set(before[1]["$defs"]).isdisjoint({"Dygie", "Jsonl", "Spert"})
    assert "dygie" not in json.dumps(before[1])
