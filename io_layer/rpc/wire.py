"""Values as they travel in JSON-RPC, each decoded strictly. What does not decode is an endpoint's fault, never ours.

Two endpoints are compared by what they said, not by how they spelled it: every decoder gives one value for one fact.
"""

import re
from typing import Any, Final

from bo_engine.errors import Unavailable
from bo_engine.units import Hash32, hex_of

#: Heights, times, counts and positions: what no chain exceeds and a ``bigint`` holds.
_MAX_COUNT: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"0x[0-9a-f]{1,64}", re.IGNORECASE)
_DATA: Final = re.compile(r"0x(?:[0-9a-f]{2})*", re.IGNORECASE)


def number(answer: object) -> int:
    """A hex number of up to 256 bits. Raises: Unavailable ``rpc_unusable``, as all here."""
    if not isinstance(answer, str) or not _NUMBER.fullmatch(answer):
        raise unusable("a number")
    return int(answer, 16)


def count(answer: object) -> int:
    """A hex number of up to 63 bits: a height, a time, a nonce, a position, an amount of gas."""
    found = number(answer)
    if found > _MAX_COUNT:
        raise unusable("a number of that kind")
    return found


def data(answer: object) -> bytes:
    """Hex data."""
    if not isinstance(answer, str) or not _DATA.fullmatch(answer):
        raise unusable("data")
    return bytes.fromhex(answer[2:])


def hash32(answer: object) -> Hash32:
    """32 bytes of hex data."""
    found = data(answer)
    if len(found) != 32:
        raise unusable("a hash")
    return Hash32(found)


def text(answer: object) -> str:
    """A text."""
    if not isinstance(answer, str):
        raise unusable("a text")
    return answer


def fields(answer: object) -> dict[str, Any]:
    """An object."""
    if not isinstance(answer, dict):
        raise unusable("an object")
    return answer


def logs(answer: object) -> list[dict[str, Any]]:
    """Mined logs: of each the fields that count, in one spelling; what a client adds of its own is left out."""
    if not isinstance(answer, list):
        raise unusable("a list of logs")
    return [_log(fields(entry)) for entry in answer]


def _log(log: dict[str, Any]) -> dict[str, Any]:
    address, topics = data(log.get("address")), log.get("topics")
    if len(address) != 20 or not isinstance(topics, list):
        raise unusable("a log")
    return {
        "address": hex_of(address),
        "topics": [hex_of(hash32(topic)) for topic in topics],
        "data": hex_of(data(log.get("data"))),
        "blockNumber": hex(count(log.get("blockNumber"))),
        "blockHash": hex_of(hash32(log.get("blockHash"))),
        "transactionHash": hex_of(hash32(log.get("transactionHash"))),
        "logIndex": hex(count(log.get("logIndex"))),
    }


def unusable(what: str) -> Unavailable:
    """The error for an answer that is not what it should be."""
    return Unavailable("rpc_unusable", f"an RPC endpoint answers with something that is not {what}")
