"""Who held the office of SETTLER before: from the events of Roles, where a node shows them all."""

from dataclasses import dataclass
from typing import Any

from verifier.checking import NodeRefuses
from verifier.hashing import hex_of, keccak256, number_word
from verifier.node import Node, hex_number
from verifier.tickets import ZERO_WALLET

SETTLER = 3  # of Roles' enum Office
_HOLDER_SET = keccak256(b"HolderSet(uint8,address,address)")


@dataclass(frozen=True)
class _Change:
    place: tuple[int, int]  # block, log index
    previous: str
    current: str


def settlers_ever(node: Node, roles: str, now: str, block: int) -> frozenset[str] | None:
    """Everybody who was ever SETTLER; None if the node does not show it.

    The events show it if they lead, one after the other, from nobody to who holds the office now.
    """
    logs = _logs(node, roles, [hex_of(_HOLDER_SET), hex_of(number_word(SETTLER))], block)
    if logs is None or not all(len(log["topics"]) == 4 for log in logs):
        return None
    changes = [_Change(_place(log, node), *(_wallet(topic) for topic in log["topics"][2:])) for log in logs]
    changes.sort(key=lambda change: change.place)
    ends = [ZERO_WALLET, *(change.current for change in changes)]
    is_whole = bool(changes) and ends[-1] == now and ends[:-1] == [change.previous for change in changes]
    return frozenset(ends[1:]) - {ZERO_WALLET} if is_whole else None


def _logs(node: Node, address: str, topics: list[str], block: int) -> list[dict[str, Any]] | None:
    """The events; None of a node that does not look so far back."""
    asked = {"address": address, "topics": topics, "fromBlock": "0x0", "toBlock": hex(block)}
    try:
        found = node.ask("eth_getLogs", asked)
    except NodeRefuses:
        return None
    if not isinstance(found, list):
        return None
    logs = [log for log in found if isinstance(log, dict) and isinstance(log.get("topics"), list)]
    is_asked = all(
        str(log.get("address")).lower() == address
        and log["topics"][: len(topics)] == topics
        and all(isinstance(topic, str) and len(topic) == 66 for topic in log["topics"])
        for log in logs
    )
    return logs if is_asked and len(logs) == len(found) else None


def _place(log: dict[str, Any], node: Node) -> tuple[int, int]:
    return hex_number(log.get("blockNumber"), node.name), hex_number(log.get("logIndex"), node.name)


def _wallet(topic: str) -> str:
    return "0x" + topic[26:].lower()
