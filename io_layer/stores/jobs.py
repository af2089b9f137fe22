"""One row per run of a job: how it began, and how it ended if it could still tell."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg.rows import args_row
from psycopg.types.json import Jsonb

from bo_engine.redaction import told
from io_layer.postgres.connection import Conn


class JobRun(NamedTuple):
    """One row of job_runs, as far as people ask for it."""

    job_run_id: int
    job: str
    host: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    error_code: str | None
    message: str | None
    counts: Mapping[str, Any]
    took_ms: int | None


class Ended(NamedTuple):
    """How a run ended."""

    exit_code: int
    error_code: str | None
    message: str | None
    counts: Mapping[str, int]
    took_ms: int


INSERT_RUN = """
    INSERT INTO job_runs (job, host, pid, token, engine) VALUES (%(job)s, %(host)s, %(pid)s, %(token)s, %(engine)s)
    RETURNING job_run_id
"""
# Whoever holds the lease now knows that every run under an earlier token has lost it.
MARK_LOST = """
    UPDATE job_runs SET error_code = 'run_lost', message = 'it never told its end: killed, or its lease was taken over'
     WHERE job = %(job)s AND finished_at IS NULL AND error_code IS NULL AND token < %(token)s
"""


def insert_run(conn: Conn, job: str, *, host: str, pid: int, token: int, engine: str) -> int:
    """A run that has taken the lease; its id. Rows of earlier runs that never ended say so from now on."""
    given = {"job": job, "host": host, "pid": pid, "token": token, "engine": engine}
    conn.execute(MARK_LOST, given)
    row = conn.execute(INSERT_RUN, given).fetchone()
    return int(row[0]) if row else 0


FINISH_RUN = """
    UPDATE job_runs
       SET finished_at = clock_timestamp(), exit_code = %(exit_code)s, error_code = %(error_code)s,
           message = %(message)s, counts = %(counts)s, took_ms = %(took_ms)s
     WHERE job_run_id = %(job_run_id)s
"""


def finish_run(conn: Conn, job_run_id: int, ended: Ended) -> None:
    """The end of a run."""
    conn.execute(FINISH_RUN, {"job_run_id": job_run_id, **_given(ended)})


INSERT_ENDED_RUN = """
    INSERT INTO job_runs (job, host, pid, engine, finished_at, exit_code, error_code, message, counts, took_ms)
    VALUES (%(job)s, %(host)s, %(pid)s, %(engine)s, clock_timestamp(), %(exit_code)s, %(error_code)s, %(message)s,
            %(counts)s, %(took_ms)s)
"""


def insert_ended_run(conn: Conn, job: str, *, host: str, pid: int, engine: str, ended: Ended) -> None:
    """A run that ended before it held the lease: nothing was due, or somebody else has it."""
    conn.execute(INSERT_ENDED_RUN, {"job": job, "host": host, "pid": pid, "engine": engine, **_given(ended)})


def _given(ended: Ended) -> dict[str, object]:
    message = told(ended.message) if ended.message else None
    return {**ended._asdict(), "message": message, "counts": Jsonb(dict(ended.counts))}


# Since the run that has the lease began: later ones have the greater id. The lease's token names that run, so that one
# which has not written its row yet is not taken for the run before it. A host that is turned away by another one tells
# nothing: with the same lines on two hosts, one of them is in each minute.
COUNT_OVERRUNS = """
    SELECT count(*)
      FROM job_leases AS l
      JOIN job_runs AS holder ON holder.job = l.job AND holder.token = l.token AND holder.host = %(host)s
      JOIN job_runs AS r ON r.job = l.job AND r.host = holder.host AND r.job_run_id > holder.job_run_id
     WHERE l.job = %(job)s AND r.error_code = 'lease_held'
"""


def count_overruns(conn: Conn, job: str, host: str) -> int:
    """How often this host found the job held by its own run that has the lease now; 0 when another host's has it."""
    row = conn.execute(COUNT_OVERRUNS, {"job": job, "host": host}).fetchone()
    return int(row[0]) if row else 0


# A run that was turned away did nothing, and may hide how the other host's run of the same minute has ended.
SELECT_LAST_RUNS = """
    SELECT DISTINCT ON (job) job_run_id, job, host, pid, started_at, finished_at, exit_code, error_code, message,
           counts, took_ms
      FROM job_runs ORDER BY job, error_code IS NOT DISTINCT FROM 'lease_held', job_run_id DESC
"""


def select_last_runs(conn: Conn) -> dict[str, JobRun]:
    """The newest row of each job, of those that were turned away (`lease_held`) only where there is no other."""
    with conn.cursor(row_factory=args_row(JobRun)) as cur:
        return {run.job: run for run in cur.execute(SELECT_LAST_RUNS).fetchall()}


SELECT_LAST_SUCCESSES = "SELECT job, max(finished_at) FROM job_runs WHERE exit_code = 0 GROUP BY job"


def select_last_successes(conn: Conn) -> dict[str, datetime]:
    """When each job last ended with 0."""
    return dict(conn.execute(SELECT_LAST_SUCCESSES).fetchall())


# The last run of a job, as SELECT_LAST_RUNS takes it, and its newest success are kept however old they are: they are
# what people ask for. Found once for all: asked row by row, a month's runs of one job took a minute, and a backlog of
# two months longer than any statement may.
DELETE_OLD_RUNS = """
    DELETE FROM job_runs
     WHERE started_at < clock_timestamp() - make_interval(days => %(days)s)
       AND job_run_id NOT IN (SELECT coalesce(max(job_run_id) FILTER (WHERE error_code IS DISTINCT FROM 'lease_held'),
                                              max(job_run_id)) FROM job_runs GROUP BY job
                              UNION ALL SELECT max(job_run_id) FROM job_runs WHERE exit_code = 0 GROUP BY job)
"""
SELECT_OLD_RUNS = """
    SELECT job_run_id FROM job_runs
     WHERE started_at < clock_timestamp() - make_interval(days => %(days)s)
       AND job_run_id NOT IN (SELECT coalesce(max(job_run_id) FILTER (WHERE error_code IS DISTINCT FROM 'lease_held'),
                                              max(job_run_id)) FROM job_runs GROUP BY job
                              UNION ALL SELECT max(job_run_id) FROM job_runs WHERE exit_code = 0 GROUP BY job)
"""
# What a message said is personal; that it was sent is not, and keeps it from being sent again.
EMPTY_OLD_PAYLOADS = """
    UPDATE outbox SET payload = NULL, updated_at = clock_timestamp()
     WHERE payload IS NOT NULL AND status IN ('SENT', 'GONE', 'EXPIRED', 'FAILED')
       AND updated_at < clock_timestamp() - make_interval(days => %(days)s)
"""
SELECT_OLD_PAYLOADS = """
    SELECT message_id FROM outbox
     WHERE payload IS NOT NULL AND status IN ('SENT', 'GONE', 'EXPIRED', 'FAILED')
       AND updated_at < clock_timestamp() - make_interval(days => %(days)s)
"""


def delete_old_runs(conn: Conn, days: int, *, dry_run: bool) -> int:
    """Remove rows of job_runs that are older; how many. ``dry_run`` only counts."""
    return conn.execute(SELECT_OLD_RUNS if dry_run else DELETE_OLD_RUNS, {"days": days}).rowcount


def empty_old_payloads(conn: Conn, days: int, *, dry_run: bool) -> int:
    """Empty the payload of messages that were done with before; how many. ``dry_run`` only counts."""
    return conn.execute(SELECT_OLD_PAYLOADS if dry_run else EMPTY_OLD_PAYLOADS, {"days": days}).rowcount


SELECT_NOW = "SELECT clock_timestamp()"


def select_now(conn: Conn) -> datetime:
    """The database's clock."""
    ((now,),) = conn.execute(SELECT_NOW).fetchall()
    return datetime.fromtimestamp(now.timestamp(), UTC)
