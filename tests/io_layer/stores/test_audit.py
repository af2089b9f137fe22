"""The audit log: append-only, chained, and any change below the triggers shows."""

import hashlib
import json
import threading

import pytest

from bo_engine.errors import InvariantBroken
from io_layer.postgres.connection import Conn, connect
from io_layer.stores.audit import check_audit_chain, insert_audit, select_audit
from tests.io_layer.lottery.stores.builders import refused
from tests.support.days import DAY


def test_rows_are_chained_and_the_chain_holds(conn: Conn) -> None:
    assert check_audit_chain(conn) == 0
    for number in range(3):
        insert_audit(conn, actor="anna", action="day_resumed", day_id=DAY, details={"n": number, "text": 'ä\n"x"'})
    insert_audit(conn, actor="cron", action="seed_adopted")
    assert check_audit_chain(conn) == 4
    rows = select_audit(conn, DAY)
    assert [(row.audit_id, row.actor, row.details["n"]) for row in rows] == [
        (1, "anna", 0),
        (2, "anna", 1),
        (3, "anna", 2),
    ]
    assert len(select_audit(conn)) == 4


def test_the_hash_can_be_recomputed_outside_the_database(conn: Conn) -> None:
    insert_audit(conn, actor="anna", action="day_resumed", day_id=DAY, details={"a": 1})
    (row,) = select_audit(conn)
    micros = round(row.at.timestamp() * 1_000_000)
    text = json.dumps([1, micros, "anna", "day_resumed", DAY, {"a": 1}])
    assert row.hash == hashlib.sha256(bytes(32) + text.encode()).digest()


def test_the_chain_does_not_depend_on_the_time_zone(conn: Conn) -> None:
    insert_audit(conn, actor="anna", action="day_resumed")
    conn.execute("SET LOCAL timezone = 'Asia/Kathmandu'")
    conn.execute("SET LOCAL datestyle = 'German'")
    assert check_audit_chain(conn) == 1


def test_the_log_is_append_only(conn: Conn) -> None:
    insert_audit(conn, actor="anna", action="day_resumed")
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with refused(conn, "audit_fixed"):
            conn.execute(statement)
    with refused(conn, "audit_log_action_check"):
        insert_audit(conn, actor="anna", action="Not A Name")


def test_a_writer_cannot_choose_number_time_or_hash(conn: Conn) -> None:
    chosen = {"prev": b"1" * 32, "hash": b"2" * 32}
    conn.execute(
        "INSERT INTO audit_log (audit_id, at, actor, action, details, prev_hash, hash) "
        "VALUES (77, '2000-01-01', 'x', 'y', '{}', %(prev)s, %(hash)s)",
        chosen,
    )
    assert check_audit_chain(conn) == 1
    (row,) = select_audit(conn)
    assert (row.audit_id, row.at.year > 2000) == (1, True)


@pytest.mark.parametrize(
    ("damage", "row"),
    [
        ("UPDATE audit_log SET actor = 'berta' WHERE audit_id = 2", 2),
        ("UPDATE audit_log SET details = '{}' WHERE audit_id = 3", 3),
        ("UPDATE audit_log SET at = at + interval '1 second' WHERE audit_id = 1", 1),
        ("DELETE FROM audit_log WHERE audit_id = 2", 3),
        ("DELETE FROM audit_log WHERE audit_id = 1", 2),
    ],
)
def test_a_row_changed_or_removed_below_the_triggers_shows(conn: Conn, damage: str, row: int) -> None:
    for number in range(4):
        insert_audit(conn, actor="anna", action="day_resumed", details={"n": number})
    conn.execute("SET LOCAL session_replication_role = replica")
    conn.execute(damage)
    with pytest.raises(InvariantBroken, match=f"audit_chain_broken.*row {row}"):
        check_audit_chain(conn)


def test_writers_at_the_same_time_make_one_chain(postgres_url: str, other: Conn) -> None:
    def write() -> None:
        with connect(postgres_url, application_name="writer") as writer:
            for _ in range(10):
                insert_audit(writer, actor="cron", action="tick")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert check_audit_chain(other) == 40
