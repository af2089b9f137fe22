"""A repair from the chain may replace final tickets, but never those of a sealed day."""

from io_layer.lottery.stores.intents import bind_intents, insert_adopted, mark_final, select_intents
from io_layer.lottery.stores.ticket_repair import delete_wrong_tickets, select_ticket_ids
from io_layer.lottery.stores.tickets import insert_tickets, stream_tickets
from io_layer.postgres.connection import Conn
from tests.io_layer.lottery.stores.builders import chain_rows, plain_ticket, refused, seal
from tests.support.days import DAY

BACK = "UPDATE buy_intents SET status = 'SUBMITTED', ticket_id = NULL"
TICKETS = [plain_ticket(1), plain_ticket(2)]


def test_a_wrong_final_ticket_is_replaced_by_the_chains(conn: Conn) -> None:
    wrong = [plain_ticket(1), plain_ticket(2, player=101)]
    insert_tickets(conn, chain_rows(wrong))
    insert_adopted(conn, [TICKETS[0].ticket_id])
    assert mark_final(conn) == 1
    delete_wrong_tickets(conn, select_ticket_ids(conn, DAY))
    assert [intent.ticket_id for intent in select_intents(conn, ["SUBMITTED"])] == [None]
    insert_tickets(conn, chain_rows(TICKETS))
    assert bind_intents(conn, [1, 2]) == (1, 0)
    assert list(stream_tickets(conn, DAY)) == TICKETS
    assert [intent.ticket_id for intent in select_intents(conn, ["SEEN"])] == [1]
    with refused(conn, "ticket_final"):  # the permission ends with the repair
        conn.execute("DELETE FROM tickets WHERE ticket_id = 2")


def test_a_repair_does_not_reach_a_sealed_day(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    seal(conn)
    with refused(conn, "day_sealed"):
        delete_wrong_tickets(conn, select_ticket_ids(conn, DAY))


def test_a_final_intent_goes_back_only_in_a_repair(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    insert_adopted(conn, [1])
    mark_final(conn)
    with refused(conn, "intent_transition"):
        conn.execute(BACK)
    conn.execute("SELECT set_config('bo.repair', 'on', true)")
    with refused(conn, "intent_transition"):  # only back
        conn.execute("UPDATE buy_intents SET status = 'FAILED', ticket_id = NULL")
    assert conn.execute(BACK).rowcount == 1
