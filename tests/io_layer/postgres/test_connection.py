"""The connection: exact numbers, time limits, errors with codes and without secrets."""

import re
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from bo_engine.errors import EngineError, InvariantBroken, Unavailable, UsageError
from io_layer.postgres.connection import Conn, check_server_version, connect, migrate, migration_status, refuse_writes
from io_layer.postgres.errors import translate, translate_connect
from io_layer.postgres.schema import MIGRATION_LOCK, MIGRATIONS, migration_ids
from local_world.postgres import PostgresServer, start_postgres
from tests.io_layer.conftest import run_as_owner
from tests.io_layer.lottery.stores.builders import refused

BIG = 2**256 - 1


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("value", [0, 1, 9_999, 10_000, 10_001, 10**8, 123_456_789_012_345, 10**40, BIG, -7, -(10**20)])
def test_numerics_arrive_as_exact_ints(conn: Conn, value: int, binary: bool) -> None:
    row = conn.execute("SELECT %(value)s::numeric", {"value": Decimal(value)}, binary=binary).fetchone()
    assert row is not None
    assert row[0] == value
    assert type(row[0]) is int


@pytest.mark.parametrize("binary", [False, True])
def test_a_whole_number_with_zero_decimals_is_still_whole(conn: Conn, binary: bool) -> None:
    row = conn.execute("SELECT 12.00::numeric, 0.00::numeric", binary=binary).fetchone()
    assert row == (12, 0)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("text", ["0.5", "1.000001", "10000.0001", "0.00000001", "'NaN'", "'Infinity'"])
def test_a_fraction_is_refused_and_never_rounded(conn: Conn, text: str, binary: bool) -> None:
    with pytest.raises(InvariantBroken, match="fraction_in_database"):
        conn.execute(f"SELECT {text}::numeric", binary=binary).fetchone()


def test_a_fraction_negative_or_too_large_amount_is_no_atoms(conn: Conn) -> None:
    for text, code in (("0.5", "atoms_are_whole"), ("-1", "atoms_in_range"), (str(BIG + 1), "atoms_in_range")):
        with refused(conn, code):
            conn.execute("SELECT %(text)s::text::numeric::atoms", {"text": text})


@pytest.mark.parametrize("text", ["0x" + "AB" * 20, "0x" + "ab" * 19, "ab" * 20, "0x" + "zz" * 20, ""])
def test_a_wallet_that_is_no_lower_case_address_is_refused(conn: Conn, text: str) -> None:
    with refused(conn, "wallet_is_lower_hex"):
        conn.execute("SELECT %(text)s::text::wallet", {"text": text})


def test_wallets_sort_as_bytes_in_any_locale(conn: Conn) -> None:
    rows = conn.execute("SELECT w FROM unnest(ARRAY['0x' || repeat('a', 40), '0x' || repeat('9', 40)]::wallet[]) AS w "
                        "ORDER BY w").fetchall()  # fmt: skip
    assert [row[0][2] for row in rows] == ["9", "a"]


def test_the_session_has_time_limits_utc_and_a_name(postgres_url: str) -> None:
    with connect(postgres_url, application_name="bo-engine settle") as conn:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        shown = [conn.execute(f"SHOW {name}").fetchone() for name in (*names, "application_name")]
    assert [row[0] for row in shown if row] == ["10s", "10min", "2min", "UTC", "bo-engine settle"]


def test_the_session_keeps_options_of_the_url(postgres_url: str) -> None:
    with connect(f"{postgres_url}&options=-c%20work_mem%3D7MB", application_name="test") as conn:
        row = conn.execute("SHOW work_mem").fetchone()
    assert row == ("7MB",)


def test_an_unreachable_server_is_tried_again_and_tells_no_secret() -> None:
    with pytest.raises(Unavailable) as caught:
        connect("postgresql://user:s3cret@127.0.0.1:1/db", application_name="test", connect_timeout_s=2)
    assert caught.value.code == "database_unreachable"
    _assert_silent(caught.value)


def test_a_url_that_cannot_be_read_is_a_setting_and_tells_no_secret() -> None:
    with pytest.raises(UsageError) as caught:
        connect("postgresql://user:s3cret@host:port:port/db?nonsense", application_name="test")
    assert caught.value.code == "bad_database_url"
    _assert_silent(caught.value)


def test_an_unknown_database_is_a_setting(postgres_server: PostgresServer) -> None:
    with pytest.raises(UsageError, match="database_refused"):
        connect(postgres_server.url_of("nowhere"), application_name="test")


def test_a_lock_held_by_a_human_is_tried_again_later(postgres_url: str, other: Conn) -> None:
    with connect(postgres_url, application_name="human") as human, human.transaction():
        human.execute("LOCK TABLE event_cursors")
        with pytest.raises(Unavailable, match="database_locked"):
            other.execute("SELECT name FROM event_cursors")


def test_a_slow_statement_is_cut_off(postgres_url: str) -> None:
    with (
        connect(postgres_url, application_name="test", statement_timeout_ms=50) as conn,
        pytest.raises(Unavailable, match="database_timeout"),
    ):
        conn.execute("SELECT pg_sleep(5)")


def test_a_lost_connection_is_tried_again(postgres_url: str, other: Conn) -> None:
    conn = connect(postgres_url, application_name="victim")
    other.execute("SELECT pg_terminate_backend(%(pid)s)", {"pid": conn.info.backend_pid})
    for _ in range(2):  # the first statement notices, the second finds the connection closed
        with pytest.raises(Unavailable, match="database_unreachable"):
            conn.execute("SELECT 1")


def test_a_conflict_of_two_transactions_is_tried_again(postgres_url: str, other: Conn) -> None:
    with connect(postgres_url, application_name="test") as conn:
        conn.execute("INSERT INTO event_cursors (name, block_number, block_hash) "
                     "VALUES ('c', 1, decode(repeat('00', 32), 'hex'))")  # fmt: skip
        with pytest.raises(Unavailable, match="database_conflict"), conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            conn.execute("SELECT block_number FROM event_cursors")
            other.execute("UPDATE event_cursors SET block_number = 2")
            conn.execute("UPDATE event_cursors SET block_number = 3")
        conn.execute("DELETE FROM event_cursors")


def test_a_read_only_database_is_tried_again(postgres_url: str) -> None:
    with (
        connect(f"{postgres_url}&options=-c%20default_transaction_read_only%3Don", application_name="t") as conn,
        pytest.raises(Unavailable, match="database_read_only"),
    ):
        conn.execute("DELETE FROM event_cursors")


def test_a_connection_that_refuses_writes_reads_and_keeps_no_transaction_open(postgres_url: str) -> None:
    plant = "INSERT INTO schema_versions (migration_id) VALUES ('9999_never')"
    with connect(postgres_url, application_name="test") as conn:
        refuse_writes(conn)
        writes: list[Callable[[], object]] = [
            lambda: conn.execute(plant),
            lambda: conn.cursor(row_factory=dict_row).execute(plant),
            lambda: conn.cursor().executemany("DELETE FROM schema_versions WHERE migration_id = %s", [("x",), ("y",)]),
            lambda: conn.execute("SELECT nextval('outbox_message_id_seq')"),
        ]
        for write in writes:
            with pytest.raises(Unavailable, match="database_read_only"):
                write()
            with pytest.raises(Unavailable, match="database_read_only"), conn.transaction():
                write()
            assert conn.info.transaction_status == TransactionStatus.IDLE
        assert conn.execute("SELECT 1").fetchall() == [(1,)]
        assert conn.info.transaction_status == TransactionStatus.IDLE
        # Nothing is left in the session: a pooler may lend it to somebody else next.
        assert conn.execute("SHOW default_transaction_read_only").fetchone() == ("off",)


def test_a_server_below_16_is_refused() -> None:
    old = cast(Conn, SimpleNamespace(info=SimpleNamespace(server_version=150_018)))
    with pytest.raises(UsageError, match=r"postgres_too_old.*15"):
        check_server_version(old)


def test_a_database_without_schema_is_refused_until_migrated(empty_url: str) -> None:
    with pytest.raises(UsageError, match="schema_outdated"):
        connect(empty_url, application_name="test")
    assert migration_status(empty_url).pending == migration_ids()
    assert migrate(empty_url) == migration_ids()
    assert migrate(empty_url) == ()
    assert migration_status(empty_url).is_current
    connect(empty_url, application_name="test").close()


def test_a_schema_newer_than_the_engine_is_refused(empty_url: str) -> None:
    migrate(empty_url)
    with connect(empty_url, application_name="test") as conn:
        conn.execute("INSERT INTO schema_versions (migration_id) VALUES ('9999_future')")
    with pytest.raises(UsageError, match="engine_outdated"):
        connect(empty_url, application_name="test")
    with pytest.raises(UsageError, match="engine_outdated"):
        migrate(empty_url)


def test_a_kill_between_a_migration_and_its_mark_is_repaired(empty_url: str) -> None:
    migrate(empty_url)
    with connect(empty_url, application_name="test") as conn:
        conn.execute("DELETE FROM _yoyo_migration WHERE migration_id >= '0004'")
        conn.execute("DROP TABLE schema_versions")
        conn.execute(
            "CREATE TABLE schema_versions (migration_id text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
        )
        conn.execute("INSERT INTO schema_versions SELECT unnest(%(ids)s::text[])", {"ids": list(migration_ids()[:-1])})
        conn.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    assert migrate(empty_url) == migration_ids()[-1:]


def test_a_failing_migration_leaves_nothing_behind(empty_url: str) -> None:
    with connect(empty_url, application_name="test", check_version=False) as conn:
        conn.execute("CREATE TABLE users (wallet text)")
    with pytest.raises(EngineError, match="0002_tickets failed"):
        migrate(empty_url)
    assert migration_status(empty_url).applied == migration_ids()[:2]
    with connect(empty_url, application_name="test", check_version=False) as conn:
        assert conn.execute("SELECT to_regclass('push_subscriptions')").fetchone() == (None,)


def test_several_databases_of_a_cluster_migrate_at_the_same_time(tmp_path: Path) -> None:
    server = start_postgres(tmp_path)  # of its own, because here the roles must not exist yet
    done: list[tuple[str, ...]] = []
    try:
        names = ["together_1", "together_2", "together_3"]
        for name in names:
            run_as_owner(server, f"CREATE DATABASE {name}")
        urls = [server.url_of(name) for name in names]
        threads = [threading.Thread(target=lambda url=url: done.append(migrate(url))) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        server.stop()
    assert done == [migration_ids()] * 3


def test_only_one_session_migrates_a_database(empty_url: str) -> None:
    with connect(empty_url, application_name="first", check_version=False) as first:
        first.execute("SELECT pg_advisory_lock(%(lock)s)", {"lock": MIGRATION_LOCK})
        with pytest.raises(Unavailable, match="migration_running"):
            migrate(empty_url)


def test_each_migration_records_itself_and_holds_no_percent_sign() -> None:
    for path in MIGRATIONS.glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        assert text.splitlines()[-1].startswith("INSERT INTO schema_versions (migration_id)")
        assert text.splitlines()[-1].endswith(f"VALUES ('{path.stem}');")
        assert "%" not in text, path.name


def test_every_table_is_explained(conn: Conn) -> None:
    rows = conn.execute(
        "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') "
        "AND c.relname !~ 'yoyo' AND obj_description(c.oid, 'pg_class') IS NULL"
    ).fetchall()
    assert rows == []


def test_messages_of_unexpected_driver_errors_repeat_no_row() -> None:
    expected = {
        psycopg.errors.InsufficientPrivilege: "database_forbidden",
        psycopg.errors.UndefinedTable: "schema_outdated",
        psycopg.errors.NumericValueOutOfRange: "bad_value",
        psycopg.errors.InternalError_: "database_error",
        psycopg.errors.DiskFull: "database_full",
        psycopg.errors.TooManyConnections: "database_busy",
    }
    for kind, code in expected.items():
        translated = translate(kind("secret row"))
        assert translated.code == code
        assert "secret" not in str(translated)
    busy = cast(Any, psycopg.OperationalError("FATAL: sorry, too many clients already"))
    assert translate_connect(busy).code == "database_busy"


def _assert_silent(error: EngineError) -> None:
    assert not re.search("s3cret|127.0.0.1|postgresql://", str(error))
    assert error.__cause__ is None
