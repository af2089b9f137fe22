"""Begins a day anew at its export: after a person has looked, or when another version of this engine began it."""

from typing import Final

from bo_engine.log import get_logger
from bo_engine.units import DayId
from io_layer.lottery.stores.artifacts import delete_inputs_artifacts
from io_layer.lottery.stores.pipeline import PipelineDay, Step, rewind_day, select_day, wait_day
from io_layer.lottery.stores.runs import Run, RunStatus, select_live_run, supersede_run
from io_layer.postgres.connection import Conn
from io_layer.stores.audit import insert_audit
from services.lottery.context import LotteryContext
from services.lottery.settlement.files.artifacts import remove_copies
from services.lottery.settlement.steps.commit_day import commit_purpose, known_takebacks
from services.running.engine_version import engine_version
from services.transactions.follow import transaction_hash

ENGINE_CHANGED: Final = "day_begun_anew"
_LOG = get_logger("settle")


def may_begin_anew(run: Run | None) -> bool:
    """Whether nothing of the day is on the chain by our hand yet."""
    return run is None or run.status in (RunStatus.DRY_RUN, RunStatus.APPROVED)


def begin_anew(conn: Conn, day_id: DayId, run: Run | None) -> None:
    """Back to the export, in the caller's transaction. The copies of the input files must be off the disk already.

    A dry_run is set aside like an approved run: compute would recognise its rows, and keep its files, changed or not.
    """
    if run is not None:
        supersede_run(conn, run.run_id)
    delete_inputs_artifacts(conn, day_id)
    rewind_day(conn, day_id, Step.EXPORT)


def take_over_day(context: LotteryContext, row: PipelineDay | None) -> PipelineDay | None:
    """The day's row as our version may go on with it.

    What another version has exported, computed or approved is not mixed with ours: it is done anew. Once the commit is
    signed its bytes are what counts, whoever made them, and every version only carries them on.
    """
    ours = engine_version()
    if row is None or not row.export_ok or row.engine == ours:
        return row
    day_id = row.day_id
    run = select_live_run(context.conn, day_id)
    signed = transaction_hash(context, commit_purpose(context, day_id, known_takebacks(context.conn, day_id)))
    if row.commit_ok or not may_begin_anew(run) or signed is not None:
        return row
    remove_copies(context, day_id)
    with context.transaction():
        begin_anew(context.conn, day_id, run)
        # What it waited for, a person's yes perhaps, was for the result that is gone.
        wait_day(
            context.conn, day_id, "another version of the engine began it; it begins anew", error_code=ENGINE_CHANGED
        )
        details = {"began": row.engine or "an engine before 0014", "goes_on": ours, "was_approved_by": row.approved_by}
        insert_audit(context.conn, actor="engine", action=ENGINE_CHANGED, day_id=day_id, details=details)
    _LOG.warning(ENGINE_CHANGED, extra={"day_id": day_id, **details})
    return select_day(context.conn, day_id)
