"""Holds a job's lease while its work runs: two hosts, or a person and cron, never run it twice."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from bo_engine.errors import EngineError, Unavailable
from bo_engine.log import get_logger
from io_layer.postgres.connection import Conn
from io_layer.stores.leases import Holder, acquire_lease, release_lease, select_lease
from services.running.cancel import POLL_S
from services.running.context import HeldLease, RunContext
from services.running.halted import require_not_halted

TTL_S: Final = 900
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_IDS: Final = Path("/proc/self/ns/pid")
_LOG = get_logger("lease")


C = TypeVar("C", bound=RunContext)


@contextmanager
def held_lease(context: C, job: str, *, ttl_s: int = TTL_S, wait_s: int = 0) -> Iterator[C]:
    """Take the job's lease and yield the context with it; give it back at the end.

    The lease of a process of this machine that is dead is taken over at once; any other, also one of before a reboot,
    when it expires. ``wait_s``: so long it is asked for again and again while another run has it.
    Raises: Unavailable ``lease_held``, naming the holder; Stopped; Halted ``job_halted``.
    """
    conn = context.conn
    require_not_halted(conn, job)
    host, pid = this_machine(), os.getpid()
    holder = Holder(name=f"{socket.gethostname()} process {pid}", host=host, pid=pid, pid_started=_started(pid) or 0)
    # From before it is taken until after it is given back, so that no wish to end comes between.
    with context.cancel.working():
        lease = HeldLease(job, _awaited(context, job, holder, ttl_s, time.monotonic() + wait_s), ttl_s)
        try:
            yield replace(context, lease=lease)
        finally:
            _give_back(conn, lease)


def _awaited(context: RunContext, job: str, holder: Holder, ttl_s: int, deadline: float) -> int:
    """The token, once the lease is free. Raises: as ``held_lease``."""
    while True:
        try:
            dead_token = _dead_token(context.conn, job, holder.host)
            return acquire_lease(context.conn, job, holder, ttl_s, dead_token=dead_token)
        except Unavailable as error:
            # Locked: the holder is in a transaction of its own, and longer than this session waits for a lock.
            if error.code not in ("lease_held", "database_locked") or time.monotonic() >= deadline:
                raise
        context.cancel.wait(POLL_S)


def this_machine() -> str:
    """Where a process can be seen to be dead: this boot of this machine, and in it this set of process ids.

    A name is not enough. Two machines that were cloned may both be called `debian`, two containers `bo-engine`; each
    would take the other's lease for that of a dead process.
    """
    known = [socket.gethostname()]
    with suppress(OSError):
        known += [_BOOT_ID.read_text().strip(), str(_PROCESS_IDS.readlink())]
    return " ".join(known)


def _give_back(conn: Conn, lease: HeldLease) -> None:
    # A database that is gone releases nothing; the next run on this host sees that we are dead.
    try:
        release_lease(conn, lease.job, lease.token)
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
