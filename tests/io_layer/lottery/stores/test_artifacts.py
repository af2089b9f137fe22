"""Files in the database (rule 4.7): stored whole, returned bit by bit the same, fixed once approved."""

import hashlib
from collections.abc import Iterator

import pytest

from bo_engine.errors import InvariantBroken
from io_layer.lottery.stores.artifacts import (
    CHUNK_BYTES,
    put_artifact,
    select_artifact,
    select_artifacts,
    select_digests,
    stream_artifact,
)
from io_layer.lottery.stores.inputs import delete_day_inputs
from io_layer.lottery.stores.runs import approve_run
from io_layer.lottery.stores.tickets import insert_tickets, stream_tickets
from io_layer.postgres.connection import Conn
from tests.io_layer.lottery.stores.builders import chain_rows, hash_of, plain_ticket, refused, store_day, store_run
from tests.support.days import DAY, Day


def read(conn: Conn, name: str, run_id: int | None = None) -> bytes:
    artifact = select_artifact(conn, DAY, run_id, name)
    assert artifact is not None
    return b"".join(stream_artifact(conn, artifact))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_file_comes_back_as_it_was_stored(conn: Conn, size: int) -> None:
    data = hashlib.shake_128(b"file").digest(size)
    pieces = (data[start : start + 700_001] for start in range(0, size, 700_001))
    assert put_artifact(conn, DAY, None, "inputs.json", pieces) == (hashlib.sha256(data).digest(), size)
    assert read(conn, "inputs.json") == data
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_same_bytes_again_change_nothing_and_others_are_refused(conn: Conn) -> None:
    first = put_artifact(conn, DAY, None, "inputs.json", [b"{}"])
    assert put_artifact(conn, DAY, None, "inputs.json", [b"{", b"}"]) == first
    with refused(conn, "artifact_conflict"):
        put_artifact(conn, DAY, None, "inputs.json", [b"[]"])
    put_artifact(conn, DAY, None, "inputs.json", [b"[]"], replace=True)
    assert read(conn, "inputs.json") == b"[]"
    assert conn.execute("SELECT count(*) FROM settlement_artifact_chunks").fetchone() == (1,)


def test_a_source_that_fails_stores_nothing(conn: Conn) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 2 * CHUNK_BYTES
        raise ValueError("source failed")

    with pytest.raises(ValueError, match="source failed"):
        put_artifact(conn, DAY, None, "inputs.json", broken())
    assert select_artifacts(conn, DAY, None) == []
    assert conn.execute("SELECT count(*) FROM settlement_artifact_chunks").fetchone() == (0,)


def test_a_file_can_be_made_from_a_stream_of_the_same_connection(conn: Conn) -> None:
    insert_tickets(conn, chain_rows([plain_ticket(n) for n in range(1, 30)]))
    put_artifact(conn, DAY, None, "inputs.json", (b"%d," % one.ticket_id for one in stream_tickets(conn, DAY)))
    assert read(conn, "inputs.json") == b"".join(b"%d," % n for n in range(1, 30))


def test_files_of_a_run_stand_beside_those_of_the_day(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    run_id = store_run(conn, any_day.settle())
    put_artifact(conn, DAY, None, "inputs.json", [b"day"])
    put_artifact(conn, DAY, run_id, "commit_bundle.json", [b"run"])
    assert select_digests(conn, DAY, run_id).keys() == {"commit_bundle.json", "inputs.json"}
    assert select_digests(conn, DAY, None) == {"inputs.json": hashlib.sha256(b"day").digest()}


def test_files_of_an_approved_run_are_fixed_but_provenance_may_grow(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    run_id = store_run(conn, any_day.settle())
    for name in ("commit_bundle.json", "provenance.json"):
        put_artifact(conn, DAY, run_id, name, [b"1"])
    put_artifact(conn, DAY, None, "inputs.json", [b"1"])
    approve_run(conn, run_id, hash_of("run"), "anna")
    for name, owner in (("commit_bundle.json", run_id), ("inputs.json", None)):
        with refused(conn, "artifact_fixed"):
            put_artifact(conn, DAY, owner, name, [b"2"], replace=True)
    put_artifact(conn, DAY, run_id, "provenance.json", [b"2"], replace=True)
    assert read(conn, "provenance.json", run_id) == b"2"


def test_unsealing_a_day_drops_the_files_of_its_inputs(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    put_artifact(conn, DAY, None, "inputs.json", [b"1"])
    delete_day_inputs(conn, DAY)
    assert select_artifacts(conn, DAY, None) == []


def test_stored_bytes_cannot_be_edited(conn: Conn) -> None:
    put_artifact(conn, DAY, None, "inputs.json", [b"1"])
    for statement in (
        "UPDATE settlement_artifact_chunks SET bytes = '2'",
        "DELETE FROM settlement_artifact_chunks",
        "INSERT INTO settlement_artifact_chunks SELECT artifact_id, 7, bytes FROM settlement_artifact_chunks",
        "UPDATE settlement_artifacts SET size = 2",
    ):
        with refused(conn, "artifact_fixed"):
            conn.execute(statement)
    with refused(conn, "settlement_artifacts_name_check"):
        put_artifact(conn, DAY, None, "../inputs.json", [b"1"])


def test_damage_below_the_triggers_shows_when_the_file_is_read(conn: Conn) -> None:
    put_artifact(conn, DAY, None, "inputs.json", [b"1"])
    conn.execute("SET LOCAL session_replication_role = replica")
    conn.execute("UPDATE settlement_artifact_chunks SET bytes = '2'")
    with pytest.raises(InvariantBroken, match="artifact_damaged"):
        read(conn, "inputs.json")
