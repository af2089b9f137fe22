"""Checks of a voided day: voided.json by itself, and against the chain (rule 2.12)."""

from verifier.checking import NotTold, differ, require, require_equal
from verifier.encodings import state_hash
from verifier.facts import VOIDED
from verifier.folder import VoidedFolder
from verifier.read_facts import DAY_S
from verifier.read_voided import VoidFacts


def form(folder: VoidedFolder) -> str:
    """The file is strict JSON in canonical form with exactly the documented fields, and stands alone."""
    require(folder.problem is None, f"voided.json: {folder.problem}")
    if folder.others:
        differ(f"{', '.join(folder.others)}: a voided day has no other file than voided.json")
    return "voided.json, alone"


def identity(folder: VoidedFolder) -> str:
    """The file is of this day."""
    require_equal(folder.document["day_id"], folder.day_id, "day_id of voided.json")
    return f"day {folder.day_id}, chain {folder.document['chain_id']}"


def closing(folder: VoidedFolder) -> str:
    """A voided day leaves no rollover: it sold nothing that stays."""
    for number, state in enumerate(folder.document["closing_state"]):
        require_equal(state["last_rollover"], 0, f"last_rollover of pool {number}")
    return "no rollover in 5 pools"


def void_time(folder: VoidedFolder) -> str:
    """No day can be voided earlier than a day after its close."""
    first_s = (folder.day_id + 2) * DAY_S
    found_s = folder.document["block"]["time_s"]
    require(found_s >= first_s, f"voided at {found_s}, which no contract allows before {first_s}")
    return "a day or more after the close"


def void_on_chain(folder: VoidedFolder, facts: VoidFacts) -> str:
    """The day is voided on the chain, at this time."""
    require(facts.status == VOIDED, "the day is not voided on the chain")
    require_equal(folder.document["block"]["time_s"], facts.voided_at_s, "time of the void")
    return f"status and time in dayRecord(day), at final block {facts.block}"


def block_on_chain(folder: VoidedFolder, facts: VoidFacts) -> str:
    """The named block is a final block of the chain."""
    named = folder.document["block"]
    if facts.named_block is None:
        differ(f"block {named['number']} is not final: the newest final block is {facts.block}")
    require_equal(named["number"], facts.named_block.number, "number of the block")
    require_equal(named["hash"], facts.named_block.block_hash, f"hash of block {named['number']}")
    require_equal(named["time_s"], facts.named_block.time_s, f"time of block {named['number']}")
    return "number, hash and time of the block"


def event_on_chain(folder: VoidedFolder, facts: VoidFacts) -> str:
    """The event stands there, in this transaction, with this stake and closing state."""
    document = folder.document
    if facts.events is None:
        raise NotTold(f"the event in block {document['block']['number']}: the nodes do not show events of it")
    require(len(facts.events) == 1, f"{len(facts.events)} DayVoided events of the day stand in the named block")
    (event,) = facts.events
    require_equal(document["tx_hash"], event.tx_hash, "transaction of the void")
    require_equal(document["stake"], event.stake, "stake of the event")
    for number, (state, expected) in enumerate(zip(document["closing_state"], event.closing_state, strict=True)):
        require_equal(state, expected, f"closing state of pool {number}")
    return "DayVoided: transaction, stake, closing state"


def stake_on_chain(folder: VoidedFolder, facts: VoidFacts) -> str:
    """The stake is what the day sold, and no more than that is left to pay back."""
    stake = folder.document["stake"]
    require_equal(stake, facts.stake, "stake of the day")
    require(facts.refundable <= stake, f"{facts.refundable} atoms are left to refund, of a stake of {stake}")
    return f"poolDays(day); {stake - facts.refundable} of {stake} atoms refunded"


def closing_on_chain(folder: VoidedFolder, facts: VoidFacts) -> str:
    """The next day opens with what this one left."""
    require_equal(state_hash(folder.document["closing_state"]), facts.closing_hash, "hash of closing state")
    return "openingStateHash(day + 1)"
