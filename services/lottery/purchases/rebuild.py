"""Restores the tickets of one day from the chain alone: what is missing comes back, what differs is set right."""

from typing import Any

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId
from core.lottery.model import PoolDay
from io_layer.lottery.stores.inputs import delete_day_inputs, select_day_inputs
from io_layer.lottery.stores.pipeline import Step, rewind_day
from io_layer.lottery.stores.runs import RunStatus, select_live_run
from io_layer.lottery.stores.ticket_repair import delete_wrong_tickets, select_moved, select_ticket_ids
from io_layer.lottery.stores.tickets import select_pool_totals, select_ticket_rows
from io_layer.stores.audit import insert_audit
from services.chain.reorg_guard import require_final_blocks
from services.lottery.context import LotteryContext
from services.lottery.purchases.finalize import finalize_buy_intents
from services.lottery.purchases.track_head import settle_overtaken


def rebuild_tickets(context: LotteryContext, day_id: DayId) -> dict[str, Any]:
    """Make the day's ticket rows equal to the chain's events up to the final block. Safe to repeat.

    Rows that lack are inserted, and rows that stand elsewhere on the chain are moved, also on a settled day. Rows that
    differ otherwise or that the chain does not know are set right only while no run of the day is approved; the day is
    exported anew then, and the intents of what is gone wait for a purchase again.
    Raises: InvariantBroken ``logs_incomplete``, ``inputs_in_use`` (approved or settled with other tickets: restore the
    database from its backup).
    """
    final = require_final_blocks(context)
    rows = []
    for row in context.game.read_tickets_of_day(day_id, final):
        context.cancel.check()
        rows.append(row)
    _require_complete(context.game.read_pool_days(final, [day_id])[0], len(rows))
    wanted = {row.ticket.ticket_id: row for row in rows}
    stored_ids = select_ticket_ids(context.conn, day_id)
    stored = {row.ticket.ticket_id: row for row in select_ticket_rows(context.conn, list(wanted)) if row.is_final}
    missing = [row for ticket_id, row in wanted.items() if ticket_id not in stored]
    moved = {row.ticket.ticket_id for row in select_moved(context.conn, rows)}
    wrong = [row for ticket_id, row in wanted.items() if stored.get(ticket_id, row) != row and ticket_id not in moved]
    extra = [ticket_id for ticket_id in stored_ids if ticket_id not in wanted]
    run = select_live_run(context.conn, day_id)
    if (wrong or extra) and run is not None and run.status != RunStatus.DRY_RUN:
        raise InvariantBroken(
            "inputs_in_use",
            f"day {day_id} is {run.status} and its tickets are sealed, but {len(wrong)} differ from the chain and "
            f"{len(extra)} are not on it; the result was checked against the chain and stands: restore the rows from "
            "a backup",
        )
    with context.transaction():
        if wrong or extra:
            if select_day_inputs(context.conn, day_id) is not None:
                rewind_day(context.conn, day_id, Step.EXPORT)
                delete_day_inputs(context.conn, day_id)
            delete_wrong_tickets(context.conn, [*(row.ticket.ticket_id for row in wrong), *extra])
        settle_overtaken(context.conn, final.number, rows)
        finalize_buy_intents(context.conn, rows)
        _require_complete(select_pool_totals(context.conn, day_id), len(rows))
        if missing or wrong or extra:
            details = {"inserted": len(missing), "corrected": len(wrong), "removed": len(extra)}
            insert_audit(context.conn, actor="engine", action="tickets_rebuilt", day_id=day_id, details=details)
    return {
        "day_id": day_id,
        "tickets": len(rows),
        "inserted": len(missing),
        "moved": len(moved),
        "corrected": len(wrong),
        "removed": len(extra),
    }


def _require_complete(pools: tuple[PoolDay, ...], found: int) -> None:
    expected = sum(pool.ticket_count for pool in pools)
    if expected != found:
        raise InvariantBroken("logs_incomplete", f"the day has {expected} tickets, but {found} events were found")
