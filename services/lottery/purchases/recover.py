"""Brings every purchase home: events become tickets, tickets find their intents, dead intents are closed.

The chain decides. A ticket is stored once (its id, its event and its nonce are unique keys), an intent moves by
compare-and-set, so any run may be killed and repeated.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Final

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import DayId, TicketId, day_end, day_of
from core.lottery.model import PurchasedTicket
from io_layer.lottery.stores.intents import (
    IntentStatus,
    mark_expired,
    mark_failed,
    put_behind,
    select_undecided,
    select_unmatched_tickets,
)
from io_layer.lottery.stores.tickets import count_final_tickets, select_highest_ticket
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import read_receipt
from io_layer.stores.cursors import EventCursor, move_cursor, select_cursor
from services.chain.reorg_guard import require_final_blocks
from services.lottery.context import LotteryContext
from services.lottery.days.due_days import first_unsettled_day
from services.lottery.policy import TICKETS
from services.lottery.purchases.finalize import Finalized, finalize_buy_intents, match_tickets
from services.lottery.purchases.track_head import see_purchases, settle_overtaken

CURSOR: Final = TICKETS
_BATCH: Final = 1000
_RENEW_EVERY: Final = 50
_LOOK_BACK_DAYS: Final = 7


@dataclass(slots=True)
class Recovered:
    """What one run did."""

    tickets_added: int = 0
    intents_final: int = 0
    recovered: int = 0  # intents found without their transaction hash
    adopted: int = 0  # tickets that no intent knew
    seen: int = 0  # intents whose purchase stands at the head and is not final yet
    expired: int = 0
    failed: int = 0

    def add(self, page: Finalized) -> None:
        """Count what one page of purchases brought."""
        self.tickets_added += page.tickets_added
        self.intents_final += page.intents_final
        self.recovered += page.recovered
        self.adopted += page.adopted

    def document(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)


def recover_intents(context: LotteryContext) -> Recovered:
    """Scan the chain from where the last run stopped up to the final block, then close what the chain has decided.

    Raises: InvariantBroken ``logs_incomplete`` when the events found are fewer than the contract has counted;
    Unavailable ``cursor_moved`` (the page at hand is not stored), ``intents_locked`` when all tickets are stored and
    somebody's lock kept an intent from its own.
    """
    done = Recovered()
    final = require_final_blocks(context)
    _scan(context, final, done)
    _match_left_over(context, final, done)
    _close_open_intents(context, final, done)
    done.seen = see_purchases(context)
    if select_left_over(context, final):
        raise Unavailable(
            "intents_locked",
            "every purchase is stored, but another session (the App's?) holds locks on intents; the next run gives "
            "them their tickets",
        )
    return done


def plan_recovery(context: LotteryContext) -> dict[str, int]:
    """What a run would look at: the blocks, the purchases in them, the open intents; writes nothing."""
    final = context.chain.read_final_block()
    cursor = select_cursor(context.conn, CURSOR)
    first = context.settings.first_block if cursor is None else cursor.block_number + 1
    return {
        "from_block": first,
        "to_block": final.number,
        "purchases_found": sum(len(events) for _, events in context.game.read_ticket_pages(first, final.number)),
        "intents_without_ticket": len(select_undecided(context.conn, final.timestamp_s, _BATCH)),
        "tickets_without_intent": len(select_left_over(context, final)),
    }


def _match_left_over(context: LotteryContext, final: Block, done: Recovered) -> None:
    """Tickets whose intents were locked when they came are given them now."""
    left_over = select_left_over(context, final)
    if left_over:
        with context.transaction():
            done.add(match_tickets(context.conn, left_over))


def select_left_over(context: LotteryContext, final: Block) -> list[TicketId]:
    """Tickets of the last week without an intent."""
    return select_unmatched_tickets(context.conn, DayId(max(day_of(final.timestamp_s) - _LOOK_BACK_DAYS, 0)))


def _scan(context: LotteryContext, final: Block, done: Recovered) -> None:
    cursor = select_cursor(context.conn, CURSOR)
    if cursor is not None and cursor.block_number > final.number:
        # An endpoint lags behind what we have read from it before: nothing new is final for both.
        return
    first = context.settings.first_block if cursor is None else cursor.block_number + 1
    for stop, rows in context.game.read_ticket_pages(first, final.number):
        block_hash = context.chain.read_block(stop).block_hash
        context.renew_lease()
        with context.transaction():
            done.tickets_added += settle_overtaken(context.conn, stop, rows)
            done.add(finalize_buy_intents(context.conn, rows))
            move_cursor(context.conn, CURSOR, cursor, stop, block_hash)
        cursor = EventCursor(CURSOR, stop, block_hash)
    _bring_back(context, final, done)
    expected, known = context.game.read_ticket_count(final), select_highest_ticket(context.conn)
    if known != expected:
        # An empty answer proves nothing: the contract counts its tickets.
        way_out = (
            "check FIRST_BLOCK and the endpoints"
            if known < expected
            else "`bo-engine db rebuild-tickets --day N` removes what the chain does not have any more"
        )
        raise InvariantBroken(
            "logs_incomplete",
            f"the contract has sold {expected} tickets by block {final.number}, the logs end with ticket {known}; "
            f"{way_out}",
        )


def _bring_back(context: LotteryContext, final: Block, done: Recovered) -> None:
    """A row that was lost after it was stored lies behind the cursor: an unsettled day that lacks one is read again.

    Raises: InvariantBroken ``logs_incomplete`` when the logs of a whole day bring fewer tickets than it has sold.
    """
    first = first_unsettled_day(context, final)
    days = [DayId(day) for day in range(first, day_of(final.timestamp_s) + 1)]
    for day_id, pools in zip(days, context.game.read_pool_days(final, days), strict=True):
        sold = sum(pool.ticket_count for pool in pools)
        if count_final_tickets(context.conn, day_id) >= sold:
            continue
        for rows in _batches(context.game.read_tickets_of_day(day_id, final)):
            with context.transaction():
                done.tickets_added += settle_overtaken(context.conn, 0, rows)
                done.add(finalize_buy_intents(context.conn, rows))
        found = count_final_tickets(context.conn, day_id)
        if found < sold:
            raise InvariantBroken(
                "logs_incomplete",
                f"day {day_id} has sold {sold} tickets by block {final.number}, the logs show {found}",
            )


def _close_open_intents(context: LotteryContext, final: Block, done: Recovered) -> None:
    undecided = select_undecided(context.conn, final.timestamp_s, _BATCH)
    past = [one for one in undecided if final.timestamp_s > min(one.deadline, day_end(one.day_id) - 1)]
    used = context.game.read_nonces_used(final, [(one.buyer, one.nonce) for one in past])
    unused = {one.intent_id for one, is_used in zip(past, used, strict=True) if not is_used}
    for place, intent in enumerate(undecided):
        context.cancel.check()
        if place % _RENEW_EVERY == 0:
            context.renew_lease()
        if intent.status == IntentStatus.SUBMITTED and intent.tx_hash is not None:
            try:
                receipt = read_receipt(context.chain, intent.tx_hash, final)
            except Unavailable as error:
                if error.code == "rpc_unreachable":
                    break  # a thousand of them would outlive the lease; the next run goes on
                continue
            reverted = receipt is not None and not receipt.succeeded and receipt.block_number <= final.number
            if reverted:
                with context.transaction():
                    done.failed += mark_failed(context.conn, intent, "the transaction reverted on the chain")
                continue
        if intent.intent_id in unused:
            with context.transaction():
                done.expired += mark_expired(context.conn, intent.intent_id, final.timestamp_s)
    if len(undecided) == _BATCH:
        # More than one run looks at: whoever is still open waits behind the others, so that nobody starves.
        with context.transaction():
            put_behind(context.conn, [intent.intent_id for intent in undecided])


def _batches(events: Iterable[PurchasedTicket]) -> Iterator[list[PurchasedTicket]]:
    stream = iter(events)
    while batch := list(islice(stream, _BATCH)):
        yield batch
