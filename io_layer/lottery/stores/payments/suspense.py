"""Chain events that could not be matched: kept and shown, never dropped and never free."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from psycopg.rows import args_row
from psycopg.types.json import Jsonb

from bo_engine.redaction import each_text, told
from bo_engine.units import Hash32
from io_layer.postgres.connection import Conn


class SuspenseEvent(NamedTuple):
    """One open row of suspense_events."""

    tx_hash: Hash32
    log_index: int
    kind: str
    reason: str
    payload: Mapping[str, Any]
    block_number: int


INSERT_SUSPENSE = """
    INSERT INTO suspense_events (tx_hash, log_index, kind, reason, payload, block_number)
    VALUES (%(tx_hash)s, %(log_index)s, %(kind)s, %(reason)s, %(payload)s, %(block_number)s)
        ON CONFLICT (tx_hash, log_index) DO NOTHING
"""


def insert_suspense(
    conn: Conn,
    *,
    tx_hash: Hash32,
    log_index: int,
    kind: Literal["purchase", "claim", "refund"],
    reason: str,
    payload: Mapping[str, Any],
    block_number: int,
) -> bool:
    """Keep an event aside. False when it is there already. Amounts in ``payload`` are decimal strings."""
    given = {
        "tx_hash": tx_hash,
        "log_index": log_index,
        "kind": kind,
        "reason": told(reason),
        "payload": Jsonb(each_text(dict(payload), told)),
        "block_number": block_number,
    }
    return conn.execute(INSERT_SUSPENSE, given).rowcount == 1


SELECT_OPEN = """
    SELECT tx_hash, log_index, kind, reason, payload, block_number FROM suspense_events
     WHERE resolved_at IS NULL ORDER BY block_number, log_index
"""


def select_open_suspense(conn: Conn) -> list[SuspenseEvent]:
    """What waits for an answer, oldest first."""
    with conn.cursor(row_factory=args_row(SuspenseEvent)) as cur:
        return cur.execute(SELECT_OPEN).fetchall()


RESOLVE = """
    UPDATE suspense_events SET resolved_at = now(), resolved_by = %(by)s
     WHERE tx_hash = %(tx_hash)s AND log_index = %(log_index)s AND resolved_at IS NULL
"""


def resolve_suspense(conn: Conn, tx_hash: Hash32, log_index: int, by: str) -> bool:
    """Close a row, naming who. False when it was closed before."""
    return conn.execute(RESOLVE, {"tx_hash": tx_hash, "log_index": log_index, "by": told(by)}).rowcount == 1
