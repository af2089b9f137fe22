"""Brings every claim home: the Claimed events of both vaults become rows, each once, and the vaults' counters show that
none is missing.

Final blocks decide, page by page, each page with the cursor in one transaction. What stands above them is shown as not
final: it is compared with both endpoints' chain in each run, and what a fork has dropped goes again, down to the block
that both chains have in common. A run may be killed anywhere and repeated.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import DayId, Hash32, day_end, day_of
from io_layer.chain_reader import Block
from io_layer.claim_chain import read_claim_pages, read_claimed_of_days, read_total_claimed
from io_layer.claim_event_store import (
    ClaimEvent,
    delete_not_final,
    doubt_all,
    insert_claim_events,
    select_doubtful,
    select_final_at,
    select_not_final,
    set_final,
    sum_final_claims,
)
from io_layer.claim_payout_store import select_explained
from io_layer.claim_store import reopen_claims
from io_layer.cursor_store import EventCursor, move_cursor, select_cursor
from io_layer.database import Conn
from services.engine import Engine
from services.explain_claims import resolve_explained, suspend, suspend_unexplained
from services.final_block import CLAIMS, require_final_blocks
from services.lease import Lease

_OTHER_FACTS: Final = "our stored row of this event has other facts"
_PAID_BEFORE: Final = "an earlier claim of the same payout stands in its place"


@dataclass(slots=True)
class Backfilled:
    """What one run did."""

    claims_final: int = 0  # claims that are final since this run
    shown: int = 0  # claims above the final block
    dropped: int = 0  # of dropped blocks, removed
    suspended: int = 0  # new rows of suspense_events: no payout of ours explains the claim
    explained: int = 0  # rows of suspense_events closed: the payout has come to be known
    read_again_from: DayId | None = None  # the first day of which claims were missing

    def document(self) -> dict[str, int | None]:
        """The counts by name."""
        return asdict(self)


def backfill_claim_events(engine: Engine, lease: Lease) -> Backfilled:
    """Read from where the last run stopped up to the final block, compare with the vaults, then look at the head.

    Raises: InvariantBroken ``logs_incomplete`` when the vaults have paid out another sum than the events show; all else
    is done by then.
    """
    done = Backfilled()
    final = require_final_blocks(engine, lease)
    cursor = select_cursor(engine.conn, CLAIMS)
    if cursor is not None and cursor.block_number > final.number:
        # An endpoint lags behind what we have read from it before: nothing new is final for both.
        return done
    _scan(engine, lease, final, cursor, done)
    differing = _bring_back(engine, lease, final, done)
    explained = select_explained(engine.conn, engine.game.contracts.prize_vault)
    if explained:
        with lease.transaction():
            done.explained = resolve_explained(engine.conn, explained)
    _follow_head(engine, lease, final, done)
    differing.require_none(final)
    return done


def plan_claim_events(engine: Engine) -> dict[str, int]:
    """What a run would read: the blocks, and how many claims stand in them; writes nothing."""
    final = engine.game.chain.read_final_block()
    cursor = select_cursor(engine.conn, CLAIMS)
    first = engine.settings.first_block if cursor is None else cursor.block_number + 1
    found = sum(len(events) for _, events in read_claim_pages(engine.game, first, final.number))
    return {"from_block": first, "to_block": final.number, "claims_found": found}


def _scan(engine: Engine, lease: Lease, final: Block, cursor: EventCursor | None, done: Backfilled) -> None:
    first = engine.settings.first_block if cursor is None else cursor.block_number + 1
    for stop, events in read_claim_pages(engine.game, first, final.number):
        block_hash = Hash32(bytes.fromhex(engine.game.chain.read_block(stop).block_hash[2:]))
        lease.renew()
        with lease.transaction():
            if cursor is None:
                doubt_all(engine.conn)  # whoever removed the cursor takes the chain as it is now
            _store(engine, stop, events, done)
            _move(engine, cursor, stop, block_hash)
        cursor = EventCursor(CLAIMS, stop, block_hash)


def _move(engine: Engine, cursor: EventCursor | None, block_number: int, block_hash: Hash32) -> None:
    if not move_cursor(engine.conn, CLAIMS, cursor, block_number, block_hash):
        raise Unavailable("cursor_moved", "somebody has moved the cursor claims meanwhile; the next run reads it anew")


def _store(engine: Engine, stop: int, events: Sequence[ClaimEvent], done: Backfilled) -> None:
    """All that final blocks up to ``stop`` say, in place of what was believed of them."""
    stands, gone = _overtaken(engine.conn, stop, events)
    done.dropped += delete_not_final(engine.conn, gone)
    done.claims_final += set_final(engine.conn, stands)
    done.claims_final += len(insert_claim_events(engine.conn, events, is_final=True))
    if gone:
        reopen_claims(engine.conn)
    stored = set(select_final_at(engine.conn, events))
    places = {one.place for one in stored}
    # The vault pays once; if the chain says twice, neither is dropped.
    odd = [(one, _OTHER_FACTS if one.place in places else _PAID_BEFORE) for one in events if one not in stored]
    done.suspended += suspend(engine.conn, odd)
    done.suspended += suspend_unexplained(engine.conn, events, engine.game.contracts.prize_vault)


def _overtaken(
    conn: Conn, stop: int, events: Sequence[ClaimEvent]
) -> tuple[Sequence[ClaimEvent], Sequence[ClaimEvent]]:
    """Of the rows that are not final: those that these final events confirm, and those that they rule out."""
    known, payouts, places = set(events), {one.payout for one in events}, {one.place for one in events}
    doubtful = select_doubtful(conn, stop, events)
    stands = [one for one in doubtful if one in known]
    gone = [
        one
        for one in doubtful
        if one not in known and (one.block_number <= stop or one.payout in payouts or one.place in places)
    ]
    return stands, gone


# -- what is missing ---------------------------------------------------------------------------------------------------


class _Differing(NamedTuple):
    """The days of which our final events add up to something else than a vault has paid."""

    missing: Sequence[DayId] = ()  # the vault has paid more
    surplus: Sequence[DayId] = ()  # the vault has paid less

    def require_none(self, final: Block) -> None:
        """Raises: InvariantBroken ``logs_incomplete``, with what to do about each."""
        found = []
        if self.missing:
            days = _first_of(self.missing)
            found.append(
                f"more than claim_events has, of day(s) {days}, whose logs were read again: check FIRST_BLOCK and the "
                "endpoints"
            )
        if self.surplus:
            days = _first_of(self.surplus)
            found.append(
                f"less than claim_events has, of day(s) {days}, for which nothing is read again until a person removes "
                "the cursor"
            )
        if found:
            raise InvariantBroken(
                "logs_incomplete",
                f"by block {final.number} the vaults have paid out {'; and '.join(found)} (docs/operations.md, "
                '"Claims that do not fit")',
            )


def _first_of(days: Sequence[DayId]) -> str:
    return ", ".join(str(day) for day in days[:5])


def _bring_back(engine: Engine, lease: Lease, final: Block, done: Backfilled) -> _Differing:
    """An empty answer proves nothing: the vaults count what they pay. From the first day that lacks claims on, all is
    read again; returned is what differs all the same.

    This only adds. A final row that the chain does not have makes the alarm stay, and a person removes the cursor.
    """
    differing = _differing_days(engine, final)
    if not differing.missing:
        return differing
    done.read_again_from = differing.missing[0]
    # Nothing of a day can be claimed before it is over.
    first = engine.game.first_block_at(day_end(done.read_again_from), final, engine.settings.first_block)
    block = engine.game.chain.read_block(max(first - 1, engine.settings.first_block))
    block_hash = Hash32(bytes.fromhex(block.block_hash[2:]))
    with lease.transaction():
        _move(engine, select_cursor(engine.conn, CLAIMS), block.number, block_hash)
    _scan(engine, lease, final, EventCursor(CLAIMS, block.number, block_hash), done)
    return _differing_days(engine, final)


def _differing_days(engine: Engine, final: Block) -> _Differing:
    ours = sum_final_claims(engine.conn)
    totals = read_total_claimed(engine.game, final)
    if totals == {vault: sum(sums for (one, _), sums in ours.items() if one == vault) for vault in totals} and all(
        vault in totals for vault, _ in ours
    ):
        return _Differing()
    known = {day for _, day in ours}
    days = sorted(known | {DayId(day) for day in range(engine.game.first_day, day_of(final.timestamp_s))})
    paid = read_claimed_of_days(engine.game, final, days)
    above = {key: paid.get(key, 0) - ours.get(key, 0) for key in paid.keys() | ours.keys()}
    return _Differing(
        missing=sorted({day for (_, day), atoms in above.items() if atoms > 0}),
        surplus=sorted({day for (_, day), atoms in above.items() if atoms < 0}),
    )


# -- the head ----------------------------------------------------------------------------------------------------------


def _follow_head(engine: Engine, lease: Lease, final: Block, done: Backfilled) -> None:
    """Claims that are not final yet, for display. Nothing changes while the endpoints do not show the same chain."""
    found = _read_head(engine, final)
    if found is None:
        return
    shown = select_not_final(engine.conn)
    gone, new = set(shown) - set(found), set(found) - set(shown)
    done.shown = len(found)
    if gone or new:
        with lease.transaction():
            done.dropped += delete_not_final(engine.conn, gone)
            insert_claim_events(engine.conn, [one for one in found if one in new], is_final=False)


def _read_head(engine: Engine, final: Block) -> list[ClaimEvent] | None:
    try:
        head = engine.game.chain.read_common_head()
        if head is None:
            return None
        pages = read_claim_pages(engine.game, final.number + 1, head.number)
        return [event for _, events in pages for event in events]
    except Unavailable:
        return None
    except InvariantBroken as error:
        # Above the final block they may see different blocks for a while.
        if error.code != "rpc_disagreement":
            raise
        return None
