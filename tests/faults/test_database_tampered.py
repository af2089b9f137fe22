"""A flipped bit in a stored amount, written past all triggers, stops the day; nothing is sent (D13, I12, I13).

The places are not a list of ours: every column of money of every table that holds rows of an approved day is tried.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bo_engine.errors import EngineError
from tests.invariants.checker import check_invariants
from tests.support.kill_world import Moment
from tests.support.observed import pipeline, rows, run_steps, settler_nonce
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

SEED = os.environ.get("KILL_SEED", "1")

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
    "claim_events.amount": "a copy of an event; its sum is compared with the vault",
    "refunds.amount": "a copy of an event; its sum is compared with what ReserveVault has not refunded yet",
    "global_stats": "for the dashboard, computed anew each time",
    "pot_sizes": "for display",
    "settlement_pipeline_runs.void_stake": "of a voided day, of which nothing is settled; a day with steps has none",
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


def try_places(moment: Moment, wanted: list[tuple[str, str, str]], *, challenge_over: bool) -> dict[str, str]:
    """Flip one place after the other, each in a fresh copy of the moment; the code that each ended with."""
    found = {}
    for table, column, kind in wanted:
        played = moment.restored()
        if flip(played, table, column, kind):
            if challenge_over:
                played.pass_challenge()
            found[f"{table}.{column}"] = stops(played, settler_nonce(played), f"{table}.{column}")
    return found


@contextmanager
def moment_after(played: PlayedWorld, *steps: str) -> Iterator[Moment]:
    """The day approved, or committed."""
    if steps:
        run_steps(played, *steps)
    else:
        assert played.settle()[0].run_status == "committed"
    moment = Moment(played)
    try:
        yield moment
    finally:
        moment.forget()


APPROVED = ("export", "affiliates", "compute", "approve")
MOMENTS = [APPROVED, ()]
#: Changed behind the approval without touching what is signed: only the digest of the approved rows tells.
HIDDEN = ("day_inputs.carry", "settlement_pool_results.closing_reserve", "settlement_pool_results.tier_each")


def finishes(moment: Moment) -> None:
    """Without a flipped bit the same moment is settled to its end."""
    played = moment.restored()
    if played.settle()[0].status != "DONE":
        played.pass_challenge()
        assert played.settle()[0].status == "DONE"
    check_invariants(played)


@pytest.mark.parametrize("steps", MOMENTS, ids=["approved", "committed"])
def test_one_atom_more_in_a_stored_amount_stops_the_day(played: PlayedWorld, steps: tuple[str, ...]) -> None:
    with moment_after(played, *steps) as moment:
        every = places(played)
        sample = [place for place in every if f"{place[0]}.{place[1]}" in HIDDEN]
        sample += random.Random(f"{SEED} {steps}").sample([place for place in every if place not in sample], 1)
        found = try_places(moment, sample, challenge_over=not steps)
        assert set(HIDDEN) <= set(found)
        finishes(moment)


@pytest.mark.slow
@pytest.mark.parametrize("steps", MOMENTS, ids=["approved", "committed"])
def test_one_atom_more_in_any_stored_amount_stops_the_day(played: PlayedWorld, steps: tuple[str, ...]) -> None:
    with moment_after(played, *steps) as moment:
        every = places(played)
        found = try_places(moment, every, challenge_over=not steps)
        assert set(found) == {f"{table}.{column}" for table, column, _ in every}
        finishes(moment)
