"""What of a source file can change a result: its syntax tree without comments, docstrings and texts for people.

Two files that differ in nothing else have the same digest, whatever Python parses them. Left out are docstrings, the
keywords `help=` and `description=`, the constants in `PRESENTATION`, imports for type checkers, and the declared keys
of a configuration's groups, because their values are resolved into each run's part of the configuration. Of a file of
verbs only one verb counts, with the definitions and imports that it uses.
"""

import ast
import hashlib
from collections.abc import Iterable

PRESENTATION = {"TITLE", "LICENCE", "CITE"}  # constants that tables and model cards show, and nothing else reads
EXPLAINING = {"help", "description"}  # keywords of typer and pydantic
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def parse(source: str, keys_declared: bool = False) -> ast.Module:
    """Return the syntax tree of a file without what changes no result.

    Args:
        keys_declared: the annotated fields of its classes are keys of a configuration.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = _Stripped(keys_declared).visit(ast.parse(source))
    assert isinstance(tree, ast.Module)
    return tree


class _Stripped(ast.NodeTransformer):
    def __init__(self, keys_declared: bool) -> None:
        self.keys_declared = keys_declared

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = [statement for statement in node.body if not _is_presentation(statement)]
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self.keys_declared:
            node.body = [statement for statement in node.body if not isinstance(statement, ast.AnnAssign)]
        return self._without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [each for each in node.keywords if each.arg not in EXPLAINING or not _is_text(each.value)]
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            otherwise = ast.Module(node.orelse, [])
            self.generic_visit(otherwise)
            return otherwise.body
        return self.generic_visit(node)

    def _without_docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if node.body and isinstance(node.body[0], ast.Expr) and _is_text(node.body[0].value):
            del node.body[0]
        return self.generic_visit(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_presentation(statement: ast.stmt) -> bool:
    return bool(_bound(statement) & PRESENTATION) and isinstance(statement, ast.Assign | ast.AnnAssign)


def only(tree: ast.Module, name: str) -> ast.Module:
    """Return one definition of a file with all definitions and imports of the file that it uses, directly or not.

    Raises:
        KeyError: the file does not define that name.
    """
    binding: dict[str, list[int]] = {}
    for index, statement in enumerate(tree.body):
        for bound in _bound(statement):
            binding.setdefault(bound, []).append(index)
    kept, waiting = set[int](), [*binding[name]]
    while waiting:
        index = waiting.pop()
        if index not in kept:
            kept.add(index)
            waiting += [other for used in _used(tree.body[index]) for other in binding.get(used, [])]
    used = {each for index in kept for each in _used(tree.body[index])}
    return ast.Module([_narrowed(tree.body[index], used) for index in sorted(kept)], [])


def _narrowed(statement: ast.stmt, used: set[str]) -> ast.stmt:
    """Return an import without the names that nothing kept uses; other statements as they are."""
    if isinstance(statement, ast.ImportFrom):
        names = [alias for alias in statement.names if (alias.asname or alias.name) in used]
        return ast.ImportFrom(statement.module, names, statement.level)
    return statement


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement of a file binds."""
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    return _names([statement], ast.Store)


def _used(statement: ast.stmt) -> set[str]:
    """Return the names that a statement of a file takes from the file; a function's own names hide the file's."""
    if not isinstance(statement, ast.FunctionDef):
        return _names([statement], ast.Load)
    arguments = [*statement.args.posonlyargs, *statement.args.args, *statement.args.kwonlyargs]
    own = {argument.arg for argument in arguments} | _names(statement.body, ast.Store)
    own |= {
        bound for node in ast.walk(statement) if isinstance(node, ast.Import | ast.ImportFrom) for bound in _bound(node)
    }
    outside = [*statement.decorator_list, statement.args, *([statement.returns] if statement.returns else [])]
    return (_names(statement.body, ast.Load) - own) | _names(outside, ast.Load)


def _names(nodes: Iterable[ast.AST], context: type[ast.expr_context]) -> set[str]:
    inner = (node for outer in nodes for node in ast.walk(outer))
    return {node.id for node in inner if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def digest(tree: ast.AST) -> str:
    """Return the SHA-256 of a syntax tree: of its nodes' names and fields, without positions and empty fields."""
    written: list[str] = []
    _write(tree, written)
    return hashlib.sha256("\0".join(written).encode("utf-8", "surrogatepass")).hexdigest()


def _write(value: object, written: list[str]) -> None:
    if isinstance(value, ast.AST):
        written.append(type(value).__name__)
        for field in value._fields:
            inner = getattr(value, field, None)
            if inner is not None and inner != []:  # versions of Python differ in which empty fields a node has
                written.append(field)
                _write(inner, written)
        written.append(")")
    elif isinstance(value, list):
        for item in value:
            _write(item, written)
    else:
        written.append(repr(value))
