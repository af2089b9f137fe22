"""Answers of nodes and contracts, taken apart."""

from typing import Any

from verifier.checking import require
from verifier.node import Node


def words(answer: bytes, count: int, node: Node) -> list[bytes]:
    """Exactly so many words: everything that is asked is static. Raises: Differs."""
    require(len(answer) == 32 * count, f"a contract answers {node.name} with {len(answer)} bytes, not {32 * count}")
    return [answer[start : start + 32] for start in range(0, len(answer), 32)]


def number_of(word: bytes) -> int:
    """A word as a number."""
    return int.from_bytes(word, "big")


def event_logs(found: Any) -> list[dict[str, Any]]:
    """A list of logs, addresses in lower case; none of what is no such list."""
    if not isinstance(found, list):
        return []
    return [{**log, "address": str(log.get("address")).lower()} for log in found if isinstance(log, dict)]
