"""The journal: one row per purpose, one purpose per nonce, signed bytes for ever."""

import shutil
from pathlib import Path

import psycopg
import pytest

from io_layer.postgres import schema
from io_layer.postgres.connection import Conn, connect, migrate
from io_layer.stores.journal import (
    Purpose,
    SignedAttempt,
    allocate_nonce,
    insert_attempt,
    insert_transaction,
    mark_adopted,
    mark_broadcast,
    mark_dropped,
    mark_failed,
    mark_final,
    mark_mined,
    mark_reverted,
    prepare_again,
    select_attempts,
    select_open_transactions,
    select_transaction,
)
from tests.io_layer.lottery.stores.builders import hash_of, refused
from tests.support.days import wallet

CHAIN = 421_614
SENDER = wallet(0x5E)
PURPOSE = Purpose(CHAIN, wallet(0xA1), b"\x01\x02\x03\x04", "day 20778", 0)
CALLDATA = b"\x01\x02\x03\x04 settlement"


def signed(nonce: int, name: str = "first") -> SignedAttempt:
    return SignedAttempt(SENDER, nonce, 21_000, 2**100, 0, b"raw " + name.encode(), hash_of(name))


def prepare(conn: Conn, purpose: Purpose = PURPOSE, chain_nonce: int = 4, name: str = "first") -> tuple[int, int, int]:
    """A purpose with one signed attempt: (tx_id, nonce, attempt)."""
    row = insert_transaction(conn, purpose, CALLDATA)
    nonce = allocate_nonce(conn, row.tx_id, CHAIN, SENDER, chain_nonce)
    return row.tx_id, nonce, insert_attempt(conn, row.tx_id, signed(nonce, name))


def status_of(conn: Conn) -> str:
    row = select_transaction(conn, PURPOSE)
    return row.status if row else "none"


def test_a_transaction_goes_from_prepared_to_final(conn: Conn) -> None:
    assert insert_transaction(conn, PURPOSE, CALLDATA).status == "PREPARED"
    tx_id, nonce, attempt = prepare(conn)
    assert (nonce, attempt, status_of(conn)) == (4, 1, "SIGNED")
    assert mark_broadcast(conn, tx_id, attempt, 7)
    assert status_of(conn) == "BROADCAST"
    assert mark_mined(conn, tx_id, attempt, 10, hash_of("block"))
    assert status_of(conn) == "MINED"
    assert mark_broadcast(conn, tx_id, attempt, 7)  # its block was dropped
    assert status_of(conn) == "BROADCAST"
    assert [one.tx_id for one in select_open_transactions(conn)] == [tx_id]
    assert mark_final(conn, tx_id, attempt, 11, hash_of("other block"))
    assert status_of(conn) == "FINAL"
    assert select_open_transactions(conn) == []
    (stored,) = select_attempts(conn, tx_id)
    assert stored[:9] == (tx_id, 1, *signed(4))
    assert (stored.state, stored.block_number) == ("FINAL", 11)


def test_a_purpose_has_one_row_and_gives_it_back_after_a_crash(conn: Conn) -> None:
    tx_id, nonce, _ = prepare(conn)
    again = insert_transaction(conn, PURPOSE, CALLDATA)
    assert (again.tx_id, again.status) == (tx_id, "SIGNED")
    assert allocate_nonce(conn, tx_id, CHAIN, SENDER, 4) == nonce
    other = insert_transaction(conn, PURPOSE._replace(round=1), CALLDATA)
    assert other.tx_id != tx_id


def test_calldata_may_change_until_they_are_signed(conn: Conn) -> None:
    insert_transaction(conn, PURPOSE, CALLDATA)
    newer = CALLDATA + b" newer"
    assert insert_transaction(conn, PURPOSE, newer).calldata == newer
    row = insert_transaction(conn, PURPOSE, CALLDATA)
    assert row.calldata == CALLDATA
    prepare(conn)
    with refused(conn, "journal_conflict"):
        insert_transaction(conn, PURPOSE, newer)
    with refused(conn, "journal_fixed"):
        conn.execute("UPDATE chain_transactions SET calldata = calldata || '1'")


def test_two_purposes_get_two_nonces_and_a_bump_keeps_its_own(conn: Conn) -> None:
    first, nonce, _ = prepare(conn)
    second, next_nonce, _ = prepare(conn, PURPOSE._replace(subject="day 20779"), name="second")
    assert next_nonce == nonce + 1
    assert insert_attempt(conn, first, signed(nonce, "bumped")) == 2
    with refused(conn, "attempts_nonce_allocated"):
        insert_attempt(conn, second, signed(nonce, "stolen"))
    with refused(conn, "chain_nonces_pkey"):
        conn.execute("INSERT INTO chain_nonces (chain_id, sender, nonce, tx_id) VALUES (%(c)s, %(s)s, %(n)s, %(t)s)",
                     {"c": CHAIN, "s": SENDER, "n": nonce, "t": second})  # fmt: skip


def test_a_nonce_that_others_have_spent_is_skipped(conn: Conn) -> None:
    tx_id, nonce, attempt = prepare(conn)
    assert allocate_nonce(conn, tx_id, CHAIN, SENDER, nonce + 3) == nonce + 3
    assert mark_dropped(conn, tx_id, attempt)
    assert prepare_again(conn, tx_id, "nonce spent by another transaction")
    assert insert_attempt(conn, tx_id, signed(nonce + 3, "second")) == 2
    assert status_of(conn) == "SIGNED"


def test_a_second_nonce_only_when_every_attempt_is_spent_without_effect(conn: Conn) -> None:
    tx_id, nonce, first = prepare(conn)
    second = insert_attempt(conn, tx_id, signed(nonce, "bumped"))
    mark_reverted(conn, tx_id, second, 10, hash_of("block"))
    assert not prepare_again(conn, tx_id, "reverted")
    mark_dropped(conn, tx_id, first)
    assert prepare_again(conn, tx_id, "reverted")
    assert status_of(conn) == "PREPARED"


@pytest.mark.parametrize("adopted", [True, False])
def test_a_finished_purpose_never_changes(conn: Conn, adopted: bool) -> None:
    tx_id, _, attempt = prepare(conn)
    if adopted:
        assert mark_adopted(conn, tx_id, "the chain shows our hash")
    else:
        assert mark_final(conn, tx_id, attempt, 10, hash_of("block"))
    assert not mark_failed(conn, tx_id, "x")
    assert not prepare_again(conn, tx_id, "x")
    with refused(conn, "journal_fixed"):
        conn.execute("UPDATE chain_transactions SET status = 'PREPARED'")


def test_a_failed_purpose_can_be_prepared_again_or_adopted(conn: Conn) -> None:
    tx_id, _, attempt = prepare(conn)
    mark_dropped(conn, tx_id, attempt)
    assert mark_failed(conn, tx_id, "not authorised")
    assert prepare_again(conn, tx_id, "settler replaced")
    mark_failed(conn, tx_id, "again")
    with refused(conn, "journal_fixed"):
        conn.execute("UPDATE chain_transactions SET status = 'FINAL'")
    assert mark_adopted(conn, tx_id, "seen on the chain")


def test_signed_bytes_and_the_journal_are_kept(conn: Conn) -> None:
    tx_id, _, attempt = prepare(conn)
    for statement, code in (
        ("UPDATE chain_transaction_attempts SET raw = '1'", "journal_fixed"),
        ("UPDATE chain_transactions SET round = 9", "journal_fixed"),
        ("DELETE FROM chain_transaction_attempts", "journal_kept"),
        ("DELETE FROM chain_transactions", "journal_kept"),
        ("TRUNCATE chain_transactions CASCADE", "truncate_refused"),
        ("UPDATE chain_transaction_attempts SET state = 'MINED'", "attempts_block_known"),
        ("UPDATE chain_transactions SET status = 'FAILED'", "chain_transactions_reason"),
    ):
        with refused(conn, code):
            conn.execute(statement)
    mark_final(conn, tx_id, attempt, 10, hash_of("block"))
    assert not mark_reverted(conn, tx_id, attempt, 10, hash_of("block"))
    with refused(conn, "chain_transactions_calldata"):
        insert_transaction(conn, PURPOSE._replace(round=1), b"\x09\x09\x09\x09 other selector")
    with refused(conn, "chain_transaction_attempts_tx_hash_key"):
        insert_attempt(conn, tx_id, signed(4))


def test_a_nonce_waits_for_the_one_being_given_out(postgres_url: str, other: Conn) -> None:
    with connect(postgres_url, application_name="test") as conn, conn.transaction(force_rollback=True):
        prepare(conn)
        conn.execute("SELECT 1")
        with pytest.raises(Exception, match="database_locked"), other.transaction():
            prepare(other, PURPOSE._replace(round=1), name="other")


# -- a database of the version before -------------------------------------------------------------------------------

#: Journal rows as the engine wrote them when a purpose named its day.
ROWS_WITH_DAYS = """
    INSERT INTO chain_accounts (chain_id, address, next_nonce) VALUES (421614, '{sender}', 7);
    INSERT INTO chain_transactions (chain_id, contract, selector, day_id, round, calldata)
    SELECT 421614, '{contract}', '\\x01020304', 20777 + number, 0, '\\x0102030420736574746c656d656e74'
      FROM generate_series(0, 4) AS s (number);
    UPDATE chain_transactions SET status = 'SIGNED' WHERE day_id = 20778;
    INSERT INTO chain_nonces (chain_id, sender, nonce, tx_id)
    SELECT 421614, '{sender}', 6, tx_id FROM chain_transactions WHERE day_id = 20778;
    INSERT INTO chain_transaction_attempts
           (tx_id, attempt, sender, nonce, gas_limit, max_fee_per_gas, max_priority_fee, raw, tx_hash)
    SELECT tx_id, 1, '{sender}', 6, 21000, 5, 0, 'raw', sha256('raw') FROM chain_transactions WHERE day_id = 20778;
    UPDATE chain_transactions SET status = 'FINAL' WHERE day_id = 20779;
    UPDATE chain_transactions SET status = 'ADOPTED', reason = 'a' WHERE day_id = 20780;
    UPDATE chain_transactions SET status = 'FAILED', reason = 'b' WHERE day_id = 20781;
"""
OLDER = "0021_journal_subjects"


def test_open_transactions_of_the_version_before_keep_their_purpose(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in schema.MIGRATIONS.glob("*.sql"):
        if path.stem < OLDER:
            shutil.copy2(path, tmp_path)
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", tmp_path)
        migrate(empty_url)
        with psycopg.connect(empty_url) as owner:
            owner.execute(ROWS_WITH_DAYS.format(sender=SENDER, contract=PURPOSE.contract).encode())
    assert migrate(empty_url)[0] == OLDER
    with connect(empty_url, application_name="test") as conn, conn.transaction():
        rows = conn.execute("SELECT subject, status FROM chain_transactions ORDER BY tx_id").fetchall()
        assert rows == [
            ("day 20777", "PREPARED"),
            ("day 20778", "SIGNED"),
            ("day 20779", "FINAL"),
            ("day 20780", "ADOPTED"),
            ("day 20781", "FAILED"),
        ]
        # The engine finds what was signed, and takes no second nonce for it.
        found = insert_transaction(conn, PURPOSE, CALLDATA)
        assert (found.status, found.subject, len(select_attempts(conn, found.tx_id))) == ("SIGNED", "day 20778", 1)
        assert allocate_nonce(conn, found.tx_id, CHAIN, SENDER, 6) == 6
        with refused(conn, "journal_fixed"):
            conn.execute("UPDATE chain_transactions SET subject = 'day 1' WHERE subject = 'day 20777'")
        with refused(conn, "chain_transactions_subject"):
            insert_transaction(conn, PURPOSE._replace(subject="Day 7\nx"), CALLDATA)
