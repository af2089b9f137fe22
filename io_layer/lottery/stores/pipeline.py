"""Where each day stands: one row a day, one flag a step. Each move is a compare-and-set and says if it happened."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from psycopg.rows import args_row

from bo_engine.redaction import told
from bo_engine.units import Atoms, DayId, Hash32
from core.lottery.model import VoidedDay
from io_layer.postgres.connection import Conn


class Step(StrEnum):
    """The steps of a day, in their order; the value is the name of the flag in the database, without ``_ok``."""

    EXPORT = "export"
    AFFILIATE = "affiliate"
    COMPUTE = "compute"
    APPROVE = "approve"
    COMMIT = "commit"
    STATS = "stats"


class DayStatus(StrEnum):
    """Where a day stands."""

    NEW = "NEW"  # it has no row yet, so the database never holds this one
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    DONE = "DONE"
    FAILED = "FAILED"
    HALTED = "HALTED"
    VOIDED = "VOIDED"


STEPS: Final = tuple(Step)
ENDED: Final = frozenset({DayStatus.DONE, DayStatus.VOIDED})  # for ever


class PipelineDay(NamedTuple):
    """One row of settlement_pipeline_runs."""

    day_id: DayId
    status: DayStatus
    reason: str | None
    error_code: str | None
    not_before: int | None  # chain timestamp
    export_ok: bool
    affiliate_ok: bool
    compute_ok: bool
    approve_ok: bool
    commit_ok: bool
    stats_ok: bool
    run_id: int | None
    approved_by: str | None
    attempts: int
    engine: str | None = None  # version of the engine that works on it
    void_stake_atoms: Atoms | None = None  # these five on a VOIDED day only
    void_block: int | None = None
    void_block_hash: Hash32 | None = None
    void_at_s: int | None = None
    void_tx: Hash32 | None = None

    def is_done(self, step: Step) -> bool:
        return bool(getattr(self, f"{step}_ok"))

    def next_step(self) -> Step | None:
        """The first step that is not done, or None."""
        return next((step for step in STEPS if not self.is_done(step)), None)


def _pipeline_day(*columns: Any) -> PipelineDay:
    row = PipelineDay(*columns)
    return row._replace(status=DayStatus(row.status))


INSERT_DAY = """
    INSERT INTO settlement_pipeline_runs (day_id, status, reason) VALUES (%(day_id)s, 'WAITING', 'new')
        ON CONFLICT (day_id) DO NOTHING
"""


def insert_day(conn: Conn, day_id: DayId) -> bool:
    """Open the day's row. False when it is there."""
    return conn.execute(INSERT_DAY, {"day_id": day_id}).rowcount == 1


SELECT_DAY = """
    SELECT day_id, status, reason, error_code, not_before, export_ok, affiliate_ok, compute_ok, approve_ok, commit_ok,
           stats_ok, run_id, approved_by, attempts, engine, void_stake, void_block, void_block_hash, void_at_s, void_tx
      FROM settlement_pipeline_runs WHERE day_id = %(day_id)s
"""


def select_day(conn: Conn, day_id: DayId) -> PipelineDay | None:
    """The day's row, or None."""
    with conn.cursor(row_factory=args_row(_pipeline_day)) as cur:
        return cur.execute(SELECT_DAY, {"day_id": day_id}).fetchone()


SELECT_LAST_ENDED = "SELECT max(day_id) FROM settlement_pipeline_runs WHERE status IN ('DONE', 'VOIDED')"


def select_last_ended(conn: Conn) -> DayId | None:
    """The latest day that is DONE or VOIDED."""
    row = conn.execute(SELECT_LAST_ENDED).fetchone()
    return DayId(row[0]) if row and row[0] is not None else None


# RUNNING is among the states: a killed run leaves it behind, and who holds the lease may take it up.
START_DAY = """
    UPDATE settlement_pipeline_runs
       SET status = 'RUNNING', reason = NULL, error_code = NULL, not_before = NULL,
           attempts = attempts + (status <> 'RUNNING')::integer, engine = coalesce(%(engine)s, engine)
     WHERE day_id = %(day_id)s AND status IN ('WAITING', 'FAILED', 'RUNNING')
"""


def start_day(conn: Conn, day_id: DayId, engine: str | None = None) -> bool:
    """WAITING, FAILED or a RUNNING left by a killed run -> RUNNING. Hold the lease. False when DONE, VOIDED or HALTED.

    ``engine``: the version that works on the day from now on."""
    return conn.execute(START_DAY, {"day_id": day_id, "engine": engine}).rowcount == 1


# One constant per step, so that no SQL text is put together from parts.
FINISH_STEP: Final[dict[Step, str]] = {
    Step.EXPORT: """UPDATE settlement_pipeline_runs
                    SET export_ok = true, failed_step = NULL, failed_code = NULL, failed_at = '{}'
                  WHERE day_id = %(day_id)s AND NOT export_ok AND status = 'RUNNING'""",
    Step.AFFILIATE: """UPDATE settlement_pipeline_runs
                       SET affiliate_ok = true, failed_step = NULL, failed_code = NULL, failed_at = '{}'
                     WHERE day_id = %(day_id)s AND export_ok AND NOT affiliate_ok AND status = 'RUNNING'""",
    Step.COMPUTE: """UPDATE settlement_pipeline_runs
                     SET compute_ok = true, run_id = %(run_id)s,
                         failed_step = NULL, failed_code = NULL, failed_at = '{}'
                   WHERE day_id = %(day_id)s AND affiliate_ok AND NOT compute_ok AND status = 'RUNNING'""",
    Step.APPROVE: """UPDATE settlement_pipeline_runs
                     SET approve_ok = true, approved_by = %(approved_by)s,
                         failed_step = NULL, failed_code = NULL, failed_at = '{}'
                   WHERE day_id = %(day_id)s AND compute_ok AND NOT approve_ok AND status = 'RUNNING'""",
    Step.COMMIT: """UPDATE settlement_pipeline_runs
                    SET commit_ok = true, failed_step = NULL, failed_code = NULL, failed_at = '{}'
                  WHERE day_id = %(day_id)s AND approve_ok AND NOT commit_ok AND status = 'RUNNING'""",
    Step.STATS: """UPDATE settlement_pipeline_runs
                   SET stats_ok = true, failed_step = NULL, failed_code = NULL, failed_at = '{}'
                 WHERE day_id = %(day_id)s AND commit_ok AND NOT stats_ok AND status = 'RUNNING'""",
}


def finish_step(
    conn: Conn, day_id: DayId, step: Step, *, run_id: int | None = None, approved_by: str | None = None
) -> bool:
    """Set the step's flag, in the transaction of its result. ``compute`` needs run_id, ``approve`` approved_by.

    False when the day is not RUNNING, the step before is not done, or this one is. ``commit`` needs a settled run.
    """
    given = {"day_id": day_id, "run_id": run_id, "approved_by": approved_by and told(approved_by)}
    return conn.execute(FINISH_STEP[step], given).rowcount == 1


WAIT_DAY = """
    UPDATE settlement_pipeline_runs
       SET status = 'WAITING', reason = %(reason)s, error_code = %(error_code)s, not_before = %(not_before)s
     WHERE day_id = %(day_id)s AND status IN ('RUNNING', 'WAITING')
"""


def wait_day(
    conn: Conn, day_id: DayId, reason: str, *, not_before: int | None = None, error_code: str | None = None
) -> bool:
    """RUNNING -> WAITING, with the reason and the chain timestamp before which trying is useless."""
    given = {"day_id": day_id, "reason": told(reason), "not_before": not_before, "error_code": error_code}
    return conn.execute(WAIT_DAY, given).rowcount == 1


# The right sides see the row as it was: the same step and the same code make the row of failures one longer.
FAIL_DAY = """
    UPDATE settlement_pipeline_runs
       SET status = 'FAILED', reason = %(reason)s, error_code = %(error_code)s,
           failed_at = CASE WHEN failed_step = %(step)s AND failed_code = %(error_code)s THEN failed_at
                            ELSE '{}'::timestamptz[] END || clock_timestamp(),
           failed_step = %(step)s, failed_code = %(error_code)s
     WHERE day_id = %(day_id)s AND status IN ('RUNNING', 'WAITING', 'FAILED')
    RETURNING failed_at
"""


def fail_day(conn: Conn, day_id: DayId, step: Step, error_code: str, reason: str) -> list[datetime]:
    """-> FAILED: the next tick tries again. When this step failed with this code, times in a row:
    neither a run that was killed nor one that had to wait counts, or breaks the row. Empty: the day did not fail."""
    given = {"day_id": day_id, "step": step, "error_code": error_code, "reason": told(reason)}
    row = conn.execute(FAIL_DAY, given).fetchone()
    return list(row[0]) if row else []


HALT_DAY = """
    UPDATE settlement_pipeline_runs SET status = 'HALTED', reason = %(reason)s, error_code = %(error_code)s
     WHERE day_id = %(day_id)s AND status IN ('RUNNING', 'WAITING', 'FAILED')
"""


def halt_day(conn: Conn, day_id: DayId, error_code: str, reason: str) -> bool:
    """-> HALTED: a person must look."""
    return conn.execute(HALT_DAY, {"day_id": day_id, "error_code": error_code, "reason": told(reason)}).rowcount == 1


RESUME_DAY = """
    UPDATE settlement_pipeline_runs
       SET status = 'WAITING', reason = %(reason)s, error_code = NULL, not_before = NULL, attempts = 0,
           failed_step = NULL, failed_code = NULL, failed_at = '{}'
     WHERE day_id = %(day_id)s AND status = 'HALTED'
"""


def resume_day(conn: Conn, day_id: DayId, by: str) -> bool:
    """HALTED -> WAITING; failures count anew. Write the audit row in the same transaction."""
    return conn.execute(RESUME_DAY, {"day_id": day_id, "reason": told(f"resumed by {by}")}).rowcount == 1


# Later flags imply earlier ones, so going back to a step clears it and everything behind it.
REWIND_DAY: Final[dict[Step, str]] = {
    Step.EXPORT: """UPDATE settlement_pipeline_runs SET export_ok = false, affiliate_ok = false, compute_ok = false,
                        approve_ok = false, commit_ok = false, stats_ok = false, run_id = NULL, approved_by = NULL
                  WHERE day_id = %(day_id)s AND NOT commit_ok AND status NOT IN ('DONE', 'VOIDED')""",
    Step.AFFILIATE: """UPDATE settlement_pipeline_runs SET affiliate_ok = false, compute_ok = false, approve_ok = false,
                           commit_ok = false, stats_ok = false, run_id = NULL, approved_by = NULL
                     WHERE day_id = %(day_id)s AND NOT commit_ok AND status NOT IN ('DONE', 'VOIDED')""",
    Step.COMPUTE: """UPDATE settlement_pipeline_runs SET compute_ok = false, approve_ok = false, commit_ok = false,
                         stats_ok = false, run_id = NULL, approved_by = NULL
                   WHERE day_id = %(day_id)s AND NOT commit_ok AND status NOT IN ('DONE', 'VOIDED')""",
    Step.APPROVE: """UPDATE settlement_pipeline_runs SET approve_ok = false, commit_ok = false, stats_ok = false,
                         approved_by = NULL
                   WHERE day_id = %(day_id)s AND NOT commit_ok AND status NOT IN ('DONE', 'VOIDED')""",
    Step.COMMIT: """UPDATE settlement_pipeline_runs SET commit_ok = false, stats_ok = false
                  WHERE day_id = %(day_id)s AND NOT commit_ok AND status NOT IN ('DONE', 'VOIDED')""",
    Step.STATS: """UPDATE settlement_pipeline_runs SET stats_ok = false
                 WHERE day_id = %(day_id)s AND status NOT IN ('DONE', 'VOIDED')""",
}


def rewind_day(conn: Conn, day_id: DayId, step: Step) -> bool:
    """Clear the flags from this step on (a veto, new inputs). False when the day is settled; the status stays."""
    return conn.execute(REWIND_DAY[step], {"day_id": day_id}).rowcount == 1


FINISH_DAY = """
    UPDATE settlement_pipeline_runs SET status = 'DONE', reason = NULL, error_code = NULL, not_before = NULL
     WHERE day_id = %(day_id)s AND status IN ('RUNNING', 'WAITING', 'FAILED') AND stats_ok
"""


def finish_day(conn: Conn, day_id: DayId) -> bool:
    """All flags -> DONE, for ever. A day whose last file could not be written is not RUNNING any more."""
    return conn.execute(FINISH_DAY, {"day_id": day_id}).rowcount == 1


VOID_DAY = """
    UPDATE settlement_pipeline_runs
       SET status = 'VOIDED', reason = NULL, error_code = NULL, not_before = NULL, void_stake = %(stake)s,
           void_block = %(block)s, void_block_hash = %(block_hash)s, void_at_s = %(at_s)s, void_tx = %(tx_hash)s
     WHERE day_id = %(day_id)s AND status IN ('RUNNING', 'WAITING', 'FAILED')
"""


def void_day(conn: Conn, voided: VoidedDay) -> bool:
    """-> VOIDED, for ever: the contract has voided the day at a final block. Set its settlement aside before.

    False when it is DONE, VOIDED or HALTED. Raises: InvariantBroken ``day_not_voided`` while a run or a step of the day
    stands, or voided.json is not stored.
    """
    given = {
        "day_id": voided.day_id,
        "stake": voided.stake_atoms,
        "block": voided.block_number,
        "block_hash": voided.block_hash,
        "at_s": voided.block_time_s,
        "tx_hash": voided.tx_hash,
    }
    return conn.execute(VOID_DAY, given).rowcount == 1
