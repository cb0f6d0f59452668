"""The code behind a stage: all modules that its verb imports, directly or not, and the packaged files that they read.

A stage is named by its roots: the file of its verb as `cman.cli.training:train`, of which only that verb counts, or a
module. Imports within functions count like all others. `STOPS` are modules whose whole effect is known otherwise.
"""

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cman.workflow import syntax
from cman.workflow.known import Known

PACKAGE = Path(__file__).resolve().parents[1]

# Where the closure ends, and why nothing behind it can go unnoticed.
STOPS = {
    "cman": "the version, and two names that are looked up when somebody asks for them",
    "cman.config.experiments": "titles, and changes that are resolved into the settings of each run",
    "cman.report.titles": "what tables and cards call a run: they are handed the present titles",
    "cman.workflow.code": "computes these digests, and nothing of a training",
    "cman.workflow.known": "keeps these digests, and nothing of a training",
    "cman.config.formats": "which formats there are: a corpus names its own, whose file is a root by itself",
}
# Modules whose classes declare keys: the values are in each job's part of the configuration.
DECLARING = ("cman.config.",)
NO_DATA = {".py", ".pyc", ".so", ".json", ".typed"}  # of the package's folders; `_C.json` is about the binary


@dataclass(frozen=True)
class Module:
    """One file of the package: the digest of what counts in it, the modules that it imports, its texts."""

    folder: Path
    digest: str
    imports: frozenset[str]
    texts: frozenset[str]


class Code:
    """The sources of a package below one folder, read once.

    Args:
        kept: the folder where digests of the same sources are kept for other processes.
    """

    def __init__(self, package: Path = PACKAGE, kept: Path | None = None) -> None:
        self.package = package
        self.paths = {self._name(path): path for path in package.rglob("*.py")}
        self.data: dict[str, list[Path]] = {}
        for path in sorted(package.rglob("*")):
            if path.suffix not in NO_DATA and path.is_file() and not path.name.startswith("_C."):
                self.data.setdefault(path.name, []).append(path)
        self.module = cache(self._module)
        self.digest = cache(self._digest)
        every = [*self.paths.values(), *(path for paths in self.data.values() for path in paths)]
        self.known = None if kept is None else Known(package, every, kept)

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.package.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _module(self, root: str) -> Module:
        name, _, verb = root.partition(":")
        path = self.paths[name]
        tree = syntax.parse(path.read_text(encoding="utf-8"), keys_declared=name.startswith(DECLARING))
        if verb:
            tree = syntax.only(tree, verb)
        nodes = list(ast.walk(tree))
        imports = {found for node in nodes for found in self._imported(node)}
        if not verb:
            imports |= {name.rpartition(".")[0]} - {""}  # importing a module runs its package's file
        texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        return Module(path.parent, syntax.digest(tree), frozenset(imports), frozenset(texts))

    def _imported(self, node: ast.AST) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names if alias.name in self.paths]
        if not isinstance(node, ast.ImportFrom) or node.module not in self.paths:
            return []
        below = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name for name in below if name in self.paths] + [node.module]

    def closure(self, roots: Iterable[str]) -> frozenset[str]:
        """Return the roots and every module of the package behind them, without the stops.

        Raises:
            KeyError: a root is no module, or no verb of its module.
        """
        seen, waiting = set[str](), list(roots)
        while waiting:
            name = waiting.pop()
            if name not in seen and name not in STOPS:
                seen.add(name)
                waiting += self.module(name).imports
        return frozenset(seen)

    def data_files(self, module: Module) -> list[Path]:
        """Return the packaged files that a module names: by name, or by suffix those of its own folder."""
        named = [path for text in module.texts for path in self.data.get(text, [])]
        beside = [path for paths in self.data.values() for path in paths if path.parent == module.folder]
        return sorted({*named, *(path for path in beside if path.suffix in module.texts)})

    def _digest(self, *roots: str) -> str:
        """Return the SHA-256 of all the code behind the roots.

        Raises:
            KeyError: see `closure`.
        """
        digest = None if self.known is None else self.known.get(roots)
        if digest is None:
            digest = self._computed(roots)
            if self.known is not None:
                self.known.add(roots, digest)
        return digest

    def _computed(self, roots: Iterable[str]) -> str:
        modules = {name: self.module(name) for name in sorted(self.closure(roots))}
        files = sorted({path for module in modules.values() for path in self.data_files(module)})
        lines = [f"{name} {module.digest}" for name, module in modules.items()]
        for path in files:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{path.relative_to(self.package).as_posix()} {content}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
