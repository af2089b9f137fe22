"""A repair from the chain may replace final tickets, but never those of a sealed day."""

from io_layer.database import Conn
from io_layer.intent_store import insert_adopted, select_intents
from io_layer.ticket_repair import delete_wrong_tickets, select_ticket_ids
from io_layer.ticket_store import insert_tickets, stream_tickets
from tests.io_layer.builders import chain_rows, plain_ticket, refused, seal
from tests.support.days import DAY

TICKETS = [plain_ticket(1), plain_ticket(2)]


def test_a_wrong_final_ticket_is_replaced_by_the_chains(conn: Conn) -> None:
    wrong = [plain_ticket(1), plain_ticket(2, player=101)]
    insert_tickets(conn, chain_rows(wrong))
    insert_adopted(conn, [TICKETS[0].ticket_id])
    delete_wrong_tickets(conn, select_ticket_ids(conn, DAY))
    insert_tickets(conn, chain_rows(TICKETS))
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert list(stream_tickets(conn, DAY)) == TICKETS
    assert [intent.ticket_id for intent in select_intents(conn, ["SEEN"])] == [1]
    with refused(conn, "ticket_final"):  # the permission ends with the repair
        conn.execute("DELETE FROM tickets WHERE ticket_id = 2")


def test_a_repair_does_not_reach_a_sealed_day(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    seal(conn)
    with refused(conn, "day_sealed"):
        delete_wrong_tickets(conn, select_ticket_ids(conn, DAY))


def test_an_intent_must_have_its_ticket_again_at_the_end_of_a_repair(conn: Conn) -> None:
    insert_tickets(conn, chain_rows(TICKETS))
    insert_adopted(conn, [TICKETS[0].ticket_id])
    with refused(conn, "buy_intents_ticket_id_fkey"):
        delete_wrong_tickets(conn, select_ticket_ids(conn, DAY))
        conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
