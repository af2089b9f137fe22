"""Seeds (rules 3.2, 3.3): each half is written once and never replaced."""

import hashlib

import pytest

from bo_engine.units import Hash32
from core.lottery.model import Seeds
from io_layer.lottery.stores.seeds import insert_beacon, insert_vrf_request, insert_vrf_word, select_seeds
from io_layer.postgres.connection import Conn
from tests.io_layer.lottery.stores.builders import hash_of, refused
from tests.support.days import DAY

SIGNATURE = b"\x07" * 48
RANDOMNESS = Hash32(hashlib.sha256(SIGNATURE).digest())
WORD = 2**256 - 1
REQUESTED_AT = 1_700_000_040


def request(conn: Conn, request_id: int = 5, *, block: int = 12, at: int = REQUESTED_AT) -> bool:
    return insert_vrf_request(conn, DAY, request_id, requested_block=block, requested_at=at)


@pytest.mark.parametrize("word_first", [False, True])
def test_both_halves_arrive_in_any_order_after_the_request_and_make_seeds(conn: Conn, word_first: bool) -> None:
    assert select_seeds(conn, DAY) is None
    assert request(conn, 2**200)
    halves = [
        lambda: insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS),
        lambda: insert_vrf_word(conn, DAY, WORD),
    ]
    assert halves[word_first]()
    half = select_seeds(conn, DAY)
    assert half is not None
    assert half.complete() is None
    assert halves[not word_first]()
    whole = select_seeds(conn, DAY)
    assert whole is not None
    assert whole.complete() == Seeds(WORD, REQUESTED_AT, 99, SIGNATURE, RANDOMNESS)
    assert whole.vrf_request_id == 2**200


def test_the_same_seed_again_changes_nothing(conn: Conn) -> None:
    for expected in (True, False):
        assert request(conn) is expected
        assert insert_vrf_word(conn, DAY, 0) is expected
        assert insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS) is expected


def test_another_seed_is_refused(conn: Conn) -> None:
    request(conn)
    insert_vrf_word(conn, DAY, WORD)
    insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS)
    for moved in ({"request_id": 6}, {"block": 13}, {"at": REQUESTED_AT + 1}):
        with refused(conn, "seed_written"):
            request(conn, **moved)
    with refused(conn, "seed_written"):
        insert_vrf_word(conn, DAY, 1)
    with refused(conn, "seed_written"):
        insert_beacon(conn, DAY, 100, SIGNATURE, RANDOMNESS)
    for statement in (
        "DELETE FROM day_seeds",
        "UPDATE day_seeds SET vrf_word = NULL",
        "UPDATE day_seeds SET day_id = 1",
    ):
        with refused(conn, "seed_written"):
            conn.execute(statement)
    with refused(conn, "truncate_refused"):
        conn.execute("TRUNCATE day_seeds")


def test_a_request_that_moves_before_its_word_takes_its_beacon_with_it(conn: Conn) -> None:
    request(conn)
    insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS)
    with refused(conn, "seed_written"):
        conn.execute("UPDATE day_seeds SET vrf_requested_at = vrf_requested_at + 3, drand_round = drand_round + 1")
    with refused(conn, "seed_written"):
        conn.execute("UPDATE day_seeds SET drand_round = NULL, drand_signature = NULL, drand_randomness = NULL")
    assert request(conn, block=13, at=REQUESTED_AT + 3)
    moved = select_seeds(conn, DAY)
    assert moved is not None
    assert (moved.vrf_requested_block, moved.vrf_requested_at) == (13, REQUESTED_AT + 3)
    assert (moved.drand_round, moved.drand_signature, moved.drand_randomness) == (None, None, None)
    assert insert_beacon(conn, DAY, 100, SIGNATURE, RANDOMNESS)


def test_a_request_without_its_time_is_refused(conn: Conn) -> None:
    with refused(conn, "day_seeds_request_time"):
        conn.execute("INSERT INTO day_seeds (day_id, vrf_request_id, vrf_requested_block) VALUES (1, 5, 12)")


def test_randomness_that_is_not_the_hash_of_the_signature_is_refused(conn: Conn) -> None:
    request(conn)
    with refused(conn, "day_seeds_randomness"):
        insert_beacon(conn, DAY, 99, SIGNATURE, hash_of("other"))


def test_neither_half_is_recorded_without_a_request(conn: Conn) -> None:
    assert not insert_vrf_word(conn, DAY, 1)
    assert not insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS)
    with refused(conn, "day_seeds_word_needs_request"):
        conn.execute("INSERT INTO day_seeds (day_id, vrf_word) VALUES (1, 1)")
    with refused(conn, "day_seeds_beacon_needs_request"):
        conn.execute(
            "INSERT INTO day_seeds (day_id, drand_round, drand_signature, drand_randomness) VALUES (1, 99, %s, %s)",
            (SIGNATURE, RANDOMNESS),
        )
