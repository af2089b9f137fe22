"""Compares claims on the chain with the payouts that we stored. What nothing here explains is kept aside and told."""

from collections.abc import Collection, Sequence

from io_layer.lottery.stores.payments.claim_events import ClaimEvent
from io_layer.lottery.stores.payments.claim_payouts import Unexplained, select_unexplained
from io_layer.lottery.stores.payments.events import Payment
from io_layer.lottery.stores.payments.suspense import resolve_suspense
from io_layer.postgres.connection import Conn
from services.lottery.claims.suspend import suspend


def suspend_unexplained(conn: Conn, events: Sequence[ClaimEvent], prize_vault: str) -> int:
    """A row of suspense_events for each final claim that is no payout of ours; how many are new.

    Run it in the transaction that stores the events: none is ever stored and not looked at.
    """
    return suspend(conn, [(one.event, _reason(one)) for one in select_unexplained(conn, events, prize_vault)])


def resolve_explained(conn: Conn, explained: Collection[Payment]) -> int:
    """Close the rows of payments that are explained since: the day was settled here after its claim, say."""
    return sum(resolve_suspense(conn, *event.place, "engine") for event in explained)


def _reason(found: Unexplained) -> str:
    event = found.event
    if found.run_id is None:
        return f"no run of day {event.day_id} is approved here, so nobody can have a payout of it"
    if found.amount_atoms is None:
        return f"day {event.day_id} has no such payout of {event.account} here: the leaf is not ours"
    return f"our payout is {found.amount_atoms} atoms, {event.amount_atoms} were claimed: the leaf is not ours"
