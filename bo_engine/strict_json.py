"""JSON from outside: one reader that refuses what two readers could take for two things, or what would end the process.

py_ecc raises Python's recursion limit, and then a text that is nested deeply enough crashes the interpreter inside its
JSON scanner instead of raising an error. So the depth is counted first.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

MAX_DEPTH: Final = 100
# Matches to the end when a string does not end: every start that failed would be tried again from each later mark.
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKET: Final = re.compile(r"[^\[\]{}]+")


def parse_json(
    data: bytes | str, *, max_depth: int = MAX_DEPTH, parse_float: Callable[[str], Any] | None = None
) -> Any:
    """The value of a JSON text in UTF-8: no name twice in an object, no NaN, not deeper than ``max_depth``.

    Raises: ValueError for everything else.
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    _check_depth(text, max_depth)
    try:
        return json.loads(
            text, object_pairs_hook=_strict_object, parse_float=parse_float, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for bracket in _NOT_BRACKET.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            raise ValueError(f"nested deeper than {max_depth}")


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"the number {name} is no JSON")
