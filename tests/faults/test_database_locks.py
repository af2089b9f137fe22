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

import services.lottery.context
from bo_engine.errors import EngineError
from bo_engine.units import DayId
from io_layer.postgres.connection import Conn, connect
from local_world.databases import with_database
from tests.invariants.checker import check_invariants
from tests.support.commands import wait_until
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.observed import event_count, pipeline, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld
from tests.support.shop import opened_shop

pytestmark = [pytest.mark.world, pytest.mark.slow]

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

    monkeypatch.setattr(services.lottery.context, "connect", impatient)


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


@pytest.mark.parametrize(
    "table", [pytest.param("settlement_runs", marks=pytest.mark.slow), "chain_transaction_attempts"]
)
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
    with played.context() as context:
        assert context.conn.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    finishes(played, run_hash, nonce)


def test_nobody_outside_is_asked_while_a_transaction_is_open(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen at the real doors: each HTTP request of a settled night, and the state of the engine's sessions then."""
    sessions: list[Conn] = []
    asked: list[str] = []
    real_connect, real_send = services.lottery.context.connect, http.client.HTTPConnection.send

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
    monkeypatch.setattr(services.lottery.context, "connect", watched)
    monkeypatch.setattr(http.client.HTTPConnection, "send", send)
    played.settle_through()
    day = DayId(played.day + 1)
    played.sell(day)
    played.close(day)  # recover-intents and refresh-seeds
    assert (asked, len(sessions) >= 4, len(count) > 100) == ([], True, True)


# -- D09 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        "settlement_runs",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("job_leases", "tickets", "audit_log")),
    ],
)
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


# -- finding 6: what the App's login can hold --------------------------------------------------------------------------


def test_nothing_that_the_apps_login_can_lock_delays_settling(played: PlayedWorld) -> None:
    """Session locks on every number that the engine ever used, rows and tables as far as its rights go."""
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    with somebody(played, app_url(played)) as app:
        assert app.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10s",)
        app.execute("SELECT pg_advisory_lock(16975, %s), pg_advisory_lock(16962, 0)", [played.day])
        app.execute("SELECT FROM buy_intents FOR UPDATE")
        app.execute("LOCK TABLE users, push_subscriptions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute("SELECT FROM engine_locks FOR UPDATE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute("SELECT lock_day(%s, true)", [played.day])
        started = time.monotonic()
        finishes(played, run_hash, nonce)
        assert time.monotonic() - started < 20


def test_purchases_come_home_while_the_app_holds_their_intents_and_the_intents_follow(played: PlayedWorld) -> None:
    with opened_shop(played) as shop:
        locked, free = shop.submit(shop.order()), shop.submit(shop.order())
        created, permit, signature = shop.sign(shop.order())
        with somebody(played, app_url(played)) as app, somebody(played, app_url(played)) as squatter:
            app.execute("SELECT FROM buy_intents WHERE intent_id = %s FOR UPDATE", [locked])
            # The buyer and nonce of a purchase that no intent knows, in a transaction that never ends.
            with played.context() as context:
                context.conn.execute("DELETE FROM buy_intents WHERE intent_id = %s", [created])
            shop.send(permit, signature)
            played.chain.finalize()
            columns = "buyer, day_id, pool_id, paid_tips, voucher_tips, gas_cost, deadline, nonce, tips"
            squatter.execute(
                f"INSERT INTO buy_intents ({columns}) VALUES (%s, %s, 0, 1, 0, 0, 1, %s, %s)".encode(),  # noqa: S608
                [permit.buyer, permit.day_id, permit.nonce, permit.tips],
            )
            started = time.monotonic()
            done = played.cli("recover-intents", "--json")
            assert (done.code, json.loads(done.stdout)["error"]) == (75, "intents_locked")
            assert time.monotonic() - started < 15
            day = f"SELECT count(*) FROM tickets WHERE is_final AND day_id = {shop.day}"  # noqa: S608
            assert rows(played, day) == [(3,)]
        assert played.cli("recover-intents").code == 0
        assert {shop.intent(one).status for one in (locked, free)} == {"FINAL"}
        assert rows(played, "SELECT count(*) FROM tickets t LEFT JOIN buy_intents i USING (ticket_id) "
                            "WHERE i.status IS DISTINCT FROM 'FINAL'") == [(0,)]  # fmt: skip
    check_invariants(played)


# -- finding 7: a thousand intents that never end ----------------------------------------------------------------------

FLOOD = """
    INSERT INTO buy_intents (status, buyer, day_id, pool_id, paid_tips, voucher_tips, gas_cost, deadline, nonce, tips,
                             signature, tx_hash, updated_at)
    SELECT 'SUBMITTED', '0x' || repeat('ab', 20), %(day)s, 0, 1, 0, 0, 9223372036854775807, decode(md5(n::text), 'hex'),
           decode('000000000000003f', 'hex'), '\\x01', sha256(n::text::bytea), '2020-01-01'
      FROM generate_series(1, %(count)s) AS n
"""


def test_intents_that_never_end_let_the_others_have_their_turn(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is smaller here; the order is what counts."""
    monkeypatch.setattr("services.lottery.purchases.recover._BATCH", 20)
    with opened_shop(played) as shop:
        played.tamper(FLOOD, day=2_000_000, count=20)
        reverted = shop.submit(shop.order(equipped=False))
        played.chain.finalize()
        runs = 0
        while shop.intent(reverted).status == "SUBMITTED":
            runs += 1
            assert runs <= 2, "starved"
            with played.context() as context:
                recover_intents(context)
        assert shop.intent(reverted).status == "FAILED"
        assert rows(played, "SELECT count(*) FROM buy_intents WHERE day_id = 2000000 AND status = 'SUBMITTED'") == [
            (20,)
        ]


def test_an_intent_ends_with_its_day_whatever_deadline_it_names(played: PlayedWorld) -> None:
    """A permit buys on its own day only."""
    played.tamper(FLOOD, day=played.day, count=3)
    with played.context() as context:
        assert recover_intents(context).expired == 3
        assert refresh_seeds(context).waiting == []
