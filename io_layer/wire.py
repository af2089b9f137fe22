"""Values as they travel in JSON-RPC: hex numbers, hex data, blocks and logs. What is none is an endpoint's fault."""

import re
from collections.abc import Iterable
from typing import Any, Final

from bo_engine.errors import Unavailable
from bo_engine.units import Hash32

_NUMBER: Final = re.compile(r"0x[0-9a-f]{1,64}", re.IGNORECASE)
_DATA: Final = re.compile(r"0x(?:[0-9a-f]{2})*", re.IGNORECASE)


def number(answer: object) -> int:
    """A hex number. Raises: Unavailable ``rpc_unusable``."""
    if not isinstance(answer, str) or not _NUMBER.fullmatch(answer):
        raise _unusable("a number")
    return int(answer, 16)


def data(answer: object) -> bytes:
    """Hex data. Raises: Unavailable ``rpc_unusable``."""
    if not isinstance(answer, str) or not _DATA.fullmatch(answer):
        raise _unusable("data")
    return bytes.fromhex(answer[2:])


def hash32(answer: object) -> Hash32:
    """32 bytes of hex data. Raises: Unavailable ``rpc_unusable``."""
    found = data(answer)
    if len(found) != 32:
        raise _unusable("a hash")
    return Hash32(found)


def fields(answer: object) -> dict[str, Any]:
    """An object. Raises: Unavailable ``rpc_unusable``."""
    if not isinstance(answer, dict):
        raise _unusable("an object")
    return answer


def logs(answer: object) -> Iterable[dict[str, Any]]:
    """Mined logs, each checked. Raises: Unavailable ``rpc_unusable``."""
    if not isinstance(answer, list):
        raise _unusable("a list of logs")
    for log in map(fields, answer):
        number(log.get("blockNumber"))
        number(log.get("logIndex"))
        hash32(log.get("blockHash"))
        hash32(log.get("transactionHash"))
        data(log.get("data"))
        if not isinstance(log.get("topics"), list):
            raise _unusable("a log")
        for topic in log["topics"]:
            hash32(topic)
    return answer


def _unusable(what: str) -> Unavailable:
    return Unavailable("rpc_unusable", f"an RPC endpoint answers with something that is not {what}")
