"""Turns purchases into tickets and ties each to the intent that asked for it: exactly once, whoever finds it first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bo_engine.errors import Unavailable
from core.lottery.model import PurchasedTicket
from io_layer.lottery.stores.intents import bind_intents, insert_adopted, mark_final, select_differing
from io_layer.lottery.stores.payments.suspense import insert_suspense
from io_layer.lottery.stores.ticket_repair import move_tickets, select_moved
from io_layer.lottery.stores.tickets import insert_tickets
from io_layer.postgres.connection import Conn
from io_layer.stores.audit import insert_audit

# Whoever waits here holds the tickets' transaction open.
SHORT_PATIENCE: Final = "SET LOCAL lock_timeout = '1s'"
_NAMED: Final = 20


@dataclass(slots=True)
class Finalized:
    """What became of some purchases."""

    tickets_added: int = 0
    intents_final: int = 0
    recovered: int = 0  # intents found without their transaction hash
    adopted: int = 0  # tickets that no intent knew


def finalize_buy_intents(conn: Conn, rows: Sequence[PurchasedTicket]) -> Finalized:
    """Store the tickets that are new, give each its intent, and end the intents whose ticket is final.

    Run it inside a transaction. Ticket id, event and nonce are unique keys: a repeat or a race changes nothing. The
    tickets stand even while somebody holds locks on intents: those are matched by a later run (``match_tickets``). A
    purchase that bought something else than its intent says is a ticket all the same, and a row in suspense_events
    tells a person of it.
    Raises: InvariantBroken ``ticket_conflict``, ``day_sealed``.
    """
    if moved := select_moved(conn, rows):
        # The chain took back final blocks, and has the purchase in another one.
        move_tickets(conn, moved)
        details = {"count": len(moved), "first_tickets": [row.ticket.ticket_id for row in moved[:_NAMED]]}
        insert_audit(conn, actor="engine", action="tickets_moved", details=details)
    added = len(insert_tickets(conn, rows).new_ids)
    done = match_tickets(conn, [row.ticket.ticket_id for row in rows])
    done.tickets_added = added
    return done


def match_tickets(conn: Conn, ticket_ids: Sequence[int]) -> Finalized:
    """Give stored tickets their intents, inside a transaction; nothing of it happens if somebody holds a lock."""
    try:
        with conn.transaction():
            conn.execute(SHORT_PATIENCE)
            return _match(conn, ticket_ids)
    except Unavailable as error:
        if error.code != "database_locked":
            raise
        return Finalized()


def _match(conn: Conn, ticket_ids: Sequence[int]) -> Finalized:
    _, recovered = bind_intents(conn, ticket_ids)
    adopted = insert_adopted(conn, ticket_ids)
    for odd in select_differing(conn, ticket_ids):
        insert_suspense(
            conn,
            tx_hash=odd.tx_hash,
            log_index=odd.log_index,
            kind="purchase",
            reason="the purchase differs from the intent with its nonce",
            payload={"ticket_id": odd.ticket_id, "intent_id": str(odd.intent_id)},
            block_number=odd.block_number,
        )
    return Finalized(0, mark_final(conn), recovered, adopted)
