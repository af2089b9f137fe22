"""Grants: the App writes its columns and nothing else, the watchdog reads, the engine cannot rewrite history."""

import psycopg
import pytest

from io_layer.lottery.stores.intents import insert_intent
from io_layer.lottery.stores.runs import approve_run, mark_committed, mark_settled
from io_layer.postgres.connection import Conn
from local_world.postgres import PostgresServer
from tests.io_layer.conftest import run_as_owner
from tests.io_layer.lottery.stores.builders import hash_of, refused, store_day, store_run
from tests.io_layer.lottery.stores.test_intents import PERMIT
from tests.support.days import Day


def act_as(conn: Conn, role: str) -> None:
    conn.execute(f"SET LOCAL ROLE {role}")


def test_the_app_creates_signs_and_submits_intents(conn: Conn) -> None:
    act_as(conn, "bo_app")
    insert_intent(conn, PERMIT)
    conn.execute("UPDATE buy_intents SET status = 'SIGNED', signature = 'x'")
    conn.execute("UPDATE buy_intents SET status = 'SUBMITTED', tx_hash = decode(repeat('01', 32), 'hex')")
    row = conn.execute("SELECT status FROM buy_intents").fetchone()
    assert row == ("SUBMITTED",)


@pytest.mark.parametrize("status", ["SEEN", "FINAL", "FAILED", "EXPIRED"])
def test_the_app_does_not_decide_what_the_chain_decides(conn: Conn, status: str) -> None:
    act_as(conn, "bo_app")
    insert_intent(conn, PERMIT)
    with refused(conn, "intent_transition"):
        conn.execute("UPDATE buy_intents SET status = %(status)s", {"status": status})


def test_the_app_writes_users_subscriptions_and_pending_claims(conn: Conn) -> None:
    act_as(conn, "bo_app")
    conn.execute("INSERT INTO users (wallet, email) VALUES ('0x' || repeat('a', 40), 'a@example.org')")
    conn.execute("UPDATE users SET mail_consent = true, locale = 'de'")
    conn.execute("INSERT INTO push_subscriptions (wallet, endpoint, p256dh, auth) "
                 "VALUES ('0x' || repeat('a', 40), 'https://push.example.org/1', 'k', 'a')")  # fmt: skip
    conn.execute("INSERT INTO claims (vault, day_id, account, amount) "
                 "VALUES ('0x' || repeat('b', 40), 1, '0x' || repeat('a', 40), 5)")  # fmt: skip
    with refused(conn, "claims_one_open"):
        conn.execute("INSERT INTO claims (vault, day_id, account, amount) "
                     "VALUES ('0x' || repeat('b', 40), 1, '0x' || repeat('a', 40), 5)")  # fmt: skip
    conn.execute("DELETE FROM users")
    assert conn.execute("SELECT count(*) FROM push_subscriptions").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO buy_intents (status) VALUES ('FINAL')",
        "UPDATE buy_intents SET ticket_id = 1",
        "UPDATE buy_intents SET tips = ''",
        "DELETE FROM buy_intents",
        "INSERT INTO tickets (ticket_id) VALUES (1)",
        "UPDATE tickets SET is_final = true",
        "UPDATE claims SET status = 'PAID'",
        "UPDATE settlement_runs SET status = 'approved'",
        "INSERT INTO extra_bonus_vouchers (wallet) VALUES ('x')",
        "INSERT INTO audit_log (actor) VALUES ('x')",
        "SELECT raw FROM chain_transaction_attempts",
        "TRUNCATE users",
    ],
)
def test_the_app_writes_nothing_else(conn: Conn, statement: str) -> None:
    act_as(conn, "bo_app")
    with refused(conn, "database_forbidden"):
        conn.execute(statement)


def test_the_watchdog_reads_every_table_and_writes_none(conn: Conn) -> None:
    tables = [row[0] for row in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                                             "AND tablename !~ 'yoyo'").fetchall()]  # fmt: skip
    assert len(tables) > 30
    act_as(conn, "bo_watchdog")
    for table in tables:
        conn.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        with refused(conn, "database_forbidden"):
            conn.execute(f"DELETE FROM {table}")  # noqa: S608


def test_the_engine_settles_a_day_with_its_own_rights_and_then_cannot_change_it(conn: Conn, any_day: Day) -> None:
    act_as(conn, "bo_engine")
    store_day(conn, any_day)
    run_id = store_run(conn, any_day.settle())
    approve_run(conn, run_id, hash_of("run"), "anna")
    mark_committed(conn, run_id)
    mark_settled(conn, run_id)
    for statement, code in (
        ("UPDATE settlement_runs SET net_fee = 0", "run_fixed"),
        ("DELETE FROM settlement_winner_payouts", "run_rows_fixed"),
        ("DELETE FROM day_inputs", "inputs_in_use"),
        ("DELETE FROM settlement_runs", "database_forbidden"),
        ("UPDATE day_inputs SET carry = 0", "database_forbidden"),
        ("DELETE FROM audit_log", "database_forbidden"),
        ("TRUNCATE tickets", "database_forbidden"),
        ("SET session_replication_role = replica", "database_forbidden"),
        ("ALTER TABLE tickets DISABLE TRIGGER ALL", "database_forbidden"),
    ):
        with refused(conn, code):
            conn.execute(statement)


EVERYTHING = frozenset(("INSERT", "UPDATE", "DELETE"))
ENGINE_KEEPS = {
    "tickets": EVERYTHING,
    "users": EVERYTHING,
    "push_subscriptions": EVERYTHING,
    "buy_intents": EVERYTHING,
    "affiliate_rates": EVERYTHING,
    "extra_bonus_vouchers": EVERYTHING,
    "claims": EVERYTHING,
    "claim_events": EVERYTHING,
    "refunds": EVERYTHING,
    "suspense_events": EVERYTHING,
    "settlement_winner_payouts": EVERYTHING,
    "settlement_affiliate_payouts": EVERYTHING,
    "settlement_pool_results": EVERYTHING,
    "settlement_trees": EVERYTHING,
    "settlement_artifacts": EVERYTHING,
    "settlement_artifact_chunks": EVERYTHING,
    "pot_sizes": EVERYTHING,
    "global_stats": EVERYTHING,
    "event_cursors": EVERYTHING,
    "job_runs": EVERYTHING,
    "outbox": EVERYTHING,
    "alerts": EVERYTHING,
}
#: What the engine's own login can never delete or rewrite: history, and what fences it.
ENGINE_HISTORY = {
    **dict.fromkeys(("day_seeds", "settlement_pipeline_runs", "settlement_runs", "chain_accounts", "chain_transactions",
                     "chain_transaction_attempts", "job_leases", "engine_locks"), frozenset(("INSERT", "UPDATE"))),
    **dict.fromkeys(("day_inputs", "job_halts"), frozenset(("INSERT", "DELETE"))),
    **dict.fromkeys(("chain_nonces", "audit_log", "deployment"), frozenset(("INSERT",))),
    "schema_versions": frozenset(),
}  # fmt: skip
APP_READS = frozenset((
    "users", "push_subscriptions", "buy_intents", "tickets", "affiliate_rates", "extra_bonus_vouchers", "claims",
    "claim_events", "refunds", "day_seeds", "settlement_runs", "settlement_pool_results", "settlement_winner_payouts",
    "settlement_affiliate_payouts", "settlement_trees", "pot_sizes", "global_stats"))  # fmt: skip
APP_COLUMNS = {
    ("settlement_pipeline_runs", "SELECT"): "day_id status void_stake void_block void_at_s void_tx",
    ("buy_intents", "INSERT"): "buyer day_id pool_id paid_tips voucher_tips affiliate gas_cost deadline nonce tips",
    ("buy_intents", "UPDATE"): "status signature tx_hash",
    ("claims", "INSERT"): "vault day_id account amount tx_hash",
    ("claims", "UPDATE"): "tx_hash",
    ("users", "INSERT"): "wallet display_name email locale mail_consent",
    ("users", "UPDATE"): "display_name email locale mail_consent last_seen_at",
    ("push_subscriptions", "INSERT"): "wallet endpoint p256dh auth",
}
APP_DELETES = frozenset(("users", "push_subscriptions"))


def may(role: str, privilege: str, table: str, column: str) -> bool:
    """design.md 8: the engine writes but not history, the App by column and nothing else, the watchdog reads."""
    if privilege == "TRUNCATE":
        return False
    if role == "bo_engine":
        return privilege == "SELECT" or privilege in {**ENGINE_KEEPS, **ENGINE_HISTORY}[table]
    if role == "bo_watchdog":
        return privilege == "SELECT"
    if privilege == "DELETE":
        return table in APP_DELETES
    if privilege == "SELECT" and table in APP_READS:
        return True
    return column in APP_COLUMNS.get((table, privilege), "").split()


SELECT_COLUMNS = """
    SELECT c.table_name, c.column_name FROM information_schema.columns AS c
      JOIN pg_tables AS t ON t.tablename = c.table_name AND t.schemaname = c.table_schema
     WHERE c.table_schema = 'public' AND c.table_name !~ 'yoyo' ORDER BY 1, 2
"""
ATTEMPTS = {
    "SELECT": "SELECT {column} FROM {table} WHERE false",
    "INSERT": "INSERT INTO {table} ({column}) VALUES (DEFAULT)",
    "UPDATE": "UPDATE {table} SET {column} = DEFAULT WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table}",
}


@pytest.mark.parametrize("role", ["bo_engine", "bo_app", "bo_watchdog"])
def test_each_privilege_is_tried_on_each_column_with_a_login_of_the_role(
    postgres_server: PostgresServer, postgres_url: str, role: str
) -> None:
    login, wrong = f"try_{role}", []
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        found = owner.execute(SELECT_COLUMNS).fetchall()
        owner.execute(f"CREATE ROLE {login} LOGIN; GRANT {role} TO {login}".encode())
    try:
        with psycopg.connect(psycopg.conninfo.make_conninfo(postgres_url, user=login)) as conn:
            for table, column in found:
                for privilege, attempt in ATTEMPTS.items():
                    try:
                        with conn.transaction(force_rollback=True):
                            conn.execute(attempt.format(table=table, column=column).encode())
                    except psycopg.errors.InsufficientPrivilege:
                        allowed = False
                    except psycopg.Error:
                        allowed = True  # let in, and refused by a rule of the table
                    else:
                        allowed = True
                    if allowed != may(role, privilege, table, column):
                        wrong.append(f"{privilege} {table}.{column}: {'allowed' if allowed else 'forbidden'}")
    finally:
        run_as_owner(postgres_server, f"DROP ROLE {login}")
    assert len(found) > 200
    assert wrong == []


def test_group_roles_cannot_log_in(conn: Conn) -> None:
    rows = conn.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^bo_' AND (rolcanlogin OR rolsuper)").fetchall()
    assert rows == []
