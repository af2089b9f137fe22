"""JSON as rule 4.7 writes it, and nothing else: one spelling for each value, so equal days have equal bytes."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from verifier.checking import Differs, differ

_MAX_DEPTH = 1000  # of calls, Python's own
_MAX_DIGITS = 16  # of a JSON number: 2^53 - 1 has as many; greater amounts are strings


def read_strict(data: bytes) -> Any:
    """The value of a file in RFC 8785 form.

    Raises: Differs for a key twice, fractions, huge numbers, other white space or order, deep nesting, not ASCII.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Differs(f"byte {error.start} is not ASCII") from None
    try:
        with shallow():
            value = json.loads(
                text,
                object_pairs_hook=_object,
                parse_int=_whole_number,
                parse_float=lambda found: differ(f"a fraction stands in it: {found[:20]}"),
                parse_constant=lambda found: differ(f"{found} stands in it"),
            )
            is_canonical = write_canonical(value) == data
    except RecursionError:
        raise Differs("it is nested too deep") from None
    except ValueError as error:
        raise Differs(f"it is no JSON: {str(error)[:60]}") from None
    if not is_canonical:
        raise Differs("it is not in canonical form (RFC 8785): keys sorted, no white space, no newline at the end")
    return value


def write_canonical(value: Any) -> bytes:
    """RFC 8785 for what stands in our files: objects, lists, text, whole numbers, booleans, null; all ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


@contextmanager
def shallow() -> Iterator[None]:
    """Nest no deeper than Python does by itself, so that hostile nesting ends in RecursionError.

    py_ecc raises the limit of the whole process so far that the JSON reader would overflow the stack first, and crash.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_MAX_DEPTH)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _twice([key for key, _ in pairs])
    return found


def _twice(keys: list[str]) -> NoReturn:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            differ(f"the key {key[:40]!r} stands twice in one object")
        seen.add(key)
    raise AssertionError("no key stands twice")


def _whole_number(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        differ(f"a number of {len(text)} digits stands in it")
    return int(text)
