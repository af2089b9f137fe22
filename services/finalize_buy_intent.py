"""Ties a purchase to the intent that asked for it: exactly once, whoever finds it first."""

from bo_engine.units import TicketId
from io_layer.database import Conn
from io_layer.intent_store import Intent, mark_seen


def finalize_buy_intent(conn: Conn, intent: Intent, ticket_id: TicketId) -> bool:
    """Move the intent to SEEN with its ticket; it becomes FINAL with the ticket. Run it in the ticket's transaction.

    False when the intent has its ticket already: then all is done. One ticket serves one intent and one nonce one
    ticket by unique keys, so a repeat or a race cannot give a second ticket.
    """
    return mark_seen(conn, intent.intent_id, ticket_id)
