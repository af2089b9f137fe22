"""Statuses and step names are enums in the rows, and the plain text of the SQL everywhere else."""

import json
import re
from enum import StrEnum

import pytest

from io_layer.lottery.stores.intents import IntentStatus
from io_layer.lottery.stores.payments.claims import ClaimStatus
from io_layer.lottery.stores.pipeline import DayStatus, Step, fail_day, insert_day, select_day
from io_layer.lottery.stores.runs import RunStatus, select_live_run, select_open_runs, select_runs
from io_layer.postgres.connection import Conn
from io_layer.stores.journal import (
    AttemptState,
    Purpose,
    SignedAttempt,
    TransactionStatus,
    allocate_nonce,
    insert_attempt,
    insert_transaction,
    select_attempts,
    select_numbered,
    select_open_transactions,
    select_transactions,
)
from tests.io_layer.lottery.stores.builders import hash_of, store_day, store_run
from tests.support.days import DAY, Day, wallet

CHECKED = """
    SELECT pg_get_constraintdef(oid) FROM pg_constraint
     WHERE conrelid = %s::regclass AND pg_get_constraintdef(oid) ~ %s
"""


@pytest.mark.parametrize(
    ("table", "column", "members"),
    [
        ("settlement_pipeline_runs", "status", set(DayStatus) - {DayStatus.NEW}),
        ("settlement_pipeline_runs", "failed_step", set(Step)),
        ("settlement_runs", "status", set(RunStatus)),
        ("chain_transactions", "status", set(TransactionStatus)),
        ("chain_transaction_attempts", "state", set(AttemptState)),
        ("claims", "status", set(ClaimStatus)),
        ("buy_intents", "status", set(IntentStatus)),
    ],
)
def test_an_enum_has_the_values_that_the_database_allows(
    conn: Conn, table: str, column: str, members: set[StrEnum]
) -> None:
    (row,) = conn.execute(CHECKED, (table, rf"^CHECK \(\({column} = ANY \(ARRAY\[[^]]*\]\)\)\)$")).fetchall()
    assert set(re.findall(r"'(\w+)'::text", row[0])) == members


def test_a_step_is_stored_as_its_text_and_a_day_read_with_its_enum(conn: Conn) -> None:
    insert_day(conn, DAY)
    assert fail_day(conn, DAY, Step.COMPUTE, "a", "b")
    assert conn.execute("SELECT failed_step, status FROM settlement_pipeline_runs").fetchone() == ("compute", "FAILED")
    day = select_day(conn, DAY)
    assert day is not None
    assert day.status is DayStatus.FAILED
    assert day.next_step() is Step.EXPORT
    assert (f"{day.next_step()} {day.status}", json.dumps([day.next_step()])) == ("export FAILED", '["export"]')


def test_a_run_is_read_with_its_enum(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    store_run(conn, any_day.settle())
    live = select_live_run(conn, DAY)
    assert live is not None
    assert all(run.status is RunStatus.DRY_RUN for run in (live, *select_runs(conn, DAY), *select_open_runs(conn, DAY)))


def test_the_journal_is_read_with_its_enums(conn: Conn) -> None:
    purpose, sender = Purpose(421_614, wallet(0xA1), b"\x01\x02\x03\x04", "day 20778", 0), wallet(0x5E)
    stored = insert_transaction(conn, purpose, b"\x01\x02\x03\x04")
    assert stored.status is TransactionStatus.PREPARED
    nonce = allocate_nonce(conn, stored.tx_id, purpose.chain_id, sender, 4)
    insert_attempt(conn, stored.tx_id, SignedAttempt(sender, nonce, 21_000, 2, 0, b"raw", hash_of("first")))
    rows = (select_numbered(conn, stored.tx_id), *select_open_transactions(conn), *select_transactions(conn))
    assert [row is not None and row.status for row in rows] == [TransactionStatus.SIGNED] * 3
    assert [attempt.state for attempt in select_attempts(conn, stored.tx_id)] == [AttemptState.SIGNED]
    assert type(select_attempts(conn, stored.tx_id)[0].state) is AttemptState
