"""Runs a job, for cron and for people alike: one at a time over all hosts, each run told in the same four ways.

A row of job_runs, a line in the log, metrics, a ping. What tells of a run never changes how it ends.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from bo_engine.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_LATER,
    INTERRUPTED,
    OUT_OF_MEMORY,
    Ending,
    EngineError,
    InvariantBroken,
    Unavailable,
)
from bo_engine.log import get_logger
from bo_engine.settings import Settings
from io_layer.files.job_log import append_line
from io_layer.files.metrics import write_metrics
from io_layer.ping import FAIL, START, SUCCESS, Pinger
from io_layer.postgres.connection import Conn, connect, refuse_writes
from io_layer.stores.jobs import Ended, count_overruns, finish_run, insert_ended_run, insert_run
from services.jobs.job import Done, Job, Loop
from services.running.cancel import Stop
from services.running.context import RunContext, run_context
from services.running.engine_version import engine_version
from services.running.halted import require_not_halted
from services.running.installation import require_own_database
from services.running.lease import held_lease

_LOG = get_logger("job")


def run_job(job: Job, settings: Settings, *, cancel: Stop, report: Callable[[str], None]) -> Done | None:
    """Run it once under its lease; None when there is surely nothing to do.

    Raises: what the job raises; Unavailable ``lease_held``; Halted ``job_halted``; UsageError ``other_database``.
    """
    told = _Told(job, settings)
    try:
        with connect(settings.database_url, application_name="bo-engine") as conn:
            # Before there is a row to write: nothing is left behind in the database of somebody else.
            require_own_database(conn, settings)
            try:
                done = _run(job, run_context(settings, conn, report=report, cancel=cancel), told)
            except (Exception, KeyboardInterrupt) as error:
                told.end_row(conn, ended_by(error, told.took_ms()))
                raise
    except (Exception, KeyboardInterrupt) as error:
        told.everywhere(ended_by(error, told.took_ms()), cancel)
        raise
    told.everywhere(_ended(done or Done(), told.took_ms()), cancel)
    return done


def _run(job: Job, context: RunContext, told: "_Told") -> Done | None:
    conn = context.conn
    alarm, blind = _look_first(job, context)
    seen = alarm()
    with _alarm_after(alarm, seen):
        require_not_halted(conn, job.name)
        # A local world has a time of its own, in which a day may be over before it has begun outside.
        if seen is None and job.is_idle is not None and not context.settings.is_local and job.is_idle(conn):
            if blind is not None:
                raise blind
            told.end_row(conn, _ended(Done(), told.took_ms()))
            return None
        with held_lease(context, job.name, **_lease_times(job)) as leased:
            told.begin_row(leased)
            told.pinger.tell(START)
            try:
                with _alarm_after(alarm, seen):
                    done = job.work(leased) if job.loop is None else _loop(job, job.loop, leased)
            except (Exception, KeyboardInterrupt) as error:
                # Before the lease is given back: whoever takes it next would call this run lost.
                told.end_row(conn, ended_by(error, told.took_ms()))
                raise
            told.end_row(conn, _ended(done, told.took_ms()))
            return done


def _lease_times(job: Job) -> dict[str, int]:
    return {} if job.loop is None else {"ttl_s": job.loop.ttl_s, "wait_s": job.loop.wait_s}


def _loop(job: Job, loop: Loop, context: RunContext) -> Done:
    """Step after step, each under a renewed lease; the last one's result with the counts of all. It ends early with a
    step that does not end with 0."""
    until = time.monotonic() + loop.lasts_s
    counts: Counter[str] = Counter()
    while True:
        require_not_halted(context.conn, job.name)
        context.renew_lease()
        done = job.work(context)
        counts.update(done.counts)
        if done.exit_code != EXIT_DONE or time.monotonic() + loop.step_s > until:
            return replace(done, counts=dict(counts))
        context.cancel.wait(loop.step_s)


def _look_first(job: Job, context: RunContext) -> tuple[Callable[[], InvariantBroken | None], Unavailable | None]:
    """The alarm of the job's first look, and why there was no look: the job goes on, but it is not idle unseen."""
    if job.look_first is None:
        return _no_alarm, None
    try:
        return job.look_first(context), None
    except Unavailable as error:
        return _no_alarm, error


def _no_alarm() -> None:
    return None


@contextmanager
def _alarm_after(alarm: Callable[[], InvariantBroken | None], seen: InvariantBroken | None) -> Iterator[None]:
    """Whatever the work inside ends with, an alarm that was seen before it and is not explained by it ends the run."""
    if seen is None:
        yield
        return
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if (still := _still(alarm, seen)) is not None and still is not error:
            if isinstance(error, EngineError):
                still.findings = (*still.findings, f"and {error.code}: {error.message}")
                still.done_before = error.done_before
            else:
                _LOG.error("work_failed", extra={"reason": type(error).__name__})
            raise still from error
        raise
    if (still := _still(alarm, seen)) is not None:
        raise still


def _still(alarm: Callable[[], InvariantBroken | None], seen: InvariantBroken) -> InvariantBroken | None:
    try:
        return alarm()
    except EngineError:
        return seen  # a database that does not answer explains nothing


def look_at_job(
    settings: Settings, *, cancel: Stop, report: Callable[[str], None], plan: Callable[[RunContext], Done]
) -> Done:
    """What a run would do. The database itself refuses every write; no lease is taken, no record left."""
    with connect(settings.database_url, application_name="bo-engine") as conn:
        refuse_writes(conn)
        require_own_database(conn, settings)
        return plan(run_context(settings, conn, report=report, cancel=cancel))


def ended_by(error: BaseException, took_ms: int) -> Ended:
    """How a run ends that this error ends."""
    known: EngineError | Ending | None = error if isinstance(error, EngineError) else None
    if isinstance(error, KeyboardInterrupt):
        known = INTERRUPTED
    elif isinstance(error, MemoryError):
        known = OUT_OF_MEMORY
    if known is not None:
        return Ended(known.exit_code, known.code, known.message, {}, took_ms)
    return Ended(EXIT_FAILED, "unexpected_error", f"{type(error).__name__}, a bug of the engine", {}, took_ms)


def _ended(done: Done, took_ms: int) -> Ended:
    return Ended(done.exit_code, done.error_code, done.message, done.counts, took_ms)


class _Told:
    """What is told of one run. Each way may fail by itself, and the run does not."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self._job = job
        self._settings = settings
        self._host, self._pid = socket.gethostname(), os.getpid()
        # The host's clock may jump while the job runs.
        self._began_ns: Final = time.monotonic_ns()
        self._row: int | None = None
        self._token: int | None = None
        self._ended: Ended | None = None
        self._overruns = 0
        self.pinger = Pinger(settings.job_ping_url, job.name)
        self._version = engine_version()

    def took_ms(self) -> int:
        """Since the run began."""
        return (time.monotonic_ns() - self._began_ns) // 1_000_000

    def begin_row(self, context: RunContext) -> None:
        """The row of a run that has its lease. It must be there: a run without it would leave no trace when killed."""
        token = context.held.token
        with context.transaction():
            self._row = insert_run(
                context.conn, self._job.name, host=self._host, pid=self._pid, token=token, engine=self._version
            )
        self._token = token

    def end_row(self, conn: Conn, ended: Ended) -> None:
        """The end in the row, or a row of its own for a run that never had the lease. Once."""
        if self._ended is not None:
            return
        self._ended = ended
        try:
            if self._row is not None:
                finish_run(conn, self._row, ended)
            else:
                insert_ended_run(
                    conn, self._job.name, host=self._host, pid=self._pid, engine=self._version, ended=ended
                )
            # A run of a loop that waits for the one before it is no overrun.
            if ended.error_code == "lease_held" and self._job.loop is None:
                self._overruns = count_overruns(conn, self._job.name, self._host)
        except Exception as error:
            _LOG.warning("run_not_recorded", extra={"job": self._job.name, "reason": _said(error)})

    def everywhere(self, ended: Ended, cancel: Stop) -> None:
        """The line in the log, the metrics, the last ping: of the end that the row tells, if it tells one."""
        # Whoever asks the run to end while a monitor is slow to answer does not change how it has ended.
        with cancel.working():
            self._tell(self._ended or ended)

    def _tell(self, ended: Ended) -> None:
        now = datetime.now(UTC)
        facts = {
            "time": now.isoformat(timespec="milliseconds"),
            "event": "job_ended",
            "job": self._job.name,
            "host": self._host,
            "pid": self._pid,
            "engine": self._version,
            "run": self._row,
            "token": self._token,
            **ended._asdict(),
        }
        try:
            append_line(self._settings.logs_dir, self._job.area, self._job.name, now.date(), facts)
        except Exception as error:
            _LOG.warning("line_not_written", extra={"job": self._job.name, "reason": _said(error)})
        try:
            self._measure(int(now.timestamp()), ended)
        except Exception as error:
            _LOG.warning("metrics_not_written", extra={"job": self._job.name, "reason": _said(error)})
        # 75 is neither: it goes on by itself, and if it does not, no success arrives any more.
        if ended.exit_code != EXIT_LATER:
            self.pinger.tell(SUCCESS if ended.exit_code == EXIT_DONE else FAIL)
        self.pinger.finish()

    def _measure(self, now_s: int, ended: Ended) -> None:
        folder = self._settings.metrics_dir
        if folder is not None:
            write_metrics(
                folder,
                self._job.name,
                ended_s=now_s,
                took_ms=ended.took_ms,
                exit_code=ended.exit_code,
                overruns=self._overruns,
                counts=ended.counts,
            )


def _said(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
