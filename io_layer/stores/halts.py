"""Jobs that a person has stopped. Every fenced transaction of a lease looks here, too (leases)."""

from datetime import datetime
from typing import Final, NamedTuple

from psycopg.rows import args_row

from bo_engine.redaction import told
from io_layer.postgres.connection import Conn

ALL: Final = "*"


class Halt(NamedTuple):
    """One row of job_halts; ``job`` is ``*`` for all."""

    job: str
    reason: str
    halted_by: str
    halted_at: datetime


SELECT_HALTS = 'SELECT job, reason, halted_by, halted_at FROM job_halts ORDER BY job COLLATE "C"'


def select_halts(conn: Conn) -> list[Halt]:
    """All that is stopped; ``*`` first."""
    with conn.cursor(row_factory=args_row(Halt)) as cur:
        return cur.execute(SELECT_HALTS).fetchall()


SELECT_HALT = """
    SELECT job, reason, halted_by, halted_at FROM job_halts WHERE job IN (%(job)s, '*') ORDER BY job DESC LIMIT 1
"""


def select_halt(conn: Conn, job: str) -> Halt | None:
    """What stops this job, its own halt before that of all; None if it may run."""
    with conn.cursor(row_factory=args_row(Halt)) as cur:
        return cur.execute(SELECT_HALT, {"job": job}).fetchone()


INSERT_HALT = """
    INSERT INTO job_halts (job, reason, halted_by) VALUES (%(job)s, %(reason)s, %(by)s) ON CONFLICT (job) DO NOTHING
"""


def insert_halt(conn: Conn, job: str, reason: str, by: str) -> bool:
    """Stop it. False when it is stopped already; then the first reason stays. Write the audit row beside it."""
    return conn.execute(INSERT_HALT, {"job": job, "reason": told(reason), "by": told(by)}).rowcount == 1


DELETE_HALT = "DELETE FROM job_halts WHERE job = %(job)s"


def delete_halt(conn: Conn, job: str) -> bool:
    """Let it go on. False when it was not stopped. Write the audit row beside it."""
    return conn.execute(DELETE_HALT, {"job": job}).rowcount == 1
