"""What two endpoints say, as one value; and what is said of them when they do not say the same."""

from collections.abc import Sequence
from typing import TypeVar

from bo_engine.errors import InvariantBroken
from bo_engine.units import hex_of
from io_layer.rpc.endpoint import RpcRefused

T = TypeVar("T")
_WORD: int = 32


def agreed(what: object, answers: Sequence[T | RpcRefused]) -> T | RpcRefused:
    """The one answer of all; a refusal stands for the contract's own, and all refusals are equal.

    ``answers`` are the primary's and the fallback's, or that of the only one that answers a display read.
    Raises: InvariantBroken ``rpc_disagreement``, with both values.
    """
    first, last = answers[0], answers[-1]
    if isinstance(first, RpcRefused) and isinstance(last, RpcRefused):
        return first
    if isinstance(first, RpcRefused) or isinstance(last, RpcRefused) or first != last:
        told_first, told_last = _told_apart(first, last)
        raise InvariantBroken(
            "rpc_disagreement",
            f"the two RPC endpoints answer {what} differently at the same block: primary {told_first}, fallback "
            f"{told_last}; find out which one lies before `bo-engine resume`",
        )
    return first


def _told_apart(first: object, last: object) -> tuple[str, str]:
    if isinstance(first, bytes) and isinstance(last, bytes):
        # Of long answers the first word that differs: their beginnings may be the same.
        places = range(0, max(len(first), len(last)), _WORD)
        place = next(place for place in places if first[place : place + _WORD] != last[place : place + _WORD])
        first, last = first[place : place + _WORD], last[place : place + _WORD]
    return _short(first), _short(last)


def _short(value: object) -> str:
    if value is None:
        return "a revert"
    text = value.message if isinstance(value, RpcRefused) else hex_of(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
