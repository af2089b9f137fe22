"""Removes stored tickets that are not the chain's, so that they can be stored anew: the only way a final row may go.

The triggers of migration 0002 let it through because the transaction says that it repairs, and only while the day is
not sealed: a day with an approved run keeps its rows whatever happens.
"""

from collections.abc import Sequence

from bo_engine.units import DayId, TicketId
from io_layer.database import Conn

SELECT_IDS = "SELECT ticket_id FROM tickets WHERE day_id = %(day_id)s AND is_final ORDER BY ticket_id"


def select_ticket_ids(conn: Conn, day_id: DayId) -> list[TicketId]:
    """The ids of the day's final tickets, ascending."""
    return [TicketId(row[0]) for row in conn.execute(SELECT_IDS, {"day_id": day_id}).fetchall()]


SAY_REPAIR = "SELECT set_config('bo.repair', %(on)s, true)"
# An intent may point at a ticket that comes back in this very transaction; at its end the key must hold again.
DEFER_INTENTS = "SET CONSTRAINTS buy_intents_ticket_id_fkey DEFERRED"
DELETE_TICKETS = "DELETE FROM tickets WHERE ticket_id = ANY(%(ticket_ids)s::bigint[])"


def delete_wrong_tickets(conn: Conn, ticket_ids: Sequence[TicketId]) -> None:
    """Remove these rows. Run it in the transaction that inserts the chain's rows in their place.

    Raises: InvariantBroken ``day_sealed`` while the day is sealed.
    """
    conn.execute(DEFER_INTENTS)
    conn.execute(SAY_REPAIR, {"on": "on"})
    conn.execute(DELETE_TICKETS, {"ticket_ids": list(ticket_ids)})
    conn.execute(SAY_REPAIR, {"on": ""})
