"""Seeds (rules 3.2, 3.3): each half is written once and never replaced."""

import hashlib

from bo_engine.units import Hash32
from core.model import Seeds
from io_layer.database import Conn
from io_layer.seed_store import insert_beacon, insert_vrf_request, insert_vrf_word, select_seeds
from tests.io_layer.builders import hash_of, refused
from tests.support.days import DAY

SIGNATURE = b"\x07" * 48
RANDOMNESS = Hash32(hashlib.sha256(SIGNATURE).digest())
WORD = 2**256 - 1


def test_both_halves_arrive_in_any_order_and_make_seeds(conn: Conn) -> None:
    assert select_seeds(conn, DAY) is None
    assert insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS)
    assert insert_vrf_request(conn, DAY, 2**200, 12)
    half = select_seeds(conn, DAY)
    assert half is not None
    assert half.complete() is None
    assert insert_vrf_word(conn, DAY, WORD)
    whole = select_seeds(conn, DAY)
    assert whole is not None
    assert whole.complete() == Seeds(WORD, 99, SIGNATURE, RANDOMNESS)
    assert whole.vrf_request_id == 2**200


def test_the_same_seed_again_changes_nothing(conn: Conn) -> None:
    for expected in (True, False):
        assert insert_vrf_request(conn, DAY, 5, 12) is expected
        assert insert_vrf_word(conn, DAY, 0) is expected
        assert insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS) is expected


def test_another_seed_is_refused(conn: Conn) -> None:
    insert_vrf_request(conn, DAY, 5, 12)
    insert_vrf_word(conn, DAY, WORD)
    insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS)
    with refused(conn, "seed_written"):
        insert_vrf_request(conn, DAY, 6, 12)
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


def test_randomness_that_is_not_the_hash_of_the_signature_is_refused(conn: Conn) -> None:
    with refused(conn, "day_seeds_randomness"):
        insert_beacon(conn, DAY, 99, SIGNATURE, hash_of("other"))


def test_a_word_without_a_request_is_not_recorded(conn: Conn) -> None:
    assert not insert_vrf_word(conn, DAY, 1)
    insert_beacon(conn, DAY, 99, SIGNATURE, RANDOMNESS)
    with refused(conn, "day_seeds_word_needs_request"):
        insert_vrf_word(conn, DAY, 1)
