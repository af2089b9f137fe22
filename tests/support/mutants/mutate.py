"""Small errors that a programmer could have made, planted one at a time in a module's syntax tree."""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Pow: ast.Mult,
}  # fmt: skip
_STATEMENTS = (ast.Expr, ast.If, ast.Return, ast.AugAssign)


@dataclass(frozen=True)
class Mutant:
    """One planted error: where it is, what was changed, and the whole module with it."""

    line: int
    change: str
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a module, in the order of their lines."""
    tree = ast.parse(source)
    found = []
    for number, (node, change, _) in enumerate(list(_places(tree))):
        copy = deepcopy(tree)
        # The same walk over the copy meets the same places in the same order.
        other, _, apply = next(place for count, place in enumerate(_places(copy)) if count == number)
        apply()
        found.append(Mutant(getattr(other, "lineno", 0), change, ast.unparse(ast.fix_missing_locations(copy))))
        assert type(other) is type(node)
    return sorted(found, key=lambda one: one.line)


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, Callable[[], None]]]:
    """Each place that can be changed: the node, what is done to it, and the deed."""
    skipped = _not_code(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        yield from _expressions(node)
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                yield from _statements(statements, skipped)


def _expressions(node: ast.AST) -> Iterator[tuple[ast.AST, str, Callable[[], None]]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = _COMPARE[type(operator)]
            yield node, f"{_name(operator)} -> {other.__name__}", lambda p=place, o=other: _set(node.ops, p, o())
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _BINARY:
        swapped = _BINARY[type(node.op)]
        yield node, f"{_name(node.op)} -> {swapped.__name__}", lambda: setattr(node, "op", swapped())
    elif isinstance(node, ast.BoolOp):
        joined = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield node, f"{_name(node.op)} -> {joined.__name__}", lambda: setattr(node, "op", joined())
    elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
        value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        yield node, f"{node.value} -> {value}", lambda: setattr(node, "value", value)
    elif isinstance(node, ast.IfExp | ast.If | ast.While):
        yield node, "condition negated", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))


def _statements(body: list[ast.stmt], skipped: set[int]) -> Iterator[tuple[ast.AST, str, Callable[[], None]]]:
    for place, node in enumerate(body):
        if id(node) in skipped or not isinstance(node, _STATEMENTS):
            continue
        if isinstance(node, ast.Return):
            if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
                yield node, "returns None", lambda n=node: setattr(n, "value", ast.Constant(None))
        elif not isinstance(node, ast.If):
            yield node, "statement left out", lambda p=place: _set(body, p, ast.Pass())


def _not_code(tree: ast.Module) -> set[int]:
    """Nodes whose change could not change what the program does: docstrings, types, messages for people."""
    skipped: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            skipped.update(id(inner) for inner in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skip(node)
        elif isinstance(node, ast.AnnAssign | ast.arg):
            skip(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            skip(node.returns)
            for decorator in node.decorator_list:
                skip(decorator)
        elif isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                skip(decorator)
        elif isinstance(node, ast.JoinedStr):
            skip(node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.Name):
            skip(node.value if getattr(node.targets[0], "id", "")[:1].isupper() else None)
    return skipped


def _set(values: list[ast.cmpop] | list[ast.stmt], place: int, value: object) -> None:
    values[place] = value  # type: ignore[call-overload]


def _name(node: ast.AST) -> str:
    return type(node).__name__
