"""Lets a HALTED day go on after a person has looked (rule 4)."""

from typing import Any

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import DayId
from io_layer.audit_store import insert_audit
from io_layer.pipeline_store import resume_day as resume_row
from io_layer.pipeline_store import rewind_day, select_day
from io_layer.run_store import select_live_run
from services.engine import Engine
from services.lease import held_lease
from services.settle_days import JOB


def resume_day(engine: Engine, day_id: DayId, *, by: str) -> dict[str, Any]:
    """HALTED -> WAITING, with an audit row. What is not committed is computed and approved anew.

    Raises: InvalidInput ``day_not_halted``; Unavailable ``lease_held``.
    """
    with held_lease(engine.conn, JOB) as lease:
        row = select_day(engine.conn, day_id)
        status = row.status if row else "unknown"
        require_input(
            status == "HALTED", "day_not_halted", f"day {day_id} is {status}; only a HALTED day can be resumed"
        )
        run = select_live_run(engine.conn, day_id)
        with lease.transaction():
            if not resume_row(engine.conn, day_id, by):
                raise InvalidInput("day_not_halted", f"day {day_id} was resumed by somebody else")
            if run is None or run.status in ("dry_run", "approved"):
                rewind_day(engine.conn, day_id, "compute")
            details = {"error_code": row.error_code if row else None, "reason": row.reason if row else None}
            insert_audit(engine.conn, actor=by, action="day_resumed", day_id=day_id, details=details)
    return {"day_id": day_id, "status": "WAITING", "resumed_by": by, "was": details["error_code"]}
