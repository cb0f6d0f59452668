"""The rooms of the package and the floor that each stands on, read from the imports of its files.

    python -m cman.workflow.rooms

prints the picture of docs/architecture.md. A room is a folder of the package, or a module that stands in none. Its
floor is one above the highest room that it imports, whether at a module's head or in a function.
"""

import ast
from collections import defaultdict
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRONT = ("__init__", "__main__")  # the package's front, which offers what stands above

Graph = dict[str, dict[str, set[str]]]


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


def arrows() -> Graph:
    """Return room -> room that it imports -> files that do."""
    graph: Graph = defaultdict(lambda: defaultdict(set))
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if len(relative.parts) == 1 and relative.stem in FRONT:
            continue
        room = relative.parts[0].removesuffix(".py")
        graph[room]  # a room that imports nothing is one, too
        for module in imported(path):
            target = module.split(".")[1] if "." in module else module
            if target not in (room, "cman"):
                graph[room][target].add(str(relative))
    return graph


def floors(graph: Mapping[str, Mapping[str, set[str]]]) -> list[list[str]]:
    """Return the rooms of each floor, the lowest first.

    Raises:
        graphlib.CycleError: rooms import one another in a circle.
    """
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[below] for below in graph.get(room, {})), default=-1)
    return [sorted(room for room in height if height[room] == floor) for floor in range(max(height.values()) + 1)]


def purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = ROOT / room / "__init__.py"
    module = ast.parse((path if path.is_file() else ROOT / f"{room}.py").read_text(encoding="utf-8"))
    first = (ast.get_docstring(module) or "").split("\n\n")[0]
    return " ".join(first.split()).partition(". ")[0].rstrip(".")


def reduced(graph: Mapping[str, Mapping[str, set[str]]]) -> list[tuple[str, str]]:
    """Return the arrows without those that a way over other rooms says already."""
    below: dict[str, set[str]] = {}
    for room in TopologicalSorter(graph).static_order():
        targets = graph.get(room, {})
        below[room] = set(targets).union(*(below[target] for target in targets))
    return [
        (room, target)
        for room in sorted(graph)
        for target in sorted(graph[room])
        if not any(target in below[other] for other in graph[room])
    ]


def picture() -> str:
    """Return the rooms as Markdown: a diagram of the arrows that no others say, and a table from the top floor down."""
    graph = arrows()
    lines = ["```mermaid", "flowchart TD", *(f"    {room} --> {target}" for room, target in reduced(graph)), "```", ""]
    lines += ["| floor | room | what it is | imports |", "|---|---|---|---|"]
    for floor, rooms in reversed(list(enumerate(floors(graph)))):
        for room in rooms:
            below = ", ".join(sorted(graph[room])) or "–"
            lines.append(f"| {floor} | `{room}` | {purpose(room)} | {below} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(picture(), end="")
