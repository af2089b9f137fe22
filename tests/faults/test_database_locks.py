"""Locks of others: a deadlock (D03), a person with an open ALTER TABLE (D09), an App that holds what it can (finding
6). Each costs a bounded time and exit 75; no effect is lost or doubled, and none was possible while a transaction was
open."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

import services.engine
from bo_engine.errors import EngineError
from bo_engine.units import DayId
from io_layer.database import Conn, connect
from local_world.databases import with_database
from tests.invariants.checker import check_invariants
from tests.support.commands import wait_until
from tests.support.observed import event_count, pipeline, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@contextmanager
def somebody(played: PlayedWorld, url: str | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A session with an open transaction: a person's, or the App's."""
    with psycopg.connect(url or played.env["MIGRATION_DATABASE_URL"]) as conn:
        yield conn
        conn.rollback()


def app_url(played: PlayedWorld) -> str:
    """The App's own login."""
    return with_database(played.world.database.app_url, played.database_name, user=None)


def patience(monkeypatch: pytest.MonkeyPatch, lock_timeout_ms: int) -> None:
    """The engine's own connection with another patience: the same code in less time."""
    real = connect

    def impatient(url: str, **given: Any) -> Conn:
        return real(url, **{**given, "lock_timeout_ms": lock_timeout_ms})

    monkeypatch.setattr(services.engine, "connect", impatient)


def in_background(work: Callable[[], object]) -> tuple[threading.Thread, list[EngineError]]:
    """Run the work; its error, when it has ended."""
    errors: list[EngineError] = []

    def run() -> None:
        try:
            work()
        except EngineError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def finishes(played: PlayedWorld, run_hash: str, nonce: int) -> None:
    """The next ticks settle the day with the same result, once."""
    outcome = played.settle_through()
    assert (outcome.status, outcome.run_hash, settler_nonce(played)) == ("DONE", run_hash, nonce + 2)
    assert [event_count(played, name) for name in ("DayCommitted", "DayReleased")] == [1, 1]
    check_invariants(played)


# -- D03 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["settlement_runs", "chain_transaction_attempts"])
def test_a_deadlock_costs_a_tick_and_no_effect(played: PlayedWorld, table: str) -> None:
    """A real one: the engine holds its lease and wants the table, the other holds the table and wants the lease."""
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    with somebody(played) as human, psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as looker:
        human.execute("SET deadlock_timeout = '60s'")  # so that the engine is the one that PostgreSQL ends
        human.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        thread, errors = in_background(played.settle)
        wait_until(lambda: looker.execute(WAITING.encode()).fetchone() == (1,), "the engine at the table")
        human.execute("SELECT FROM job_leases WHERE job = 'settle' FOR UPDATE")
        human.rollback()
        thread.join(60)
    (error,) = errors
    assert (error.code, error.exit_code) == ("database_conflict", 75)
    row = pipeline(played)
    assert row is not None
    assert (row.status, settler_nonce(played)) == ("WAITING", nonce)
    finishes(played, run_hash, nonce)


def test_a_database_whose_default_is_serializable_makes_no_difference(played: PlayedWorld) -> None:
    """The engine's transactions rely on seeing what the holder of a lock has committed, and say so themselves."""
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    name = played.database_name
    played.run_as_admin(
        psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'").format(
            psycopg.sql.Identifier(name)
        )
    )
    with played.engine() as engine:
        assert engine.conn.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    finishes(played, run_hash, nonce)


def test_nobody_outside_is_asked_while_a_transaction_is_open(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen at the real doors: each HTTP request of a settled night, and the state of the engine's sessions then."""
    sessions: list[Conn] = []
    asked: list[str] = []
    real_connect, real_send = services.engine.connect, http.client.HTTPConnection.send

    def watched(url: str, **given: Any) -> Conn:
        sessions.append(real_connect(url, **given))
        return sessions[-1]

    def send(self: http.client.HTTPConnection, data: Any) -> None:
        asked.extend(
            session.pgconn.transaction_status.name
            for session in sessions
            if not session.closed and session.pgconn.transaction_status != TransactionStatus.IDLE
        )
        count.append(1)
        real_send(self, data)

    count: list[int] = []
    monkeypatch.setattr(services.engine, "connect", watched)
    monkeypatch.setattr(http.client.HTTPConnection, "send", send)
    played.settle_through()
    day = DayId(played.day + 1)
    played.sell(day)
    played.close(day)  # recover-intents and refresh-seeds
    assert (asked, len(sessions) >= 4, len(count) > 100) == ([], True, True)


# -- D09 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["job_leases", "tickets", "settlement_runs", "audit_log"])
def test_an_open_alter_table_ends_every_job_with_75_in_bounded_time(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    patience(monkeypatch, 300)
    with somebody(played) as human:
        human.execute(f"ALTER TABLE {table} ADD COLUMN note text".encode())
        started = time.monotonic()
        with pytest.raises(EngineError) as caught:
            played.settle()
        assert (caught.value.code, caught.value.exit_code) == ("database_locked", 75)
        assert time.monotonic() - started < 20
        assert settler_nonce(played) == nonce
    finishes(played, run_hash, nonce)


@pytest.mark.slow
def test_the_real_limit_ends_the_command_in_bounded_time(played: PlayedWorld) -> None:
    with somebody(played) as human:
        human.execute("ALTER TABLE job_leases ADD COLUMN note text")
        started = time.monotonic()
        done = played.cli("settle", "--json")
        assert (done.code, json.loads(done.stdout)["error"]) == (75, "database_locked")
        assert 9 < time.monotonic() - started < 40
