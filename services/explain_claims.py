"""Compares claims on the chain with the payouts that we stored. What nothing here explains is kept aside and told."""

from collections.abc import Collection, Sequence

from bo_engine.log import get_logger
from bo_engine.units import hex_of
from io_layer.claim_event_store import ClaimEvent
from io_layer.claim_payout_store import Unexplained, select_unexplained
from io_layer.database import Conn
from io_layer.suspense_store import insert_suspense, resolve_suspense

_LOG = get_logger("claims")


def suspend_unexplained(conn: Conn, events: Sequence[ClaimEvent], prize_vault: str) -> int:
    """A row of suspense_events for each final claim that is no payout of ours; how many are new.

    Run it in the transaction that stores the events: none is ever stored and not looked at.
    """
    return suspend(conn, [(one.event, _reason(one)) for one in select_unexplained(conn, events, prize_vault)])


def suspend(conn: Conn, odd: Collection[tuple[ClaimEvent, str]]) -> int:
    """Keep these events aside, each with its reason; how many are new."""
    new = [(event, reason) for event, reason in odd if _insert(conn, event, reason)]
    if new:
        # It may be a security incident: a claim needs a leaf, and every leaf should be a payout of ours.
        event, reason = new[0]
        facts = {"count": len(new), "first_tx": hex_of(event.tx_hash), "first_reason": reason}
        _LOG.warning("claims_unexplained", extra=facts)
    return len(new)


def resolve_explained(conn: Conn, explained: Collection[ClaimEvent]) -> int:
    """Close the rows of claims whose payout has come to be known since: the day was settled here after its claim."""
    return sum(resolve_suspense(conn, *event.place, "engine") for event in explained)


def _reason(found: Unexplained) -> str:
    event = found.event
    if found.run_id is None:
        return f"no run of day {event.day_id} is approved here, so nobody can have a payout of it"
    if found.amount_atoms is None:
        return f"day {event.day_id} has no such payout of {event.account} here: the leaf is not ours"
    return f"our payout is {found.amount_atoms} atoms, {event.amount_atoms} were claimed: the leaf is not ours"


def _insert(conn: Conn, event: ClaimEvent, reason: str) -> bool:
    return insert_suspense(
        conn,
        tx_hash=event.tx_hash,
        log_index=event.log_index,
        kind="claim",
        reason=reason,
        payload={
            "vault": event.vault,
            "day_id": event.day_id,
            "account": event.account,
            "amount": str(event.amount_atoms),
        },
        block_number=event.block_number,
    )
