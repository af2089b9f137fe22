"""Indexes what the contracts paid to players, up to the final block: claims of both vaults, refunds of voided days.

Each event becomes one row of claim_events or refunds, and the contracts' own sums show that none is missing.

Final blocks decide, page by page, each page with the cursor in one transaction. What stands above them is shown as not
final: it is compared with both endpoints' chain in each run, and what a fork has dropped goes again, down to the block
that both chains have in common. A run may be killed anywhere and repeated.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import DayId, day_end
from io_layer.lottery.contracts.payments import read_payment_pages
from io_layer.lottery.stores.payments.claim_payouts import select_explained
from io_layer.lottery.stores.payments.claims import reopen_claims
from io_layer.lottery.stores.payments.events import (
    Counts,
    Payment,
    claims_of,
    delete_not_final,
    doubt_all,
    insert_payments,
    refunds_of,
    select_doubtful,
    select_final_at,
    select_not_final,
    set_final,
)
from io_layer.postgres.connection import Conn
from io_layer.rpc.reader import Block
from io_layer.stores.cursors import EventCursor, move_cursor, select_cursor
from services.chain.reorg_guard import require_final_blocks
from services.lottery.claims.compare_payments import Differing, compare_payments
from services.lottery.claims.reconcile import resolve_explained, suspend_unexplained
from services.lottery.claims.refunds import (
    Days,
    read_days_of,
    select_explained_refunds,
    suspend_unexplained_refunds,
)
from services.lottery.claims.suspend import kind_of, suspend
from services.lottery.context import LotteryContext
from services.lottery.policy import CLAIMS


@dataclass(slots=True)
class Backfilled:
    """What one run did."""

    claims_final: int = 0  # claims that are final since this run
    refunds_final: int = 0  # refunds that are final since this run
    shown: int = 0  # claims and refunds above the final block
    dropped: int = 0  # of dropped blocks, removed
    suspended: int = 0  # new rows of suspense_events: no payout or ticket of ours explains the payment
    explained: int = 0  # rows of suspense_events closed: the payout or the ticket has come to be known
    read_again_from: DayId | None = None  # the first day of which payments were missing

    def document(self) -> dict[str, int | None]:
        """The counts by name."""
        return asdict(self)

    def count_final(self, rows: Counts) -> None:
        """So many rows more are final."""
        self.claims_final += rows.claims
        self.refunds_final += rows.refunds


def backfill_claim_events(context: LotteryContext) -> Backfilled:
    """Read from where the last run stopped up to the final block, compare with the contracts, then look at the head.

    Raises: InvariantBroken ``logs_incomplete`` when the contracts have paid another sum than the events show; all else
    is done by then. Unavailable ``cursor_moved``: the page at hand is not stored.
    """
    done = Backfilled()
    final = require_final_blocks(context)
    cursor = select_cursor(context.conn, CLAIMS)
    if cursor is not None and cursor.block_number > final.number:
        # An endpoint lags behind what we have read from it before: nothing new is final for both.
        return done
    _scan(context, final, cursor, done)
    differing = _bring_back(context, final, done)
    _close_explained(context, final, done)
    _follow_head(context, final, done)
    differing.require_none(final)
    return done


def plan_claim_events(context: LotteryContext) -> dict[str, int]:
    """What a run would read: the blocks, and how many claims and refunds stand in them; writes nothing."""
    final = context.chain.read_final_block()
    cursor = select_cursor(context.conn, CLAIMS)
    first = context.settings.first_block if cursor is None else cursor.block_number + 1
    found = [event for _, events in read_payment_pages(context.game, first, final.number) for event in events]
    return {
        "from_block": first,
        "to_block": final.number,
        "claims_found": len(claims_of(found)),
        "refunds_found": len(refunds_of(found)),
    }


def _scan(context: LotteryContext, final: Block, cursor: EventCursor | None, done: Backfilled) -> None:
    first = context.settings.first_block if cursor is None else cursor.block_number + 1
    for stop, events in read_payment_pages(context.game, first, final.number):
        block_hash = context.chain.read_block(stop).block_hash
        days = read_days_of(context.game, final, events)
        context.renew_lease()
        with context.transaction():
            if cursor is None:
                doubt_all(context.conn)  # whoever removed the cursor takes the chain as it is now
            _store(context, stop, events, days, done)
            move_cursor(context.conn, CLAIMS, cursor, stop, block_hash)
        cursor = EventCursor(CLAIMS, stop, block_hash)


def _store(context: LotteryContext, stop: int, events: Sequence[Payment], days: Days, done: Backfilled) -> None:
    """All that final blocks up to ``stop`` say, in place of what was believed of them."""
    stands, gone = _overtaken(context.conn, stop, events)
    done.dropped += delete_not_final(context.conn, gone)
    done.count_final(set_final(context.conn, stands))
    done.count_final(insert_payments(context.conn, events, is_final=True))
    if gone:
        reopen_claims(context.conn)
    stored = set(select_final_at(context.conn, events))
    places = {one.place for one in stored}
    # The contracts pay once; if the chain says twice, neither is dropped.
    odd = [(one, _why_not_stored(one, is_known=one.place in places)) for one in events if one not in stored]
    done.suspended += suspend(context.conn, odd)
    done.suspended += suspend_unexplained(context.conn, claims_of(events), context.game.contracts.prize_vault)
    done.suspended += suspend_unexplained_refunds(context.conn, refunds_of(events), days)


def _why_not_stored(event: Payment, *, is_known: bool) -> str:
    if is_known:
        return "our stored row of this event has other facts"
    of = "payout" if kind_of(event) == "claim" else "ticket or vouchers"
    return f"an earlier {kind_of(event)} of the same {of} stands in its place"


def _overtaken(conn: Conn, stop: int, events: Sequence[Payment]) -> tuple[Sequence[Payment], Sequence[Payment]]:
    """Of the rows that are not final: those that these final events confirm, and those that they rule out."""
    known, debts, places = set(events), {one.debt for one in events}, {one.place for one in events}
    doubtful = select_doubtful(conn, stop, events)
    stands = [one for one in doubtful if one in known]
    gone = [
        one
        for one in doubtful
        if one not in known and (one.block_number <= stop or one.debt in debts or one.place in places)
    ]
    return stands, gone


def _bring_back(context: LotteryContext, final: Block, done: Backfilled) -> Differing:
    """Compare with the contracts. From the first day that lacks payments on, all is read again; returned is what
    differs afterwards.

    This only adds. A final row that the chain does not have makes the alarm stay, and a person removes the cursor.
    """
    differing = compare_payments(context, final)
    done.read_again_from = differing.first_missing
    if done.read_again_from is None:
        return differing
    # Nothing of a day can be claimed or refunded before it is over.
    first = context.game.first_block_at(day_end(done.read_again_from), final, context.settings.first_block)
    block = context.chain.read_block(max(first - 1, context.settings.first_block))
    block_hash = block.block_hash
    with context.transaction():
        move_cursor(context.conn, CLAIMS, select_cursor(context.conn, CLAIMS), block.number, block_hash)
    _scan(context, final, EventCursor(CLAIMS, block.number, block_hash), done)
    return compare_payments(context, final)


def _close_explained(context: LotteryContext, final: Block, done: Backfilled) -> None:
    """Close the rows of suspense_events whose payout or ticket has come to be known since."""
    claims = select_explained(context.conn, context.game.contracts.prize_vault)
    refunds = select_explained_refunds(context.conn, context.game, final)
    if claims or refunds:
        with context.transaction():
            done.explained = resolve_explained(context.conn, [*claims, *refunds])


# -- the head ----------------------------------------------------------------------------------------------------------


def _follow_head(context: LotteryContext, final: Block, done: Backfilled) -> None:
    """Payments that are not final yet, for display. Nothing changes while the endpoints do not show the same chain."""
    found = _read_head(context, final)
    if found is None:
        return
    shown = select_not_final(context.conn)
    gone, new = set(shown) - set(found), set(found) - set(shown)
    done.shown = len(found)
    if gone or new:
        with context.transaction():
            done.dropped += delete_not_final(context.conn, gone)
            insert_payments(context.conn, [one for one in found if one in new], is_final=False)


def _read_head(context: LotteryContext, final: Block) -> list[Payment] | None:
    try:
        head = context.chain.read_common_head()
        if head is None:
            return None
        pages = read_payment_pages(context.game, final.number + 1, head.number)
        return [event for _, events in pages for event in events]
    except Unavailable:
        return None
    except InvariantBroken as error:
        # Above the final block they may see different blocks for a while.
        if error.code != "rpc_disagreement":
            raise
        return None
