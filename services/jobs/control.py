"""Stops jobs and lets them go on, and tells where each stands. Every stop and go leaves an audit row."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from bo_engine.errors import InvalidInput, UsageError
from io_layer.postgres.connection import Conn
from io_layer.stores.audit import insert_audit
from io_layer.stores.halts import ALL, Halt, delete_halt, insert_halt, select_halts
from io_layer.stores.jobs import JobRun, select_last_runs, select_last_successes
from io_layer.stores.leases import select_lease
from services.jobs.job import Job
from services.jobs.schedule import next_start


def halt_jobs(conn: Conn, job: str | None, *, reason: str, by: str, known: Collection[str]) -> dict[str, Any]:
    """Stop a job, or all (None). A run of it ends at its next safe point. A repeat keeps the first reason.

    Raises: UsageError ``unknown_job``.
    """
    name = _named(job, known)
    with conn.transaction():
        is_new = insert_halt(conn, name, reason, by)
        if is_new:
            insert_audit(conn, actor=by, action="jobs_halted", details={"job": name, "reason": reason})
    running = [one for one in known if name in (ALL, one) and _holder(conn, one)]
    return {"halted": name, "was_halted": not is_new, "still_running": running}


def resume_jobs(conn: Conn, job: str | None, *, by: str, known: Collection[str]) -> dict[str, Any]:
    """Let a job go on. Without a name: end the halt of all, and if there is none, every job's own.

    Whoever ends his halt of all after an upgrade has not looked at what somebody else has halted for a reason of its
    own: that stays, and is named.
    Raises: UsageError ``unknown_job``; InvalidInput ``job_not_halted``.
    """
    name = _named(job, known)
    with conn.transaction():
        found = {halt.job: halt for halt in select_halts(conn)}
        wanted = [name] if name in found or name != ALL else list(found)
        resumed = [found.pop(one) for one in wanted if one in found and delete_halt(conn, one)]
        for halt in resumed:
            details = {"job": halt.job, "reason": halt.reason, "halted_by": halt.halted_by}
            insert_audit(conn, actor=by, action="jobs_resumed", details=details)
    if not resumed:
        hint = "; all jobs are: `bo-engine resume --all --by NAME`" if ALL in found else ""
        what = "no job is halted" if name == ALL else f"job {name} is not halted by its own name"
        raise InvalidInput("job_not_halted", what + hint)
    return {"resumed": [halt.job for halt in resumed], "by": by, "still_halted": list(found)}


def _named(job: str | None, known: Collection[str]) -> str:
    if job is not None and job not in known:
        raise UsageError("unknown_job", f"there is no job {job[:40]!r}; there are {', '.join(known)}")
    return ALL if job is None else job


def list_jobs(conn: Conn, jobs: Collection[Job]) -> list[dict[str, Any]]:
    """Each job: when it last ran and how that ended, who runs it now, whether it is halted, when it is due next.

    A run that found the job held by another one is its last only where there is no other.
    """
    runs, successes = select_last_runs(conn), select_last_successes(conn)
    halts = {halt.job: halt for halt in select_halts(conn)}
    return [
        _row(conn, job, runs.get(job.name), successes.get(job.name), halts.get(job.name) or halts.get(ALL))
        for job in jobs
    ]


def _row(conn: Conn, job: Job, run: JobRun | None, success: datetime | None, halt: Halt | None) -> dict[str, Any]:
    return {
        "job": job.name,
        "schedule": job.schedule,
        "last_run": _utc(run.started_at) if run else None,
        "ended": _utc(run.finished_at) if run and run.finished_at else None,
        "exit_code": run.exit_code if run else None,
        "error": run.error_code if run else None,
        "message": run.message if run else None,
        "counts": dict(run.counts) if run else {},
        "took_ms": run.took_ms if run else None,
        "last_success": _utc(success) if success else None,
        "running": _holder(conn, job.name),
        "halted": halt.reason if halt else None,
        "halted_by": halt.halted_by if halt else None,
        "halted_at": _utc(halt.halted_at) if halt else None,
        # Cron counts in the host's time zone; shown is UTC, as all times are.
        "next_due": None if halt else _utc(next_start(job.schedule, datetime.now().astimezone())),
    }


def _holder(conn: Conn, job: str) -> str | None:
    """Who runs it. A holder that was killed is believed to run until its lease is over."""
    lease = select_lease(conn, job)
    return lease.holder if lease and not lease.is_expired else None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat("T", "seconds")
