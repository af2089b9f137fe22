"""A voided day for the self-test, and forgeries of its one file. Each names the check that must catch it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from verifier.documents import VOIDED_FILE
from verifier.encodings import state_hash
from verifier.facts import RELEASED, VOIDED
from verifier.final_block import Header
from verifier.forging import Change, at, instead, plus
from verifier.read_facts import DAY_S
from verifier.read_voided import VoidEvent, VoidFacts

DAY = 20_000
HONEST: Mapping[str, Any] = {
    "schema": "bo-engine/voided/1",
    "day_id": DAY,
    "chain_id": 42_161,
    "settlement": "0x" + "c1" * 20,
    "stake": 12_250_000,
    "closing_state": [
        {"carry": 5_000_000 + pool, "reserve": 7_000_000, "last_rollover": 0, "streak": pool} for pool in range(5)
    ],
    "block": {"number": 1_000, "hash": b"\x11" * 32, "time_s": (DAY + 8) * DAY_S},
    "tx_hash": b"\x22" * 32,
}


def void_facts(document: Mapping[str, Any]) -> VoidFacts:
    """The chain of the honest day, but for the void itself, which stands there as a document says."""
    block = document["block"]
    return VoidFacts(
        block=1_100,
        status=VOIDED,
        voided_at_s=block["time_s"],
        stake=HONEST["stake"],
        refundable=HONEST["stake"] - 250_000,
        closing_hash=state_hash(HONEST["closing_state"]),
        named_block=Header(block["number"], block["hash"], block["time_s"]),
        events=(VoidEvent(document["tx_hash"], document["stake"], tuple(document["closing_state"])),),
    )


@dataclass(frozen=True)
class VoidForgery:
    """A lie about a voided day, and the one check that must catch it.

    ``lie`` changes the document, ``bytes_lies`` a finished file (of a settlement: it is put beside), ``chain_lie`` is
    what stands on the chain against the file. ``is_offline``: for those who have the file only.
    """

    check: str
    story: str
    lie: Change = lambda document: document
    bytes_lies: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    chain_lie: Callable[[VoidFacts], VoidFacts] = lambda facts: facts
    is_offline: bool = False


def _event(**changes: Any) -> Callable[[VoidFacts], VoidFacts]:
    """The event says something else than the file."""
    return lambda facts: replace(facts, events=tuple(replace(event, **changes) for event in facts.events or ()))


def _named(**changes: Any) -> Callable[[VoidFacts], VoidFacts]:
    """The named block is another one than the file says."""
    return lambda facts: replace(facts, named_block=facts.named_block and facts.named_block._replace(**changes))


VOID_FORGERIES = (
    VoidForgery("form", "a field is added to voided.json", lambda found: {**found, "refund_root": b"\x33" * 32}),
    VoidForgery("form", "voided.json names four pools only", at("closing_state", to=lambda found: found[:4])),
    VoidForgery("form", "voided.json ends with a newline", bytes_lies={VOIDED_FILE: lambda data: data + b"\n"}),
    VoidForgery("form", "a settlement lies beside the void", bytes_lies={
        "commit_bundle.json": lambda _: b"{}"}),
    VoidForgery("identity", "the void of the day after is passed off as this day's", at("day_id", to=plus(1))),
    VoidForgery("closing", "a voided day leaves a rollover", at(
        "closing_state", 2, "last_rollover", to=plus(1)), is_offline=True),
    VoidForgery("void_time", "a day is voided an hour after its close", at(
        "block", "time_s", to=instead((DAY + 1) * DAY_S + 3_600))),
    VoidForgery("void_on_chain", "a settled day is passed off as voided",
                chain_lie=lambda facts: replace(facts, status=RELEASED)),
    VoidForgery("void_on_chain", "the void is dated back", chain_lie=lambda facts: replace(
        facts, voided_at_s=facts.voided_at_s + 1)),
    VoidForgery("block_on_chain", "the void stands in a block of another chain", chain_lie=_named(
        block_hash=b"\x44" * 32)),
    VoidForgery("block_on_chain", "the block is older than the file says", chain_lie=_named(time_s=1)),
    VoidForgery("block_on_chain", "the block is not final", chain_lie=lambda facts: replace(
        facts, named_block=None, events=None)),
    VoidForgery("event_on_chain", "another transaction is named", chain_lie=_event(tx_hash=b"\x55" * 32)),
    VoidForgery("event_on_chain", "the event has another stake", chain_lie=_event(stake=1)),
    VoidForgery("event_on_chain", "the event has another closing state", chain_lie=_event(
        closing_state=tuple(reversed(HONEST["closing_state"])))),
    VoidForgery("event_on_chain", "nothing was voided in the named block", chain_lie=lambda facts: replace(
        facts, events=())),
    VoidForgery("stake_on_chain", "the stake is made smaller", at("stake", to=plus(-1))),
    VoidForgery("stake_on_chain", "more is refundable than was staked", chain_lie=lambda facts: replace(
        facts, refundable=facts.stake + 1)),
    VoidForgery("closing_on_chain", "a pool's carry is kept back", at("closing_state", 0, "carry", to=plus(-1))),
)  # fmt: skip
