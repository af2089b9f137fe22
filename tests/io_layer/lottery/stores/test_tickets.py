"""Tickets: stored once, streamed in order, never changed once final or sealed."""

import tracemalloc

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import ZERO_HASH, Atoms, DayId, Wallet
from core.lottery import fold
from core.lottery.affiliates import referred_stakes
from core.lottery.fold import fold_day
from core.lottery.model import PoolDay
from core.lottery.ruleset import RULESET_1
from io_layer.lottery.stores import tickets as ticket_store
from io_layer.lottery.stores.tickets import (
    count_final_tickets,
    delete_not_final,
    insert_tickets,
    select_pool_totals,
    select_ticket_rows,
    stream_tickets,
)
from io_layer.postgres.connection import Conn, connect
from tests.io_layer.lottery.stores.builders import SIX, chain_rows, hash_of, plain_ticket, refused, seal
from tests.support.days import DAY, ticket, wallet
from tests.support.record_night import fill_day

TICKETS = [
    ticket(1, 0, wallet(100), [SIX] * 8, paid=5, affiliate=wallet(900)),
    ticket(2, 3, wallet(101), [SIX] * 3, paid=1, vouchers=2),
    ticket(5, 0, wallet(100), [SIX], paid=1, affiliate=wallet(900)),
    ticket(9, 4, wallet(102), [SIX] * 2, paid=2),
]


def test_a_ticket_comes_back_as_it_was_stored(conn: Conn) -> None:
    rows = chain_rows(TICKETS)
    assert insert_tickets(conn, rows).new_ids == (1, 2, 5, 9)
    assert select_ticket_rows(conn, [9, 5, 2, 1, 77]) == rows
    assert list(stream_tickets(conn, DAY)) == TICKETS


def test_inserting_twice_changes_nothing_and_names_only_what_is_new(conn: Conn) -> None:
    rows = chain_rows(TICKETS)
    insert_tickets(conn, rows[:2])
    assert insert_tickets(conn, rows) == ((5, 9), ())
    assert insert_tickets(conn, rows) == ((), ())
    assert count_final_tickets(conn, DAY) == 4


def test_a_stored_ticket_that_differs_is_a_conflict(conn: Conn) -> None:
    row = chain_rows(TICKETS)[0]
    insert_tickets(conn, [row])
    others = [
        row._replace(ticket=row.ticket._replace(stake_atoms=Atoms(1))),
        row._replace(ticket=row.ticket._replace(ticket_id=77)),  # the same event under another id
        row._replace(digest=hash_of("other")),
        row._replace(block_hash=hash_of("other")),
        row._replace(ticket=row.ticket._replace(ticket_id=78), tx_hash=hash_of("other")),  # the same nonce
    ]
    for other in others:
        with refused(conn, "ticket_conflict"):
            insert_tickets(conn, [other])


def test_tickets_stream_in_order_of_their_id_across_batches(conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_store, "BATCH_ROWS", 3)
    tickets = [plain_ticket(ticket_id, ticket_id % 5) for ticket_id in range(1, 21)]
    insert_tickets(conn, chain_rows(tickets)[::-1])
    assert list(stream_tickets(conn, DAY)) == tickets


def test_other_statements_and_a_second_stream_run_beside_a_stream(conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_store, "BATCH_ROWS", 2)
    insert_tickets(conn, chain_rows(TICKETS))
    seen = []
    for mine, twin in zip(stream_tickets(conn, DAY), stream_tickets(conn, DAY), strict=True):
        with conn.transaction():
            conn.execute("INSERT INTO event_cursors (name, block_number, block_hash) VALUES (%(name)s, 1, %(hash)s)",
                         {"name": str(mine.ticket_id), "hash": ZERO_HASH})  # fmt: skip
        assert mine == twin
        seen.append(mine)
    assert seen == TICKETS


def test_a_stream_outside_a_transaction_ends_its_own(postgres_url: str) -> None:
    with connect(postgres_url, application_name="test") as conn:
        stream = stream_tickets(conn, DAY)
        assert next(stream, None) is None
        assert conn.info.transaction_status.name == "IDLE"
        abandoned = stream_tickets(conn, DAY)
        next(abandoned, None)
        abandoned.close()
        assert conn.info.transaction_status.name == "IDLE"


def test_pool_totals_are_those_that_core_folds(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    totals = select_pool_totals(conn, DAY)
    assert totals == fold_day(DAY, RULESET_1, TICKETS).sold()
    assert select_pool_totals(conn, DayId(DAY + 1)) == (PoolDay(0, 0, Atoms(0), ZERO_HASH),) * 5


def test_a_ticket_becomes_final_with_time_and_then_never_changes(conn: Conn) -> None:
    rows = chain_rows(TICKETS, is_final=False)
    insert_tickets(conn, rows)
    assert insert_tickets(conn, chain_rows(TICKETS[:2])).finalized_ids == (1, 2)
    assert insert_tickets(conn, chain_rows(TICKETS)).finalized_ids == (5, 9)
    for statement in ("UPDATE tickets SET is_final = false", "DELETE FROM tickets WHERE ticket_id = 1"):
        with refused(conn, "ticket_final"):
            conn.execute(statement)


def test_a_ticket_of_a_dropped_block_goes_and_its_successor_comes(conn: Conn) -> None:
    rows = chain_rows(TICKETS, is_final=False)
    insert_tickets(conn, rows)
    moved = rows[3]._replace(block_hash=hash_of("after the reorg"), block_number=2000)
    assert delete_not_final(conn, [9]) == 1
    assert insert_tickets(conn, [moved]).new_ids == (9,)
    insert_tickets(conn, [moved._replace(is_final=True)])
    assert delete_not_final(conn, [9]) == 0


def test_a_fact_of_a_ticket_cannot_be_edited_even_before_it_is_final(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS, is_final=False))
    for column in ("stake = 0", "day_id = 1", "buyer = affiliate", "tips = ''", "block_number = 1"):
        with refused(conn, "ticket_fact"):
            conn.execute(f"UPDATE tickets SET {column}")  # noqa: S608


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"paid_tips": 0}, "tickets_paid_tips_check"),
        ({"paid_tips": 145}, "tickets_paid_tips_check"),
        ({"voucher_tips": 1}, "tickets_tip_count"),
        ({"tips": b"1234567"}, "tickets_tip_count"),
        ({"pool_id": 5}, "pool_id_in_range"),
        ({"day_id": -1}, "day_id_not_negative"),
        ({"affiliate": wallet(100)}, "tickets_no_self_referral"),
        ({"buyer": wallet(0)}, "tickets_no_zero_wallet"),
        ({"buyer": Wallet("0x" + "AB" * 20)}, "wallet_is_lower_hex"),
        ({"stake_atoms": -1}, "atoms_in_range"),
        ({"ticket_id": 0}, "tickets_ticket_id_check"),
    ],
)
def test_a_ticket_that_cannot_be_is_refused(conn: Conn, change: dict[str, object], code: str) -> None:
    row = chain_rows([plain_ticket(1)])[0]
    with refused(conn, code):
        insert_tickets(conn, [row._replace(ticket=row.ticket._replace(**change))])


def test_a_ticket_of_more_than_255_tips_is_refused(conn: Conn) -> None:
    row = chain_rows([plain_ticket(1)])[0]
    # 144 paid and 115 bonus tips are 259.
    too_many = row.ticket._replace(paid_tips=144, tips=row.ticket.tips * 259)
    with refused(conn, "tickets_tip_count"):
        insert_tickets(conn, [row._replace(ticket=too_many)])


def test_hashes_and_nonces_have_their_exact_length(conn: Conn) -> None:
    row = chain_rows([plain_ticket(1)])[0]
    for change, code in (({"digest": b"1" * 31}, "hash32_is_32_bytes"), ({"nonce": b"1" * 17}, "nonce16_is_16_bytes")):
        with refused(conn, code):
            insert_tickets(conn, [row._replace(**change)])


def test_bonus_tips_in_sql_are_those_of_core(conn: Conn) -> None:
    from core.lottery.tickets import bonus_tips

    rows = conn.execute("SELECT n, bonus_tips(n) FROM generate_series(1, 144) AS n").fetchall()
    assert all(bonus == bonus_tips(paid) for paid, bonus in rows)


def test_single_tips_can_be_read_from_the_view(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    rows = conn.execute("SELECT kind, count(*), max(mask::bigint) FROM ticket_tips WHERE ticket_id IN (1, 2) "
                        "GROUP BY kind ORDER BY kind").fetchall()  # fmt: skip
    assert rows == [("bonus", 3, 0b111111), ("paid", 6, 0b111111), ("voucher", 2, 0b111111)]


def test_tickets_are_never_truncated(conn: Conn) -> None:
    with refused(conn, "truncate_refused"):
        conn.execute("TRUNCATE tickets CASCADE")


def test_a_ticket_added_while_the_day_is_being_sealed_waits_for_the_seal(postgres_url: str, other: Conn) -> None:
    rows = chain_rows([plain_ticket(1)])
    with connect(postgres_url, application_name="sealer") as sealer, sealer.transaction(force_rollback=True):
        seal(sealer)
        with pytest.raises(Exception, match="database_locked"):
            insert_tickets(other, rows)
    with pytest.raises(InvariantBroken, match="day_sealed"), other.transaction():
        seal(other)
        insert_tickets(other, rows)


def test_the_memory_of_a_day_does_not_grow_with_its_tickets(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault N07: what export and compute hold is a batch of tickets and the players, never the day."""
    monkeypatch.setattr(ticket_store, "BATCH_ROWS", 500)
    monkeypatch.setattr(fold, "BATCH_TICKETS", 500)
    peaks = []
    for tickets in (1_000, 8_000):
        with connect(postgres_url, application_name="test") as conn, conn.transaction(force_rollback=True):
            fill_day(conn, tickets, players=50)
            tracemalloc.start()
            fold_day(DAY, RULESET_1, stream_tickets(conn, DAY))
            referred_stakes(stream_tickets(conn, DAY), {}, ruleset=RULESET_1)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            peaks.append(peak)
    assert peaks[1] < 2 * peaks[0]
