"""Intents: each state is reached only from where it may be, and a purchase on the chain always counts."""

from uuid import UUID

import pytest

from bo_engine.units import Atoms, DayId, PoolId
from io_layer.lottery.stores.intents import (
    Intent,
    Permit,
    insert_adopted,
    insert_intent,
    mark_expired,
    mark_failed,
    mark_final,
    mark_signed,
    mark_submitted,
    move_back,
    select_intent,
    select_intents,
    select_unmatched_tickets,
)
from io_layer.lottery.stores.tickets import delete_not_final, insert_tickets
from io_layer.postgres.connection import Conn
from tests.io_layer.lottery.stores.builders import chain_rows, hash_of, mark_seen, plain_ticket, refused
from tests.support.days import DAY, wallet

TICKET = plain_ticket(7)
ROW = chain_rows([TICKET], is_final=False)[0]
PERMIT = Permit(
    buyer=TICKET.buyer,
    day_id=DAY,
    pool_id=PoolId(0),
    paid_tips=1,
    voucher_tips=0,
    affiliate=None,
    gas_cost_atoms=Atoms(5),
    deadline=1_000,
    nonce=ROW.nonce,
    tips=TICKET.tips,
)


def status_of(conn: Conn, intent_id: UUID) -> str:
    intent = select_intent(conn, intent_id)
    return intent.status if intent else "gone"


def intent_of(conn: Conn, intent_id: UUID) -> Intent:
    intent = select_intent(conn, intent_id)
    assert intent is not None
    return intent


def test_an_intent_goes_from_the_click_to_the_final_ticket(conn: Conn) -> None:
    intent_id = insert_intent(conn, PERMIT)
    assert mark_signed(conn, intent_id, b"signature")
    assert mark_submitted(conn, intent_id, ROW.tx_hash)
    insert_tickets(conn, [ROW])
    assert mark_seen(conn, intent_id, TICKET.ticket_id)
    assert mark_final(conn) == 0
    insert_tickets(conn, [ROW._replace(is_final=True)])
    assert mark_final(conn) == 1
    intent = select_intent(conn, intent_id)
    assert intent is not None
    assert intent[:12] == (intent_id, "FINAL", *PERMIT)
    assert (intent.signature, intent.tx_hash, intent.ticket_id) == (b"signature", ROW.tx_hash, 7)


def test_each_move_happens_once(conn: Conn) -> None:
    intent_id = insert_intent(conn, PERMIT)
    insert_tickets(conn, [ROW])
    moves = (
        lambda: mark_signed(conn, intent_id, b"s"),
        lambda: mark_submitted(conn, intent_id, ROW.tx_hash),
        lambda: mark_seen(conn, intent_id, TICKET.ticket_id),
    )
    for move in moves:
        assert move()
        assert not move()
    assert not mark_failed(conn, intent_of(conn, intent_id), "reverted")
    assert not mark_expired(conn, intent_id, 2_000)


def test_a_purchase_found_on_the_chain_counts_whatever_we_believed(conn: Conn) -> None:
    insert_tickets(conn, [ROW])
    for believed in ("CREATED", "FAILED", "EXPIRED"):
        with conn.transaction(force_rollback=True):
            intent_id = insert_intent(conn, PERMIT)
            if believed == "FAILED":
                assert mark_failed(conn, intent_of(conn, intent_id), "reverted")
            if believed == "EXPIRED":
                mark_expired(conn, intent_id, 2_000)
            assert mark_seen(conn, intent_id, TICKET.ticket_id)
            intent = select_intent(conn, intent_id)
            assert intent is not None
            assert (intent.status, intent.tx_hash, intent.failure_reason) == ("SEEN", ROW.tx_hash, None)


def test_a_reorg_moves_a_seen_intent_back(conn: Conn) -> None:
    intent_id = insert_intent(conn, PERMIT)
    insert_tickets(conn, [ROW])
    mark_seen(conn, intent_id, TICKET.ticket_id)
    with refused(conn, "buy_intents_ticket_id_fkey"):
        delete_not_final(conn, [7])
    assert move_back(conn, [7]) == 1
    assert status_of(conn, intent_id) == "SUBMITTED"
    assert delete_not_final(conn, [7]) == 1


def test_a_ticket_that_no_intent_knows_is_adopted_once(conn: Conn) -> None:
    insert_tickets(conn, [ROW])
    assert select_unmatched_tickets(conn, DayId(0)) == [7]
    assert insert_adopted(conn, [TICKET.ticket_id])
    assert not insert_adopted(conn, [TICKET.ticket_id])
    assert select_unmatched_tickets(conn, DayId(0)) == []
    assert [intent.status for intent in select_intents(conn, ["SEEN", "FINAL"])] == ["SEEN"]
    move_back(conn, [7])
    assert [intent.status for intent in select_intents(conn, ["SUBMITTED"])] == ["SUBMITTED"]


def test_an_intent_expires_only_after_its_deadline_in_chain_time(conn: Conn) -> None:
    intent_id = insert_intent(conn, PERMIT)
    assert not mark_expired(conn, intent_id, PERMIT.deadline)
    assert mark_expired(conn, intent_id, PERMIT.deadline + 1)


def test_one_intent_per_nonce_and_per_ticket(conn: Conn) -> None:
    first = insert_intent(conn, PERMIT)
    with refused(conn, "buy_intents_one_per_nonce"):
        insert_intent(conn, PERMIT._replace(day_id=DayId(DAY + 1)))
    second = insert_intent(conn, PERMIT._replace(nonce=b"n" * 16))
    mark_submitted(conn, first, ROW.tx_hash)
    other = ROW._replace(tx_hash=hash_of("other"), nonce=b"n" * 16, ticket=TICKET._replace(ticket_id=8))
    insert_tickets(conn, [ROW, other])
    mark_seen(conn, first, TICKET.ticket_id)
    with refused(conn, "buy_intents_one_per_ticket"):
        mark_seen(conn, second, TICKET.ticket_id)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("nonce = decode(repeat('01', 16), 'hex')", "intent_permit_fixed"),
        ("deadline = 0", "intent_permit_fixed"),
        ("status = 'FINAL'", "intent_transition"),
        ("status = 'SIGNED'", "buy_intents_signed"),
        ("status = 'SUBMITTED'", "buy_intents_submitted"),
        ("status = 'FAILED'", "buy_intents_failed"),
        ("status = 'SEEN'", "buy_intents_seen"),
        ("ticket_id = 7", "buy_intents_seen"),
        ("status = 'LOST'", "intent_transition"),
    ],
)
def test_an_intent_in_an_impossible_state_is_refused(conn: Conn, change: str, code: str) -> None:
    insert_tickets(conn, [ROW])
    insert_intent(conn, PERMIT)
    with refused(conn, code):
        conn.execute(f"UPDATE buy_intents SET {change}")  # noqa: S608


def test_an_intent_is_final_only_with_a_final_ticket_and_then_for_ever(conn: Conn) -> None:
    insert_tickets(conn, [ROW])
    insert_adopted(conn, [TICKET.ticket_id])
    with refused(conn, "intent_not_final"):
        conn.execute("UPDATE buy_intents SET status = 'FINAL'")
    with refused(conn, "intent_kept"):
        conn.execute("DELETE FROM buy_intents")
    insert_tickets(conn, [ROW._replace(is_final=True)])
    mark_final(conn)
    with refused(conn, "intent_transition"):
        conn.execute("UPDATE buy_intents SET failure_reason = 'x'")


def test_tips_that_do_not_fit_their_count_are_refused(conn: Conn) -> None:
    for permit in (PERMIT._replace(tips=b""), PERMIT._replace(paid_tips=5), PERMIT._replace(voucher_tips=1)):
        with refused(conn, "buy_intents_tip_count"):
            insert_intent(conn, permit)


def test_a_wallet_in_upper_case_is_refused(conn: Conn) -> None:
    with refused(conn, "wallet_is_lower_hex"):
        insert_intent(conn, PERMIT._replace(buyer=type(wallet(1))("0x" + "AB" * 20)))
