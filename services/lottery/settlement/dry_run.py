"""What a run would do, without a write anywhere: no row, no lease, no file, no signature."""

from typing import Any, Final

from bo_engine.errors import Unavailable
from bo_engine.units import DayId, hex_of
from io_layer.lottery.contracts.day_record import ON_CHAIN, VOIDED
from io_layer.lottery.stores.pipeline import Step
from io_layer.lottery.stores.runs import select_live_run, select_open_runs
from io_layer.postgres.connection import read_only
from services.lottery.context import LotteryContext, require_writable
from services.lottery.settlement.day import (
    affiliates_document,
    check_day,
    check_sold,
    inputs_document,
    rates_in_force,
    referred_of_day,
    sha256_of,
)
from services.lottery.settlement.gates.gates import check_gates
from services.lottery.settlement.settle_days import due_days, step_named
from services.lottery.settlement.steps.approve_day import documents
from services.lottery.settlement.steps.compute_day import compute_in_memory, facts_of

_SETTLE: Final = "settle"  # all steps at once


def dry_run_days(context: LotteryContext, *, day: DayId | None) -> tuple[list[dict[str, Any]], str | None]:
    """The first due day, or the asked one (settled or not), computed in memory; and what the run would wait for.

    Only the first: a later day opens with the closing state that a real run of the first would leave.
    """
    require_writable(context.artifacts_dir)
    due = due_days(context, None) if day is None else [day]
    if not due:
        return [], None
    try:
        return [dry_run_step(context, _SETTLE, due[0])], None
    except Unavailable as error:
        if day is not None:
            raise
        return [], error.message


def dry_run_step(context: LotteryContext, step: str, day_id: DayId) -> dict[str, Any]:
    """What the step would find. Raises: as the step itself."""
    name = None if step == _SETTLE else step_named(step)
    with read_only(context.conn):
        facts: dict[str, Any] = {"day_id": day_id, "dry_run": True}
        found = context.read_closed_day(day_id)
        if name is None and found.record.status == VOIDED:
            return {**facts, "on_chain": ON_CHAIN[VOIDED]}
        opened = check_day(context, found)
        if name == Step.EXPORT:
            return {
                **facts,
                "tickets": opened.facts.ticket_count,
                "tips": opened.facts.tip_count,
                "inputs_sha256": hex_of(sha256_of(inputs_document(context, opened))),
            }
        if name == Step.AFFILIATE:
            referred = referred_of_day(context, opened, rates_in_force(context, opened))
            digest = sha256_of(affiliates_document(context, opened, referred))
            return {**facts, "referred_players": len(referred), "affiliates_sha256": hex_of(digest)}
        computed = compute_in_memory(context, opened)
        check_sold([pool.sold for pool in computed.result.pools], opened)
        facts.update(facts_of(computed))
        if name in (None, Step.APPROVE) and select_open_runs(context.conn, day_id):
            findings = check_gates(context, opened)
            facts["findings"] = documents(findings)
            facts["gates_hold"] = all(finding.holds or finding.is_warning for finding in findings)
        if name in (None, Step.COMMIT):
            run = select_live_run(context.conn, day_id)
            facts["settlement_hash"] = hex_of(computed.settlement_hash)
            facts["run_status"] = run.status if run else None
            facts["on_chain"] = ON_CHAIN[opened.facts.record.status]
        return facts
