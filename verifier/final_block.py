"""Facts at the newest block that all nodes call final: the same from every node, or none."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from verifier.checking import CannotVerify, NodeSilent
from verifier.node import Node, hex_bytes, hex_number

T = TypeVar("T")


class Header(NamedTuple):
    """A block."""

    number: int
    block_hash: bytes
    time_s: int


def read_agreed(
    urls: Sequence[str],
    *,
    chain_id: int,
    closed_s: int,
    ended_s: int,
    read: Callable[[Node, int], T],
    agreed: Callable[[T, T], T],
) -> T:
    """What ``read`` finds at the newest common final block, from every node; ``agreed`` makes one of two or raises.

    ``closed_s`` is the day's close, ``ended_s`` when its files say that it was released or voided.
    Raises: NodeSilent when a node does not answer, is behind, or differs in its blocks; CannotVerify for a bad address
    or another chain.
    """
    nodes = [Node(url, number) for number, url in enumerate(urls, start=1)]
    for node in nodes:
        _check_chain(node, chain_id)
    block = _common_block(nodes)
    _check_age(block, closed_s, ended_s)
    found = read(nodes[0], block.number)
    for node in nodes[1:]:
        found = agreed(found, read(node, block.number))
    for node in nodes:
        if read_header(node, hex(block.number)).block_hash != block.block_hash:
            raise NodeSilent(f"{node.name} changed its block {block.number} while it was asked")
    return found


def read_header(node: Node, name: str) -> Header:
    """The block at a height (0x hex) or ``finalized``."""
    found: Any = node.ask("eth_getBlockByNumber", name, False)
    if not isinstance(found, dict):
        raise NodeSilent(f"{node.name} does not know block {name}")
    number = hex_number(found.get("number"), node.name)
    if name not in ("finalized", hex(number)):
        raise NodeSilent(f"{node.name} gives block {number} for block {int(name, 16)}")
    return Header(number, hex_bytes(found.get("hash"), node.name), hex_number(found.get("timestamp"), node.name))


def _check_chain(node: Node, expected: int) -> None:
    found = hex_number(node.ask("eth_chainId"), node.name)
    if found != expected:
        raise CannotVerify(
            f"{node.name} is of chain {found}, the files are of chain {expected}: nothing was compared; "
            f"name a node of the lottery's chain with --rpc"
        )


def _common_block(nodes: Sequence[Node]) -> Header:
    number = min(read_header(node, "finalized").number for node in nodes)
    found = {read_header(node, hex(number)) for node in nodes}
    if len(found) != 1:
        raise NodeSilent(f"the nodes have different blocks number {number}")
    return found.pop()


def _check_age(block: Header, closed_s: int, ended_s: int) -> None:
    """A node that has not yet seen the day's end knows nothing of it. That is no lie of the files."""
    # A time that is still to come may be a lie: it makes no node a late one.
    if block.time_s < closed_s or block.time_s < ended_s <= int(time.time()):
        raise NodeSilent(
            f"the nodes are behind: their newest final block {block.number} is older than the day's settlement"
        )
