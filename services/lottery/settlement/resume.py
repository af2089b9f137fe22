"""Lets a HALTED day go on after a person has looked (rule 4)."""

from typing import Any

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import DayId
from io_layer.lottery.stores.pipeline import DayStatus, select_day
from io_layer.lottery.stores.pipeline import resume_day as resume_row
from io_layer.lottery.stores.runs import RunStatus, mark_vetoed, select_live_run
from io_layer.stores.audit import insert_audit
from io_layer.stores.journal import prepare_failed
from services.chain.reorg_guard import AHEAD, CHANGED, take_chain_as_it_is
from services.lottery.context import LotteryContext
from services.lottery.policy import JOB
from services.lottery.settlement.files.artifacts import remove_copies
from services.lottery.settlement.restart import begin_anew, may_begin_anew
from services.lottery.settlement.steps.commit_day import RESUMED, TAKEBACKS, is_unknown_takeback
from services.lottery.wording import subject_of
from services.running.lease import held_lease
from services.transactions.foreign_nonces import UNKNOWN, known_nonces


def resume_day(context: LotteryContext, day_id: DayId, *, by: str) -> dict[str, Any]:
    """HALTED -> WAITING, with an audit row. What is not committed is exported, computed and approved anew.

    Raises: InvalidInput ``day_not_halted``; Unavailable ``lease_held``.
    """
    with held_lease(context, JOB) as context:
        row = select_day(context.conn, day_id)
        status = row.status if row else "unknown"
        require_input(
            status == DayStatus.HALTED, "day_not_halted", f"day {day_id} is {status}; only a HALTED day can be resumed"
        )
        run = select_live_run(context.conn, day_id)
        record = context.game.read_record(context.chain.read_final_block(), day_id)
        # Halted for another reason, the day has not been looked at since its commit was taken back; the person has.
        is_taken_back = (
            run is not None and run.status == RunStatus.COMMITTED and is_unknown_takeback(context.conn, record, day_id)
        )
        nonces = known_nonces(context)
        begins_anew = may_begin_anew(run) or is_taken_back
        if begins_anew:
            remove_copies(context, day_id)
        with context.transaction():
            if not resume_row(context.conn, day_id, by):
                raise InvalidInput("day_not_halted", f"day {day_id} was resumed by somebody else")
            if is_taken_back and run is not None:
                mark_vetoed(context.conn, run.run_id)
            if begins_anew:
                # What the person has repaired may lie in any step, so the inputs are exported anew as well: a file of
                # before the repair must not enter the new run_hash.
                begin_anew(context.conn, day_id, run)
            if row is not None and row.error_code in (AHEAD, CHANGED):
                take_chain_as_it_is(context)
            # Whoever resumes has looked at what failed on the chain, too: it may be tried anew.
            prepare_failed(context.conn, f"resumed by {by}", subject=subject_of(day_id))
            details = {"error_code": row.error_code if row else None, "reason": row.reason if row else None}
            known: dict[str, Any] = {TAKEBACKS: record.takebacks} if begins_anew else {}
            if details["error_code"] == UNKNOWN:
                known |= nonces
            insert_audit(context.conn, actor=by, action=RESUMED, day_id=day_id, details={**details, **known})
    taken = {"nonces_taken_as_known": nonces["taken_as_known"]} if details["error_code"] == UNKNOWN else {}
    return {"day_id": day_id, "status": DayStatus.WAITING, "resumed_by": by, "was": details["error_code"], **taken}
