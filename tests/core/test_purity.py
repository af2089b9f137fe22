"""The heart computes money with whole numbers only, and its checks survive ``python -O``."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("core", "merkle") for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_float_no_true_division_and_no_assert(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        line = getattr(node, "lineno", 0)
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex)), f"line {line}: a float"
        assert not isinstance(node, ast.Div), f"line {line}: / makes floats"
        assert not (isinstance(node, ast.Name) and node.id in ("float", "round")), f"line {line}: {ast.dump(node)}"
        assert not isinstance(node, ast.Assert), f"line {line}: assert is dropped by python -O"
