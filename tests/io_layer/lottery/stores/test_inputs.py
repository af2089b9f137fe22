"""Sealed days (rule 4.1): frozen with what the tickets are, and unsealed only while nobody relies on it."""

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms
from core.lottery.model import PoolState
from io_layer.lottery.stores.inputs import delete_day_inputs, insert_day_inputs, lock_day, select_day_inputs
from io_layer.lottery.stores.runs import approve_run, select_runs
from io_layer.lottery.stores.tickets import insert_tickets, select_pool_totals
from io_layer.postgres.connection import Conn
from tests.io_layer.lottery.stores.builders import (
    EMPTY,
    chain_rows,
    hash_of,
    plain_ticket,
    refused,
    seal,
    store_day,
    store_run,
)
from tests.support.days import DAY, Day

OPENING = tuple(PoolState(Atoms(10**77 + n), Atoms(n), Atoms(2 * n), n) for n in range(5))
TICKETS = [plain_ticket(1, 0), plain_ticket(2, 3), plain_ticket(3, 0)]


def test_a_day_is_sealed_with_what_was_sold_and_its_opening_state(conn: Conn) -> None:
    assert select_day_inputs(conn, DAY) is None
    insert_tickets(conn, chain_rows(TICKETS))
    lock_day(conn, DAY)
    seal(conn, OPENING)
    assert select_day_inputs(conn, DAY) == (select_pool_totals(conn, DAY), OPENING)
    with refused(conn, "day_inputs_pkey"):
        seal(conn, OPENING)


def test_an_empty_day_is_sealed_too(conn: Conn) -> None:
    seal(conn)
    inputs = select_day_inputs(conn, DAY)
    assert inputs is not None
    assert [pool.ticket_count for pool in inputs.sold] == [0] * 5


def test_a_day_cannot_be_sealed_with_other_numbers_than_its_tickets(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    sold = list(select_pool_totals(conn, DAY))
    first = sold[0]
    from dataclasses import replace

    for wrong in (
        replace(first, ticket_count=1),
        replace(first, tip_count=3),
        replace(first, stake_atoms=Atoms(1)),
        replace(first, digest=hash_of("other")),
    ):
        with refused(conn, "seal_mismatch"):
            insert_day_inputs(conn, DAY, [wrong, *sold[1:]], OPENING)


def test_a_day_with_tickets_that_are_not_final_cannot_be_sealed(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS, is_final=False))
    with refused(conn, "seal_not_final"):
        seal(conn)


def test_a_day_is_sealed_and_unsealed_as_a_whole(conn: Conn) -> None:
    with refused(conn, "seal_incomplete"):
        insert_day_inputs(conn, DAY, select_pool_totals(conn, DAY)[:4], (EMPTY,) * 4)
    seal(conn)
    with refused(conn, "seal_incomplete"):
        conn.execute("DELETE FROM day_inputs WHERE pool_id = 2")
    with refused(conn, "inputs_frozen"):
        conn.execute("UPDATE day_inputs SET carry = 0")
    with refused(conn, "truncate_refused"):
        conn.execute("TRUNCATE day_inputs")


def test_tickets_of_a_sealed_day_neither_change_nor_go_nor_grow(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    seal(conn)
    extra = chain_rows([*TICKETS, plain_ticket(4, 0)])[3:]
    with refused(conn, "day_sealed"):
        insert_tickets(conn, extra)
    for statement in ("DELETE FROM tickets", "UPDATE tickets SET is_final = is_final"):
        with pytest.raises(InvariantBroken, match=r"ticket_final|day_sealed"), conn.transaction():
            conn.execute(statement)


def test_a_lost_ticket_of_a_sealed_day_can_be_brought_back(conn: Conn) -> None:
    rows = chain_rows(TICKETS)
    insert_tickets(conn, rows)
    seal(conn)
    conn.execute("SET LOCAL session_replication_role = replica")  # as a disk fault or a superuser would
    conn.execute("DELETE FROM tickets WHERE ticket_id = 3")
    conn.execute("SET LOCAL session_replication_role = origin")
    with refused(conn, "day_sealed"):
        insert_tickets(conn, [rows[2]._replace(is_final=False)])
    assert insert_tickets(conn, rows).new_ids == (3,)


def test_a_day_can_be_unsealed_until_a_run_is_approved(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    assert delete_day_inputs(conn, DAY)
    assert not delete_day_inputs(conn, DAY)
    seal(conn, any_day.opening)
    run_id = store_run(conn, any_day.settle())
    with conn.transaction(force_rollback=True):
        assert delete_day_inputs(conn, DAY)
    assert approve_run(conn, run_id, select_runs(conn, DAY)[0].run_hash, "test")
    with refused(conn, "inputs_in_use"):
        delete_day_inputs(conn, DAY)
