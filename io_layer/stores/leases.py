"""Leases: one holder per job over all hosts, by the database's clock. The token grows with each acquisition."""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.errors import InvariantBroken, Unavailable
from io_layer.postgres.connection import Conn


class Holder(NamedTuple):
    """Who asks for a lease."""

    name: str  # as people read it: host, process, command
    host: str
    pid: int
    pid_started: int  # start time of the process, so that a reused pid is not taken for the holder


class Lease(NamedTuple):
    """One row of job_leases; ``holder`` is None when nobody holds it."""

    job: str
    holder: str | None
    token: int
    expires_at: datetime
    host: str | None
    pid: int | None
    pid_started: int | None
    is_expired: bool
    is_damaged: bool  # no acquisition of ours could have left the row so


SELECT_LEASE = """
    SELECT job, holder, token, least(greatest(expires_at, 'epoch'), '9999-01-01Z'), host, pid, pid_started,
           expires_at <= clock_timestamp(),
           expires_at > clock_timestamp() + interval '1 day' OR token >= 4611686018427387904
      FROM job_leases WHERE job = %(job)s
"""


def select_lease(conn: Conn, job: str) -> Lease | None:
    """The job's row, or None if it never ran."""
    with conn.cursor(row_factory=args_row(Lease)) as cur:
        return cur.execute(SELECT_LEASE, {"job": job}).fetchone()


ACQUIRE_LEASE = """
    INSERT INTO job_leases AS l (job, holder, token, expires_at, host, pid, pid_started, acquired_at)
    VALUES (%(job)s, %(name)s, 1, clock_timestamp() + make_interval(secs => %(ttl_s)s), %(host)s, %(pid)s,
            %(pid_started)s, clock_timestamp())
        ON CONFLICT (job) DO UPDATE
       SET holder = excluded.holder, token = l.token + 1, expires_at = excluded.expires_at, host = excluded.host,
           pid = excluded.pid, pid_started = excluded.pid_started, acquired_at = excluded.acquired_at
     WHERE (l.holder IS NULL OR l.expires_at <= clock_timestamp() OR l.token = %(dead_token)s)
       AND l.token < 4611686018427387904
    RETURNING token
"""


def acquire_lease(conn: Conn, job: str, holder: Holder, ttl_s: int, *, dead_token: int | None = None) -> int:
    """Take the lease and return its token: when it is free, expired, or held under ``dead_token``.

    ``dead_token``: the caller has seen that the holder of this very token is a dead process of the same host.
    Raises: Unavailable ``lease_held``, naming the holder; InvariantBroken ``lease_damaged``.
    """
    given = {"job": job, "ttl_s": ttl_s, "dead_token": dead_token, **holder._asdict()}
    row = conn.execute(ACQUIRE_LEASE, given).fetchone()
    if row is None:
        lease = select_lease(conn, job)
        if lease is not None and lease.is_damaged:
            raise InvariantBroken(
                "lease_damaged",
                f"the lease of job {job} runs to {lease.expires_at:%Y-%m-%d} under token {lease.token}: this engine "
                "never wrote that; find out who did, then set the row right as docs/operations.md says",
            )
        held_by = lease.holder if lease is not None and lease.holder else "another process"
        raise Unavailable("lease_held", f"job {job} is held by {held_by}")
    return int(row[0])


RENEW_LEASE = """
    UPDATE job_leases SET expires_at = clock_timestamp() + make_interval(secs => %(ttl_s)s)
     WHERE job = %(job)s AND token = %(token)s AND holder IS NOT NULL
"""


def renew_lease(conn: Conn, job: str, token: int, ttl_s: int) -> None:
    """Hold it longer. Raises: Unavailable ``lease_lost`` when somebody else has it."""
    if conn.execute(RENEW_LEASE, {"job": job, "token": token, "ttl_s": ttl_s}).rowcount != 1:
        raise Unavailable("lease_lost", f"the lease of job {job} was taken over")


RELEASE_LEASE = """
    UPDATE job_leases SET holder = NULL, host = NULL, pid = NULL, pid_started = NULL, expires_at = clock_timestamp()
     WHERE job = %(job)s AND token = %(token)s AND holder IS NOT NULL
"""


def release_lease(conn: Conn, job: str, token: int) -> bool:
    """Give it back. False when it is not ours any more."""
    return conn.execute(RELEASE_LEASE, {"job": job, "token": token}).rowcount == 1


# FOR KEY SHARE: a thief changes the token, which is part of a key, and waits until our transaction ends;
# our own renewal on another connection changes no key and does not wait.
GUARD_LEASE = """
    SELECT (SELECT h.reason FROM job_halts AS h WHERE h.job IN (l.job, '*') ORDER BY h.job DESC LIMIT 1)
      FROM job_leases AS l WHERE l.job = %(job)s AND l.token = %(token)s AND l.holder IS NOT NULL FOR KEY SHARE OF l
"""


def guard_lease(conn: Conn, job: str, token: int) -> str | None:
    """Fence the running transaction: it commits only if the lease is ours, and nobody can take it before that.

    Returns why a person has stopped the job, or None. Raises: Unavailable ``lease_lost``.
    """
    row = conn.execute(GUARD_LEASE, {"job": job, "token": token}).fetchone()
    if row is None:
        raise Unavailable("lease_lost", f"the lease of job {job} was taken over")
    reason: str | None = row[0]
    return reason
