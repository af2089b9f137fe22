"""Shapes of the files: each reads a JSON value into a plain one, or says which place is wrong (docs/artifacts.md).

Amounts become ints, hashes and bytes become bytes, wallets stay text. Fields that are
unknown, missing or ill-typed are refused.
"""

import re
from collections.abc import Callable
from typing import Any

from verifier.checking import Differs

Shape = Callable[[Any, str], Any]

MAX_INT = 2**53 - 1
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")
_BYTES = re.compile(r"0x(?:[0-9a-f]{2})*")


def integer(value: Any, path: str) -> int:
    """A JSON number from 0 to 2^53 - 1."""
    if type(value) is not int or not 0 <= value <= MAX_INT:
        raise Differs(f"{path} is no whole number from 0 to 2^53 - 1")
    return value


def amount(value: Any, path: str) -> int:
    """A decimal string below 2^256."""
    if type(value) is not str or not _AMOUNT.fullmatch(value) or int(value) >= 2**256:
        raise Differs(f"{path} is no decimal string below 2^256")
    return int(value)


def positive_amount(value: Any, path: str) -> int:
    """An amount above 0."""
    found = amount(value, path)
    if found == 0:
        raise Differs(f"{path} is 0")
    return found


def boolean(value: Any, path: str) -> bool:
    """true or false."""
    if type(value) is not bool:
        raise Differs(f"{path} is neither true nor false")
    return value


def text(value: Any, path: str) -> str:
    """Any text."""
    if type(value) is not str:
        raise Differs(f"{path} is no text")
    return value


def octets(length: int | None = None) -> Shape:
    """Lower-case 0x hex, of so many bytes if a length is given."""

    def read(value: Any, path: str) -> bytes:
        if type(value) is not str or not _BYTES.fullmatch(value):
            raise Differs(f"{path} is no lower-case 0x hex")
        found = bytes.fromhex(value[2:])
        if length is not None and len(found) != length:
            raise Differs(f"{path} has {len(found)} bytes, not {length}")
        return found

    return read


hash32 = octets(32)


def wallet(value: Any, path: str) -> str:
    """An address as lower-case 0x hex."""
    if type(value) is not str or not re.fullmatch(r"0x[0-9a-f]{40}", value):
        raise Differs(f"{path} is no wallet: 0x and 40 lower-case hex digits")
    return value


def exactly(expected: Any) -> Shape:
    """This value and no other."""

    def read(value: Any, path: str) -> Any:
        if type(value) is not type(expected) or value != expected:
            raise Differs(f"{path} is not {expected!r}")
        return value

    return read


def maybe(shape: Shape) -> Shape:
    """The shape, or null."""
    return lambda value, path: None if value is None else shape(value, path)


def items(shape: Shape, count: int | None = None) -> Shape:
    """A list, of so many entries if a count is given."""

    def read(value: Any, path: str) -> list[Any]:
        if type(value) is not list:
            raise Differs(f"{path} is no list")
        if count is not None and len(value) != count:
            raise Differs(f"{path} has {len(value)} entries, not {count}")
        return [shape(entry, f"{path}[{place}]") for place, entry in enumerate(value)]

    return read


def fields(**shapes: Shape) -> Shape:
    """An object with exactly these fields."""

    def read(value: Any, path: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise Differs(f"{path or 'it'} is no object")
        for name in sorted(value.keys() ^ shapes.keys()):
            raise Differs(f"{path or 'it'} {'lacks' if name in shapes else 'has'} the field {name[:40]!r}")
        return {name: shape(value[name], f"{path}.{name}" if path else name) for name, shape in shapes.items()}

    return read
