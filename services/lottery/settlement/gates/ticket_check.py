"""Names the first ticket in which the database and the chain differ."""

from itertools import zip_longest

from core.lottery.model import Ticket
from io_layer.lottery.stores.tickets import stream_tickets
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import Opened


def first_difference(context: LotteryContext, opened: Opened) -> str | None:
    """Compare the day's tickets one by one with the chain's events and describe the first difference.

    None if there is none. Reads the whole day from both endpoints.
    """
    chain = (event.ticket for event in context.game.read_tickets_of_day(opened.day_id, opened.facts.block))
    for ours, theirs in zip_longest(stream_tickets(context.conn, opened.day_id), chain):
        if ours != theirs:
            return _describe(ours, theirs)
    return None


def _describe(ours: Ticket | None, theirs: Ticket | None) -> str | None:
    if ours is None and theirs is not None:
        return f"ticket {theirs.ticket_id} is missing in the database"
    if theirs is None and ours is not None:
        return f"ticket {ours.ticket_id} is not on the chain"
    if ours is None or theirs is None:
        return None
    if ours.ticket_id < theirs.ticket_id:
        return f"ticket {ours.ticket_id} is not on the chain"
    if ours.ticket_id > theirs.ticket_id:
        return f"ticket {theirs.ticket_id} is missing in the database"
    names = [name for name in Ticket._fields if getattr(ours, name) != getattr(theirs, name)]
    return f"ticket {ours.ticket_id} differs from the chain in: {', '.join(names)}"
