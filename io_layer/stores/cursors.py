"""Cursors over the chain: the last block whose events are stored, or on which anything was done, with its hash, so that
a reorg is noticed."""

from collections.abc import Sequence
from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.errors import Unavailable
from bo_engine.units import Hash32
from io_layer.postgres.connection import Conn


class EventCursor(NamedTuple):
    """One row of event_cursors."""

    name: str
    block_number: int
    block_hash: Hash32


SELECT_CURSOR = "SELECT name, block_number, block_hash FROM event_cursors WHERE name = %(name)s"


def select_cursor(conn: Conn, name: str) -> EventCursor | None:
    """The cursor, or None before the first page."""
    with conn.cursor(row_factory=args_row(EventCursor)) as cur:
        return cur.execute(SELECT_CURSOR, {"name": name}).fetchone()


INSERT_CURSOR = """
    INSERT INTO event_cursors (name, block_number, block_hash) VALUES (%(name)s, %(block_number)s, %(block_hash)s)
        ON CONFLICT (name) DO NOTHING
"""
MOVE_CURSOR = """
    UPDATE event_cursors SET block_number = %(block_number)s, block_hash = %(block_hash)s, updated_at = now()
     WHERE name = %(name)s AND block_number = %(expected_number)s AND block_hash = %(expected_hash)s
"""


def move_cursor(conn: Conn, name: str, expected: EventCursor | None, block_number: int, block_hash: Hash32) -> None:
    """Move on (or back, after a reorg) from where it was read, by compare-and-set.

    Call it in the transaction that stores the page's events: the error takes them back.
    Raises: Unavailable ``cursor_moved`` when somebody else has moved, made or removed it.
    """
    given = {"name": name, "block_number": block_number, "block_hash": block_hash}
    if expected is None:
        moved = conn.execute(INSERT_CURSOR, given).rowcount
    else:
        expectation = {"expected_number": expected.block_number, "expected_hash": expected.block_hash}
        moved = conn.execute(MOVE_CURSOR, {**given, **expectation}).rowcount
    if moved != 1:
        raise Unavailable(
            "cursor_moved",
            f"somebody has moved the cursor {name} since this run read it: what it has read up to block "
            f"{block_number} is not stored; the next run reads it anew",
        )


MOVE_CURSOR_ON = """
    INSERT INTO event_cursors (name, block_number, block_hash) VALUES (%(name)s, %(block_number)s, %(block_hash)s)
        ON CONFLICT (name) DO UPDATE
       SET block_number = excluded.block_number, block_hash = excluded.block_hash, updated_at = now()
     WHERE event_cursors.block_number < excluded.block_number
"""


def move_cursor_on(conn: Conn, name: str, block_number: int, block_hash: Hash32) -> None:
    """Move to a later block, wherever it stands; never back."""
    conn.execute(MOVE_CURSOR_ON, {"name": name, "block_number": block_number, "block_hash": block_hash})


DELETE_CURSORS = "DELETE FROM event_cursors WHERE name = ANY(%(names)s)"


def delete_cursors(conn: Conn, names: Sequence[str]) -> None:
    """Begin anew."""
    conn.execute(DELETE_CURSORS, {"names": list(names)})
