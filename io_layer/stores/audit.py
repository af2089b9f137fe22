"""The audit log: append-only and hash-chained by the database itself. No personal data."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import args_row
from psycopg.types.json import Jsonb

from bo_engine.errors import InvariantBroken
from bo_engine.redaction import each_text, told
from bo_engine.units import DayId, Hash32, Wallet
from io_layer.postgres.connection import Conn


class AuditRow(NamedTuple):
    """One row of audit_log."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    day_id: DayId | None
    details: Mapping[str, Any]
    hash: Hash32


INSERT_AUDIT = """
    INSERT INTO audit_log (actor, action, day_id, details) VALUES (%(actor)s, %(action)s, %(day_id)s, %(details)s)
    RETURNING audit_id
"""


def insert_audit(
    conn: Conn, *, actor: str, action: str, day_id: DayId | None = None, details: Mapping[str, Any] | None = None
) -> int:
    """Append a row in the transaction of the fact it tells; its id. Amounts in ``details`` are decimal strings."""
    given = {
        "actor": told(actor),
        "action": action,
        "day_id": day_id,
        "details": Jsonb(each_text(dict(details or {}), told)),
    }
    row = conn.execute(INSERT_AUDIT, given).fetchone()
    return int(row[0]) if row else 0


SELECT_AUDIT = """
    SELECT audit_id, at, actor, action, day_id, details, hash FROM audit_log
     WHERE day_id IS NOT DISTINCT FROM %(day_id)s OR %(day_id)s IS NULL ORDER BY audit_id
"""


def select_audit(conn: Conn, day_id: DayId | None = None) -> list[AuditRow]:
    """The rows of a day, or all, oldest first."""
    with conn.cursor(row_factory=args_row(AuditRow)) as cur:
        return cur.execute(SELECT_AUDIT, {"day_id": day_id}).fetchall()


SELECT_HAS_AUDIT = """
    SELECT EXISTS (SELECT FROM audit_log WHERE action = %(action)s AND details @> %(details)s)
"""


def has_audit(conn: Conn, action: str, details: Mapping[str, Any]) -> bool:
    """Whether the log tells this already."""
    row = conn.execute(SELECT_HAS_AUDIT, {"action": action, "details": Jsonb(dict(details))}).fetchone()
    return bool(row and row[0])


SELECT_KNOWN_NONCE = """
    SELECT coalesce(max((details ->> 'settler_nonce')::bigint), 0) FROM audit_log
     WHERE details ->> 'settler' = %(settler)s
"""


def select_known_nonce(conn: Conn, settler: Wallet) -> int:
    """Below this nonce every transaction of the key was looked at, by the engine or by a person."""
    row = conn.execute(SELECT_KNOWN_NONCE, {"settler": settler}).fetchone()
    return int(row[0]) if row else 0


# Recomputed by the same function that wrote it, in one pass; ids are gapless, so a missing row shows as well.
SELECT_BROKEN = """
    SELECT audit_id FROM (
        SELECT audit_id, prev_hash, hash, at, actor, action, day_id, details,
               lag(hash, 1, decode(repeat('00', 32), 'hex')::hash32) OVER (ORDER BY audit_id) AS want_prev,
               row_number() OVER (ORDER BY audit_id) AS want_id
          FROM audit_log) AS a
     WHERE audit_id <> want_id OR prev_hash <> want_prev
        OR hash <> audit_hash(prev_hash, audit_id, at, actor, action, day_id, details)
     ORDER BY audit_id LIMIT 1
"""


def check_audit_chain(conn: Conn) -> int:
    """The number of rows of an unbroken chain. Raises: InvariantBroken ``audit_chain_broken`` naming the row."""
    row = conn.execute(SELECT_BROKEN).fetchone()
    if row is not None:
        raise InvariantBroken("audit_chain_broken", f"the audit log is broken at row {row[0]}")
    count = conn.execute("SELECT count(*) FROM audit_log").fetchone()
    return int(count[0]) if count else 0
