"""Makes stored tickets follow a chain that took back final blocks: the only way a final row may change or go.

The triggers of migration 0017 let it through because the transaction says that it repairs. A row may go only while its
day is not sealed: a day with an approved run keeps its rows whatever happens.
"""

from collections.abc import Sequence

from bo_engine.units import DayId, TicketId
from core.lottery.model import PurchasedTicket
from io_layer.lottery.stores.tickets import select_ticket_rows, ticket_columns
from io_layer.postgres.connection import Conn

SELECT_IDS = "SELECT ticket_id FROM tickets WHERE day_id = %(day_id)s AND is_final ORDER BY ticket_id"


def select_ticket_ids(conn: Conn, day_id: DayId) -> list[TicketId]:
    """The ids of the day's final tickets, ascending."""
    return [TicketId(row[0]) for row in conn.execute(SELECT_IDS, {"day_id": day_id}).fetchall()]


SAY_REPAIR = "SELECT set_config('bo.repair', %(on)s, true)"
MOVE_INTENTS_BACK = """
    UPDATE buy_intents SET ticket_id = NULL,
           status = CASE WHEN tx_hash IS NOT NULL THEN 'SUBMITTED' WHEN signature IS NOT NULL THEN 'SIGNED'
                         ELSE 'CREATED' END
     WHERE ticket_id = ANY(%(ticket_ids)s::bigint[])
"""
DELETE_TICKETS = "DELETE FROM tickets WHERE ticket_id = ANY(%(ticket_ids)s::bigint[])"


def delete_wrong_tickets(conn: Conn, ticket_ids: Sequence[TicketId]) -> None:
    """Remove these rows; their intents, FINAL ones too, wait for a purchase again. Run it in the transaction that
    stores the chain's rows in their place.

    Raises: InvariantBroken ``day_sealed`` while the day is sealed.
    """
    conn.execute(SAY_REPAIR, {"on": "on"})
    conn.execute(MOVE_INTENTS_BACK, {"ticket_ids": list(ticket_ids)})
    conn.execute(DELETE_TICKETS, {"ticket_ids": list(ticket_ids)})
    conn.execute(SAY_REPAIR, {"on": ""})


def select_moved(conn: Conn, rows: Sequence[PurchasedTicket]) -> list[PurchasedTicket]:
    """Those of these final rows that are stored as final, with every fact of theirs, in another place on the chain."""
    given = {row.ticket.ticket_id: row for row in rows if row.is_final}
    stored = select_ticket_rows(conn, list(given))
    pairs = [(twin, given[twin.ticket.ticket_id]) for twin in stored if twin.is_final]
    return [row for twin, row in pairs if twin != row and twin.without_place() == row.without_place()]


# Two purchases of one transaction may stand where the other stood.
SET_ASIDE = "UPDATE tickets SET log_index = log_index + 1000000000 WHERE ticket_id = ANY(%(ticket_id)s::bigint[])"
MOVE = """
    UPDATE tickets AS t
       SET tx_hash = w.tx_hash, log_index = w.log_index, block_number = w.block_number, block_hash = w.block_hash
      FROM unnest(%(ticket_id)s::bigint[], %(tx_hash)b::bytea[], %(log_index)s::integer[], %(block_number)s::bigint[],
                  %(block_hash)b::bytea[]) AS w (ticket_id, tx_hash, log_index, block_number, block_hash)
     WHERE t.ticket_id = w.ticket_id
"""


def move_tickets(conn: Conn, rows: Sequence[PurchasedTicket]) -> None:
    """Write down where these tickets stand now, of sealed days too: what was sealed is what was bought, not where."""
    columns = ticket_columns(rows)
    conn.execute(SAY_REPAIR, {"on": "on"})
    conn.execute(SET_ASIDE, {"ticket_id": columns["ticket_id"]})
    conn.execute(MOVE, columns)
    conn.execute(SAY_REPAIR, {"on": ""})
