"""The rooms of the package stand on floors: an import only goes down, whether at a module's head or in a function."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import cman

ROOT = Path(cman.__file__).parent
FORBIDDEN = [
    ("corpora", "extract"),
    ("features", "config"),
    ("config", "corpora"),
    ("model", "evaluation"),
    ("speed", "report"),
]


def room(module: str) -> str:
    """Return the folder of `cman.folder.module`, or the module itself where it stands in no folder."""
    return module.split(".")[1] if "." in module else module


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports anywhere; all its imports are absolute."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: found a relative import"
            modules.add(str(node.module))
            if node.module == "cman":  # `from cman import files` names a module, `from cman import Extractor` does not
                modules |= {f"cman.{alias.name}" for alias in node.names if (ROOT / f"{alias.name}.py").is_file()}
    return {module for module in modules if module.split(".")[0] == "cman"}


def arrows() -> dict[str, dict[str, set[str]]]:
    """Return room -> room that it imports -> files that do."""
    graph: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if len(relative.parts) == 1 and relative.stem in ("__init__", "__main__"):
            continue  # the package's front, which offers what stands above
        source = relative.parts[0].removesuffix(".py")
        for module in imported(path):
            target = room(module)
            if target not in (source, "cman"):
                graph[source][target].add(str(relative))
    return graph


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
        list(TopologicalSorter({source: set(targets) for source, targets in graph.items()}).static_order())
    except CycleError as error:
        circle = error.args[1][::-1]
        pairs = list(pairwise(circle))
        raise AssertionError({f"{one} -> {other}": graph[one][other] for one, other in pairs}) from None
