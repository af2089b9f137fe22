"""Holds a job's lease while its work runs: two hosts, or a person and cron, never run it twice."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bo_engine.errors import EngineError, Halted
from bo_engine.log import get_logger
from io_layer.postgres.connection import Conn
from io_layer.stores.halts import select_halt
from io_layer.stores.leases import Holder, acquire_lease, guard_lease, release_lease, renew_lease, select_lease
from services.running.cancel import Stop

TTL_S: Final = 900
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_IDS: Final = Path("/proc/self/ns/pid")
_LOG = get_logger("lease")


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lease. Every transaction that writes for the job goes through ``transaction``, which is fenced."""

    conn: Conn
    job: str
    token: int
    stop: Stop

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that commits only while the lease is ours, and begins only while nobody asks the run to end.

        Raises: Unavailable ``lease_lost``; Stopped; Halted ``job_halted``.
        """
        self.stop.check()
        with self.conn.transaction():
            halted = guard_lease(self.conn, self.job, self.token)
            # A halt is heard where a signal is: what must go to its end does.
            if halted is not None and self.stop.is_heard:
                raise job_halted(self.job, halted)
            yield

    def renew(self) -> None:
        """Hold it longer; called between steps. Raises: Unavailable ``lease_lost``; Stopped."""
        self.stop.check()
        renew_lease(self.conn, self.job, self.token, TTL_S)


@contextmanager
def held_lease(conn: Conn, job: str, stop: Stop | None = None) -> Iterator[Lease]:
    """Take the job's lease, give it back at the end.

    The lease of a process of this machine that is dead is taken over at once; any other, also one of before a reboot,
    when it expires.
    ``stop``: whoever may ask this run to end. Raises: Unavailable ``lease_held``, naming the holder; Stopped;
    Halted ``job_halted``.
    """
    stop = stop or Stop()
    require_not_halted(conn, job)
    host, pid = this_machine(), os.getpid()
    holder = Holder(name=f"{socket.gethostname()} process {pid}", host=host, pid=pid, pid_started=_started(pid) or 0)
    # From before it is taken until after it is given back, so that no wish to end comes between.
    with stop.working():
        token = acquire_lease(conn, job, holder, TTL_S, dead_token=_dead_token(conn, job, host))
        lease = Lease(conn, job, token, stop)
        try:
            yield lease
        finally:
            _give_back(lease)


def this_machine() -> str:
    """Where a process can be seen to be dead: this boot of this machine, and in it this set of process ids.

    A name is not enough. Two machines that were cloned may both be called `debian`, two containers `bo-engine`; each
    would take the other's lease for that of a dead process.
    """
    known = [socket.gethostname()]
    with suppress(OSError):
        known += [_BOOT_ID.read_text().strip(), str(_PROCESS_IDS.readlink())]
    return " ".join(known)


def require_not_halted(conn: Conn, job: str) -> None:
    """Raises: Halted ``job_halted``."""
    halt = select_halt(conn, job)
    if halt is not None:
        raise job_halted(job, halt.reason)


def job_halted(job: str, reason: str) -> Halted:
    """The error of a job that a person has stopped."""
    return Halted(
        "job_halted",
        f"job {job} is halted: {reason}; `bo-engine jobs` says by whom, `bo-engine resume --job {job} --by NAME` (or "
        "--all) lets it go on",
    )


def _give_back(lease: Lease) -> None:
    # A database that is gone releases nothing; the next run on this host sees that we are dead.
    try:
        release_lease(lease.conn, lease.job, lease.token)
    except EngineError:
        return
    except Exception as error:
        # Whatever it is, it must not take the place of the error that ends the run.
        _LOG.error("lease_not_released", extra={"job": lease.job, "reason": type(error).__name__})


def _dead_token(conn: Conn, job: str, host: str) -> int | None:
    lease = select_lease(conn, job)
    if lease is None or lease.host != host or lease.pid is None:
        return None
    return lease.token if _started(lease.pid) != lease.pid_started else None


def _started(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None if there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
