"""Reads what the chain says of a voided day, at the newest block that all nodes call final."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from verifier.answers import event_logs, number_of, words
from verifier.checking import NodeRefuses, NodeSilent
from verifier.final_block import Header, read_agreed, read_header
from verifier.hashing import hex_of, keccak256, number_word
from verifier.node import Node, hex_bytes
from verifier.read_facts import DAY_S, read_wiring

_VOIDED = keccak256(b"DayVoided(uint256,uint256,(uint256,uint256,uint256,uint256)[5])")
_STATE = ("carry", "reserve", "last_rollover", "streak")


@dataclass(frozen=True)
class VoidEvent:
    """A DayVoided event of the day in the block that the file names."""

    tx_hash: bytes
    stake: int
    closing_state: tuple[Mapping[str, int], ...]


@dataclass(frozen=True)
class VoidFacts:
    """A voided day at one final block."""

    block: int
    status: int
    voided_at_s: int
    stake: int  # sold on the day, over all pools
    refundable: int
    closing_hash: bytes  # the opening of the day after
    named_block: Header | None  # that of the file; None if it is not final
    events: tuple[VoidEvent, ...] | None  # None: the block is not final, or the nodes do not show its events


def read_void_facts(urls: Sequence[str], day_id: int, document: Mapping[str, Any]) -> VoidFacts:
    """The same from every node. Raises: as ``read_agreed``; Differs when no such lottery stands on the chain."""
    return read_agreed(
        urls,
        chain_id=document["chain_id"],
        closed_s=(day_id + 1) * DAY_S,
        ended_s=document["block"]["time_s"],
        read=lambda node, block: _read(node, day_id, document, block),
        agreed=_agreed,
    )


def _agreed(one: VoidFacts, other: VoidFacts) -> VoidFacts:
    events = one.events if one.events is not None else other.events
    if replace(one, events=events) != replace(other, events=other.events if other.events is not None else events):
        raise NodeSilent("the nodes tell different facts of the same block; ask a third one")
    return replace(one, events=events)


def _read(node: Node, day_id: int, document: Mapping[str, Any], block: int) -> VoidFacts:
    settlement, number = document["settlement"], number_word(day_id)
    wiring = read_wiring(node, settlement, block)
    answers = node.call_all(
        [
            (settlement, "dayRecord(uint256)", [number]),
            (settlement, "openingStateHash(uint256)", [number_word(day_id + 1)]),
            (wiring["game_manager"], "poolDays(uint256)", [number]),
            (wiring["reserve_vault"], "refundable(uint256)", [number]),
        ],
        block=block,
    )
    record, closing, pools, refundable = (
        words(answer, count, node) for answer, count in zip(answers, (6, 1, 20, 1), strict=True)
    )
    named = document["block"]["number"]
    is_final = named <= block
    return VoidFacts(
        block=block,
        status=number_of(record[0]),
        voided_at_s=number_of(record[4]),
        stake=sum(number_of(pools[4 * pool + 2]) for pool in range(5)),
        refundable=number_of(refundable[0]),
        closing_hash=closing[0],
        named_block=read_header(node, hex(named)) if is_final else None,
        events=_events(node, settlement, number, named) if is_final else None,
    )


def _events(node: Node, settlement: str, day: bytes, block: int) -> tuple[VoidEvent, ...] | None:
    topics = [hex_of(_VOIDED), hex_of(day)]
    asked = {"address": settlement, "topics": topics, "fromBlock": hex(block), "toBlock": hex(block)}
    try:
        logs = event_logs(node.ask("eth_getLogs", asked))
    except NodeRefuses:
        return None
    return tuple(
        _event(log, node)
        for log in logs
        if log["address"] == settlement and log.get("topics") == topics and log.get("blockNumber") == hex(block)
    )


def _event(log: Mapping[str, Any], node: Node) -> VoidEvent:
    stake, *state = (number_of(word) for word in words(hex_bytes(log.get("data"), node.name), 21, node))
    return VoidEvent(
        tx_hash=hex_bytes(log.get("transactionHash"), node.name),
        stake=stake,
        closing_state=tuple(dict(zip(_STATE, state[4 * pool : 4 * pool + 4], strict=True)) for pool in range(5)),
    )
