"""The digest of the code behind a verb: what changes it and what does not, in a copy of the package."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cman.workflow.code import PACKAGE, STOPS, Code
from cman.workflow.syntax import digest, only, parse


@pytest.fixture
def package(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "_C.*")
    return Path(shutil.copytree(PACKAGE, tmp_path / "cman", ignore=ignored))


def written(tmp_path: Path, **files: str) -> Code:
    """A package `cman` of the given files; a double underscore stands for a slash."""
    for name, text in files.items():
        path = tmp_path / "cman" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
    return Code(tmp_path / "cman")


def test_digests_are_kept_for_the_same_bytes_and_whatever_is_wrong_with_what_is_kept_they_are_right(tmp_path):
    kept = tmp_path / "kept"
    computed = written(tmp_path, a="from cman import b\n", b="x = 1\n").digest("cman.a")
    assert Code(tmp_path / "cman", kept).digest("cman.a") == computed
    (file,) = kept.iterdir()
    file.write_text('{"cman.a": "kept"}')
    assert Code(tmp_path / "cman", kept).digest("cman.a") == "kept"
    for broken in ("{", "[]", '{"cman.a": 1}', ""):
        file.write_text(broken)
        assert Code(tmp_path / "cman", kept).digest("cman.a") == computed, broken
    other = written(tmp_path, b="x = 2\n").digest("cman.a")
    assert Code(tmp_path / "cman", kept).digest("cman.a") == other != computed
    nowhere = tmp_path / "cman/a.py/kept"
    assert Code(tmp_path / "cman", nowhere).digest("cman.a") == other


SAME = {
    "a comment": ("x = 1\n", "# one\nx = 1  # two\n"),
    "layout": ("x = f(1, 2)\n", "x = f(\n    1,\n    2,\n)\n"),
    "docstrings": (
        'def f():\n    return 1\nclass A:\n    x = 1\nasync def g():\n    """G."""\n',
        '"""File."""\ndef f():\n    """F."""\n    return 1\n'
        'class A:\n    """A."""\n    x = 1\nasync def g():\n    """H."""\n',
    ),
    "texts for people": (
        'x = Field(1, description="a")\ny = Option(help="a")\nTITLE = "a"\nCITE: str = "a"\n',
        'x = Field(1, description="b")\ny = Option()\nLICENCE = "b"\n',
    ),
    "imports for type checkers": ("x = 1\n", "if TYPE_CHECKING:\n    import y\nx = 1\n"),
    "what type checkers see instead": ("x = 1\n", "if TYPE_CHECKING:\n    import y\nelse:\n    x = 1\n"),
}
OTHER = {
    "a number": ("x = 1\n", "x = 2\n"),
    "a name": ("x = 1\n", "y = 1\n"),
    "an order": ("a()\nb()\n", "b()\na()\n"),
    "a text": ('x = "a"\n', 'x = "b"\n'),
    "a kind of number": ("x = 1\n", "x = 1.0\n"),
    "a description that is computed": ("x = Field(description=f())\n", "x = Field(description=g())\n"),
    "nesting": ("if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n"),
    "what type checkers do not see": (
        "if TYPE_CHECKING:\n    x = 0\nelse:\n    x = 1\n",
        "if TYPE_CHECKING:\n    x = 0\nelse:\n    x = 2\n",
    ),
    "a default": ("def f(a, b=1): pass\n", "def f(a, b=2): pass\n"),
}


def test_what_is_only_for_people_changes_no_digest():
    for name, (one, other) in SAME.items():
        assert digest(parse(one)) == digest(parse(other)), name


def test_everything_else_changes_the_digest():
    for name, (one, other) in OTHER.items():
        assert digest(parse(one)) != digest(parse(other)), name


def test_of_a_file_of_verbs_one_counts_with_what_it_uses():
    head = "import a\nfrom b import c, d\nLIMIT = 3\ndef helper():\n    return LIMIT\n"
    first = "def first():\n    return c(helper())\n"
    tree = parse(head + first + "def second(helper):\n    return d(helper)\n")
    assert digest(only(tree, "first")) == digest(only(parse(head + first), "first"))
    assert digest(only(tree, "first")) != digest(only(parse(head.replace("3", "4") + first), "first"))
    # Its own argument hides the function of that name.
    second = "from b import d\ndef second(helper):\n    return d(helper)\n"
    assert digest(only(tree, "second")) == digest(only(parse(second), "second"))
    with pytest.raises(KeyError):
        only(tree, "third")


def test_the_closure_follows_imports_within_functions_and_ends_at_the_stops(tmp_path):
    code = written(
        tmp_path,
        cli__verbs="import os\ndef one():\n    from cman.a import f\n    f()\ndef other():\n    import cman.z\n",
        a="from cman.b import c\nfrom cman import config\nimport torch\n",
        b__c="from cman.config import experiments\n",
        config__experiments="import cman.z\n",
        z="",
    )
    found = {"cman.cli.verbs:one", "cman.a", "cman.b", "cman.b.c", "cman.config"}
    assert code.closure(["cman.cli.verbs:one"]) == found
    assert "cman.config.experiments" in STOPS


def test_a_file_that_a_module_names_counts_by_its_content_and_by_its_suffix_beside_the_module(tmp_path):
    def digest_of(words: str, script: str) -> str:
        code = written(tmp_path, a="x = read('words.txt')\n", page__write="x = f'{name}.js'\nfrom cman import a\n")
        (tmp_path / "cman/words.txt").write_text(words)
        (tmp_path / "cman/page/main.js").write_text(script)
        (tmp_path / "cman/page/unused.css").write_text(words + script)
        return Code(tmp_path / "cman").digest("cman.page.write") if code else ""

    first = digest_of("1", "1")
    assert digest_of("1", "1") == first
    assert len({first, digest_of("2", "1"), digest_of("1", "2")}) == 3


TRAIN, SCORE, TABLES = "cman.cli.training:train", "cman.cli.report:score", "cman.cli.report:tables"


def added(text: str) -> str:
    return text + "\n\ndef another() -> int:\n    return 1\n"


def commented(text: str) -> str:
    return text + "# a comment\n"


EDITS = {  # file, how it is edited, the verbs whose code this changes
    ("cman/training/train.py", commented): set(),
    ("cman/features/cache.py", commented): set(),
    ("cman/report/card.py", commented): set(),
    ("cman/training/train.py", added): {TRAIN},
    ("cman/model/label_gate.py", added): {TRAIN},
    ("cman/config/settings.py", added): {TRAIN},
    ("cman/report/titles.py", added): set(),
    ("cman/files.py", added): {TRAIN, SCORE, TABLES},
    ("cman/cli/verb.py", added): {TRAIN, SCORE, TABLES},
    ("cman/evaluation/scores.py", added): {SCORE, TABLES},
    ("cman/report/tables.py", added): {TABLES},
    ("cman/report/document.tex.j2", commented): {TABLES},
    ("cman/serve/app.py", added): set(),
}


@pytest.mark.parametrize(("file", "edit"), EDITS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_an_edit_changes_the_code_of_the_verbs_that_it_can_change(package: Path, file: str, edit: Callable[[str], str]):
    verbs = (TRAIN, SCORE, TABLES)
    before = Code(package)
    path = package.parent / file
    known = {verb: before.digest(verb) for verb in verbs}
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    after = Code(package)
    assert {verb for verb in verbs if after.digest(verb) != known[verb]} == EDITS[file, edit]
