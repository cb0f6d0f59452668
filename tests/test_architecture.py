"""The rooms of the package stand on floors: an import only goes down, whether at a module's head or in a function."""

import re
from graphlib import CycleError
from itertools import pairwise
from pathlib import Path

from naming import exists

from cman.workflow.rooms import arrows, floors, picture, reduced

FORBIDDEN = [
    ("corpora", "extract"),
    ("features", "config"),
    ("config", "corpora"),
    ("model", "evaluation"),
    ("speed", "report"),
]
DOCUMENTED = Path(__file__).parents[1] / "docs" / "architecture.md"


def test_the_graph_that_is_read_has_the_arrows_that_everyone_knows():
    graph = arrows()
    assert {"corpora", "features", "kernels", "model", "training", "extract", "report", "speed", "cli"} <= graph.keys()
    assert "model" in graph["training"] and "features" in graph["model"] and "errors" in graph["files"]
    assert "features/frozen.py" in graph["features"]["fetch"]


def test_no_room_imports_one_that_stands_above_it():
    graph = arrows()
    assert {f"{one} -> {other}": graph[one][other] for one, other in FORBIDDEN if other in graph[one]} == {}


def test_the_rooms_import_one_another_in_no_circle():
    graph = arrows()
    try:
        floors(graph)
    except CycleError as error:
        circle = error.args[1][::-1]
        pairs = list(pairwise(circle))
        raise AssertionError({f"{one} -> {other}": graph[one][other] for one, other in pairs}) from None


def test_a_room_stands_above_all_that_it_imports_and_the_picture_leaves_out_what_others_say():
    graph = {"c": {"b": set(), "a": set()}, "b": {"a": set()}, "a": {}}
    assert floors(graph) == [["a"], ["b"], ["c"]]
    assert reduced(graph) == [("b", "a"), ("c", "b")]


def test_the_picture_of_the_rooms_is_what_the_imports_say():
    written = DOCUMENTED.read_text(encoding="utf-8")
    assert picture() in written, "write it again from: python -m cman.workflow.rooms"


def test_every_function_that_the_map_names_is_there():
    names = set(re.findall(r"`(cman(?:\.[A-Za-z]\w*)+)`", DOCUMENTED.read_text(encoding="utf-8")))
    assert len(names) > 30
    assert [name for name in sorted(names) if not exists(name)] == []
    assert not exists("cman.corpora.overlap.without_overlaps") and not exists("cman.corpora.overlaps")


def test_every_file_that_the_map_names_is_there():
    text = DOCUMENTED.read_text(encoding="utf-8")
    names = re.findall(r"`((?:cman|csrc|config|tests|workflow|docs)/[\w./*-]+)`", text)
    assert names
    assert [name for name in names if not list(DOCUMENTED.parents[1].glob(name))] == []
