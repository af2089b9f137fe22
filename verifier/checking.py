"""The words of a check: it holds, or it differs and says where."""

from typing import NoReturn


class Differs(Exception):
    """What was found is not what the rules give. The text is one line for people."""


class NotTold(Exception):
    """The check had nothing to look at; the text says why. No failure."""


class CannotVerify(Exception):
    """The request itself is wrong (no such folder, a bad address), or a library is: nothing was checked."""


class NodeSilent(Exception):
    """A node of the chain did not answer, or answered with nonsense: nothing is known about the day."""


class NodeRefuses(NodeSilent):
    """A node answered that it will not answer this question; it may answer another."""


def require(holds: bool, text: str) -> None:
    """Raises: Differs."""
    if not holds:
        raise Differs(text)


def differ(text: str) -> NoReturn:
    """Raises: Differs."""
    raise Differs(text)


def require_equal(found: object, expected: object, what: str) -> None:
    """Raises: Differs, with both values in short."""
    if found != expected:
        raise Differs(f"{what}: found {shown(found)}, expected {shown(expected)}")


def shown(value: object) -> str:
    """A value for people: bytes as 0x hex, nothing longer than a line."""
    if isinstance(value, bytes):
        text = "0x" + value[:34].hex()
    elif isinstance(value, int) and value.bit_length() > 2048:
        text = f"a number of {value.bit_length()} bits"
    else:
        text = repr(value) if not isinstance(value, str) else value
    return text if len(text) <= 80 else text[:77] + ".."
