"""Claims and refunds together: what the contracts paid to players, one row per event in claim_events or refunds."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from io_layer.lottery.stores.payments import claim_events
from io_layer.lottery.stores.payments import refund_events as refunds
from io_layer.lottery.stores.payments.claim_events import ClaimEvent
from io_layer.lottery.stores.payments.refund_events import RefundEvent
from io_layer.postgres.connection import Conn

Payment = ClaimEvent | RefundEvent


class Counts(NamedTuple):
    """How many rows of each table."""

    claims: int
    refunds: int


def claims_of(events: Iterable[Payment]) -> list[ClaimEvent]:
    """Those that are claims."""
    return [one for one in events if isinstance(one, ClaimEvent)]


def refunds_of(events: Iterable[Payment]) -> list[RefundEvent]:
    """Those that are refunds."""
    return [one for one in events if isinstance(one, RefundEvent)]


def insert_payments(conn: Conn, events: Sequence[Payment], *, is_final: bool) -> Counts:
    """Store what is new; the counts. A repeat changes nothing."""
    return Counts(
        claim_events.insert_claim_events(conn, claims_of(events), is_final=is_final),
        refunds.insert_refunds(conn, refunds_of(events), is_final=is_final),
    )


def select_final_at(conn: Conn, events: Collection[Payment]) -> list[Payment]:
    """The final rows at the places of these events."""
    return [
        *claim_events.select_final_at(conn, claims_of(events)),
        *refunds.select_final_at(conn, refunds_of(events)),
    ]


def select_not_final(conn: Conn) -> list[Payment]:
    """What was seen above the final block."""
    return [*claim_events.select_not_final(conn), *refunds.select_not_final(conn)]


def select_doubtful(conn: Conn, up_to_block: int, events: Collection[Payment]) -> list[Payment]:
    """Rows that are not final and about which final blocks up to this one, with these events, may have decided."""
    return [
        *claim_events.select_doubtful(conn, up_to_block, claims_of(events)),
        *refunds.select_doubtful(conn, up_to_block, refunds_of(events)),
    ]


def delete_not_final(conn: Conn, events: Collection[Payment]) -> int:
    """Remove events of dropped blocks; the count. Final ones are left alone."""
    return claim_events.delete_not_final(conn, claims_of(events)) + refunds.delete_not_final(conn, refunds_of(events))


def set_final(conn: Conn, events: Collection[Payment]) -> Counts:
    """Events that a final block has confirmed; the counts."""
    return Counts(
        claim_events.set_final(conn, claims_of(events)),
        refunds.set_final(conn, refunds_of(events)),
    )


def doubt_all(conn: Conn) -> None:
    """Everything is to be read again: final blocks confirm each row or remove it."""
    claim_events.doubt_all(conn)
    refunds.doubt_all(conn)
