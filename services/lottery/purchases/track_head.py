"""Shows the App what is bought and not final yet: a SUBMITTED intent whose purchase stands at the head becomes SEEN.

For display only. Such a ticket's row is not final and counts for nothing; when its block is dropped the row goes and
the intent goes back to where it was.
"""

from collections.abc import Sequence
from typing import Final

from bo_engine.errors import Unavailable
from core.lottery.model import PurchasedTicket
from io_layer.lottery.stores.intents import Intent, IntentStatus, move_back, select_intents
from io_layer.lottery.stores.tickets import (
    delete_not_final,
    select_highest_ticket,
    select_overtaken,
    select_ticket_rows,
    set_these_final,
)
from io_layer.postgres.connection import Conn
from services.lottery.context import LotteryContext
from services.lottery.purchases.finalize import finalize_buy_intents

_RENEW_EVERY: Final = 50


def see_purchases(context: LotteryContext) -> int:
    """Look for the purchases of the oldest thousand sent intents at the head; how many stand there and are not final.

    Nothing changes when an endpoint does not answer: the next run looks again.
    Raises: Unavailable ``lease_lost``.
    """
    sent = (IntentStatus.SUBMITTED, IntentStatus.SEEN)
    intents = [one for one in select_intents(context.conn, sent) if one.tx_hash is not None]
    found: list[PurchasedTicket | None] = []
    for place, intent in enumerate(intents):
        context.cancel.check()
        if place % _RENEW_EVERY == 0:
            context.renew_lease()
        try:
            found.append(_at_head(context, intent))
        except Unavailable:
            return 0
    final_tickets = select_highest_ticket(context.conn)
    rows = [one for one in found if one is not None and one.ticket.ticket_id > final_tickets]
    shown = select_ticket_rows(context.conn, [one.ticket_id for one in intents if one.ticket_id is not None])
    if shown != sorted(rows, key=lambda row: row.ticket.ticket_id):
        stale = [row.ticket.ticket_id for row in shown if row not in rows]
        with context.transaction():
            move_back(context.conn, stale)
            delete_not_final(context.conn, stale)
            finalize_buy_intents(context.conn, rows)
    return len(rows)


def _at_head(context: LotteryContext, intent: Intent) -> PurchasedTicket | None:
    return context.game.read_purchase_at_head(intent.tx_hash, intent.buyer, intent.nonce) if intent.tx_hash else None


def settle_overtaken(conn: Conn, up_to_block: int, rows: Sequence[PurchasedTicket]) -> int:
    """What final blocks have decided about tickets seen at the head, before the final purchases are stored: those that
    stand there as they were seen become final, the others go. How many became final.

    Run it in their transaction: an intent whose purchase became final goes from SEEN to FINAL in one step.
    """
    overtaken = select_ticket_rows(conn, select_overtaken(conn, up_to_block, rows))
    stands = [row.ticket.ticket_id for row in overtaken if row._replace(is_final=True) in rows]
    gone = [row.ticket.ticket_id for row in overtaken if row.ticket.ticket_id not in stands]
    if gone:
        move_back(conn, gone)
        delete_not_final(conn, gone)
    return set_these_final(conn, stands) if stands else 0
