"""Statistics, event cursors, suspense events, vouchers and claims."""

import pytest

from bo_engine.errors import Unavailable
from bo_engine.units import Atoms, DayId, PoolId
from io_layer.lottery.stores.payments.refund_events import (
    RefundEvent,
    delete_not_final,
    insert_refunds,
    select_doubtful,
    set_final,
    sum_final_refunds,
)
from io_layer.lottery.stores.payments.suspense import insert_suspense, resolve_suspense, select_open_suspense
from io_layer.lottery.stores.runs import approve_run, mark_committed, mark_settled
from io_layer.lottery.stores.stats import (
    PotSize,
    refresh_global_stats,
    select_global_stats,
    select_pot_sizes,
    upsert_pot_sizes,
)
from io_layer.postgres.connection import Conn
from io_layer.stores.audit import has_audit, insert_audit
from io_layer.stores.cursors import EventCursor, delete_cursors, move_cursor, move_cursor_on, select_cursor
from tests.io_layer.lottery.stores.builders import hash_of, refused, store_day, store_run
from tests.support.days import DAY, Day, wallet


def test_statistics_count_settled_days_only_and_may_be_repeated(conn: Conn, any_day: Day) -> None:
    assert select_global_stats(conn).day_count == 0
    store_day(conn, any_day)
    result = any_day.settle()
    run_id = store_run(conn, result)
    approve_run(conn, run_id, hash_of("run"), "anna")
    mark_committed(conn, run_id)
    assert refresh_global_stats(conn).day_count == 0
    mark_settled(conn, run_id)
    stats = refresh_global_stats(conn)
    assert stats == refresh_global_stats(conn) == select_global_stats(conn)
    assert (stats.last_day, stats.day_count, stats.ticket_count) == (DAY, 1, len(any_day.tickets))
    assert stats.stake_atoms == sum(ticket.stake_atoms for ticket in any_day.tickets)
    assert (stats.payout_atoms, stats.winner_count) == (result.total_payout_atoms, len(result.payouts))
    assert stats.jackpot_payout_atoms == sum(pool.jackpot_payout_atoms for pool in result.pools)


def test_an_older_block_does_not_overwrite_a_newer_pot(conn: Conn) -> None:
    new, old = (PotSize(PoolId(2), DAY, Atoms(10), Atoms(20), 3, block) for block in (9, 8))
    assert upsert_pot_sizes(conn, [new]) == 1
    assert upsert_pot_sizes(conn, [old._replace(budget_atoms=Atoms(1))]) == 0
    assert select_pot_sizes(conn) == [new]
    assert upsert_pot_sizes(conn, [new._replace(streak=4)]) == 1


def test_a_cursor_moves_only_from_where_it_was_read(conn: Conn) -> None:
    assert select_cursor(conn, "tickets") is None
    move_cursor(conn, "tickets", None, 5, hash_of("5"))
    at_five = select_cursor(conn, "tickets")
    assert at_five == EventCursor("tickets", 5, hash_of("5"))
    for elsewhere in (None, at_five._replace(block_hash=hash_of("reorg")), at_five._replace(block_number=4)):
        with pytest.raises(Unavailable, match="cursor_moved"):
            move_cursor(conn, "tickets", elsewhere, 6, hash_of("6"))
    move_cursor(conn, "tickets", at_five, 6, hash_of("6"))
    with pytest.raises(Unavailable, match="cursor_moved"):
        move_cursor(conn, "tickets", at_five, 7, hash_of("7"))
    delete_cursors(conn, ["tickets"])
    with pytest.raises(Unavailable, match="cursor_moved"):
        move_cursor(conn, "tickets", at_five, 7, hash_of("7"))


def test_an_unmatched_event_is_kept_once_until_a_person_resolves_it(conn: Conn) -> None:
    for expected in (True, False):
        assert insert_suspense(
            conn, tx_hash=hash_of("tx"), log_index=1, kind="purchase", reason="no intent", payload={"stake": "5"},
            block_number=9,
        ) is expected  # fmt: skip
    (event,) = select_open_suspense(conn)
    assert (event.reason, event.payload) == ("no intent", {"stake": "5"})
    assert resolve_suspense(conn, hash_of("tx"), 1, "anna")
    assert not resolve_suspense(conn, hash_of("tx"), 1, "anna")
    assert select_open_suspense(conn) == []


def test_a_voucher_is_granted_once_per_wallet_reason_and_period(conn: Conn) -> None:
    sql = ("INSERT INTO extra_bonus_vouchers (wallet, reason, period, voucher_tips) "
           "VALUES ('0x' || repeat('a', 40), 'leaderboard', '2026-W01', 50)")  # fmt: skip
    conn.execute(sql)
    with refused(conn, "extra_bonus_vouchers_once"):
        conn.execute(sql)
    with refused(conn, "extra_bonus_vouchers_used"):
        conn.execute("UPDATE extra_bonus_vouchers SET used_tips = 51")


def test_a_wallet_claims_once_per_vault_and_day(conn: Conn) -> None:
    sql = ("INSERT INTO claim_events (tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, "
           "block_hash) VALUES (%(tx)s, 0, '0x' || repeat('b', 40), 1, '0x' || repeat('a', 40), "
           "'0x' || repeat('c', 40), 5, 1, %(tx)s)")  # fmt: skip
    conn.execute(sql, {"tx": hash_of("1")})
    with refused(conn, "claim_events_once"):
        conn.execute(sql, {"tx": hash_of("2")})


def test_a_ticket_is_refunded_once_and_so_are_the_vouchers_of_a_day(conn: Conn) -> None:
    stake = RefundEvent(hash_of("1"), 0, "stake", DayId(1), wallet(1), b"n" * 16, wallet(2), Atoms(5), 1, hash_of("b"))
    vouchers = stake._replace(log_index=1, kind="vouchers", nonce=None, account=wallet(3))
    assert insert_refunds(conn, [stake, vouchers], is_final=False) == 2
    for twin in (stake, vouchers):
        assert insert_refunds(conn, [twin, twin._replace(tx_hash=hash_of("2"))], is_final=True) == 0
    others = [
        stake._replace(tx_hash=hash_of("2"), account=wallet(4)),
        stake._replace(tx_hash=hash_of("2"), log_index=1, nonce=b"m" * 16),
        vouchers._replace(tx_hash=hash_of("2"), log_index=2, day_id=DayId(2)),
    ]
    assert insert_refunds(conn, others, is_final=True) == 3
    assert sum_final_refunds(conn) == {1: 10, 2: 5}
    for wrong in (stake._replace(nonce=None), vouchers._replace(nonce=b"n" * 16)):
        with refused(conn, "refunds_nonce"):
            insert_refunds(conn, [wrong._replace(tx_hash=hash_of("3"))], is_final=True)


def test_what_a_final_refund_may_rule_out_is_found_by_block_account_day_and_transaction(conn: Conn) -> None:
    final = RefundEvent(hash_of("1"), 0, "vouchers", DayId(1), wallet(1), None, wallet(1), Atoms(5), 9, hash_of("b"))
    other = RefundEvent(hash_of("0"), 0, "stake", DayId(2), wallet(7), b"n" * 16, wallet(7), Atoms(5), 50, hash_of("c"))
    found = [
        other._replace(tx_hash=hash_of("2"), account=wallet(2), block_number=9),
        other._replace(tx_hash=hash_of("3"), account=wallet(1)),
        final._replace(tx_hash=hash_of("4"), account=wallet(4), block_number=50),
        other._replace(tx_hash=hash_of("1"), log_index=1, account=wallet(5)),
    ]
    insert_refunds(conn, [*found, other], is_final=False)
    assert set(select_doubtful(conn, 9, [final])) == set(found)
    assert delete_not_final(conn, found) == 4
    assert set_final(conn, [other]) == 1
    assert delete_not_final(conn, [other]) == 0


def test_a_block_that_was_acted_upon_is_remembered_and_never_an_older_one(conn: Conn) -> None:
    for number in (7, 5, 7):
        move_cursor_on(conn, "final block", number, hash_of(f"{number}"))
    move_cursor_on(conn, "final block", 7, hash_of("another"))
    assert select_cursor(conn, "final block") == EventCursor("final block", 7, hash_of("7"))
    move_cursor_on(conn, "final block", 8, hash_of("8"))
    assert select_cursor(conn, "final block") == EventCursor("final block", 8, hash_of("8"))
    move_cursor_on(conn, "tickets", 3, hash_of("3"))
    delete_cursors(conn, ["final block"])
    assert (select_cursor(conn, "final block"), select_cursor(conn, "tickets") is None) == (None, False)


def test_evidence_is_known_by_all_that_it_says(conn: Conn) -> None:
    insert_audit(conn, actor="engine", action="seen", details={"block": 7, "was": "0x1", "is": "0x2"})
    assert has_audit(conn, "seen", {"block": 7, "was": "0x1", "is": "0x2"})
    assert not has_audit(conn, "seen", {"block": 7, "was": "0x1", "is": "0x3"})
    assert not has_audit(conn, "unseen", {"block": 7, "was": "0x1", "is": "0x2"})
