"""Keeps claims and refunds aside that nothing of ours explains: a row of suspense_events each, and a warning."""

from collections.abc import Collection
from typing import Any, Literal

from bo_engine.log import get_logger
from bo_engine.units import hex_of
from io_layer.lottery.stores.payments.claim_events import ClaimEvent
from io_layer.lottery.stores.payments.events import Payment
from io_layer.lottery.stores.payments.suspense import insert_suspense
from io_layer.postgres.connection import Conn

_LOG = get_logger("claims")


def kind_of(event: Payment) -> Literal["claim", "refund"]:
    """What suspense_events calls it."""
    return "claim" if isinstance(event, ClaimEvent) else "refund"


def suspend(conn: Conn, odd: Collection[tuple[Payment, str]]) -> int:
    """Keep these events aside, each with its reason; how many are new."""
    new = [(event, reason) for event, reason in odd if _insert(conn, event, reason)]
    for name, kind in (("claims_unexplained", "claim"), ("refunds_unexplained", "refund")):
        of_kind = [(event, reason) for event, reason in new if kind_of(event) == kind]
        if of_kind:
            # It may be a security incident: every payment has its reason in what we stored.
            event, reason = of_kind[0]
            facts = {"count": len(of_kind), "first_tx": hex_of(event.tx_hash), "first_reason": reason}
            _LOG.warning(name, extra=facts)
    return len(new)


def _insert(conn: Conn, event: Payment, reason: str) -> bool:
    return insert_suspense(
        conn,
        tx_hash=event.tx_hash,
        log_index=event.log_index,
        kind=kind_of(event),
        reason=reason,
        payload=_payload(event),
        block_number=event.block_number,
    )


def _payload(event: Payment) -> dict[str, Any]:
    common = {
        "day_id": event.day_id,
        "account": event.account,
        "paid_to": event.paid_to,
        "amount": str(event.amount_atoms),
    }
    if isinstance(event, ClaimEvent):
        return {"vault": event.vault, **common}
    return {"kind": event.kind, "nonce": hex_of(event.nonce) if event.nonce is not None else None, **common}
