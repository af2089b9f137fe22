"""Seeds of a day, each half written once. Whoever reads them verifies the beacon again."""

from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.units import DayId, Hash32
from core.lottery.model import Seeds
from io_layer.postgres.connection import Conn


class DaySeeds(NamedTuple):
    """One row of day_seeds; what is not there yet is None."""

    day_id: DayId
    vrf_request_id: int | None
    vrf_requested_block: int | None
    vrf_requested_at: int | None
    vrf_word: int | None
    drand_round: int | None
    drand_signature: bytes | None
    drand_randomness: Hash32 | None

    def complete(self) -> Seeds | None:
        """Both halves as core's value, or None while one is missing."""
        if self.vrf_word is None or self.vrf_requested_at is None or self.drand_round is None:
            return None
        if self.drand_signature is None or self.drand_randomness is None:
            return None
        return Seeds(
            self.vrf_word, self.vrf_requested_at, self.drand_round, self.drand_signature, self.drand_randomness
        )


SELECT_SEEDS = """
    SELECT day_id, vrf_request_id, vrf_requested_block, vrf_requested_at, vrf_word, drand_round, drand_signature,
           drand_randomness
      FROM day_seeds WHERE day_id = %(day_id)s
"""


def select_seeds(conn: Conn, day_id: DayId) -> DaySeeds | None:
    """The day's row, or None."""
    with conn.cursor(row_factory=args_row(DaySeeds)) as cur:
        return cur.execute(SELECT_SEEDS, {"day_id": day_id}).fetchone()


# Another value than the stored one reaches the trigger, which refuses it once the word is there. Until then a request
# that a reorganisation has moved takes its beacon with it: another block time may give another drand round.
UPSERT_REQUEST = """
    INSERT INTO day_seeds AS s (day_id, vrf_request_id, vrf_requested_block, vrf_requested_at)
    VALUES (%(day_id)s, %(request_id)s, %(block)s, %(requested_at)s)
        ON CONFLICT (day_id) DO UPDATE
       SET vrf_request_id = excluded.vrf_request_id, vrf_requested_block = excluded.vrf_requested_block,
           vrf_requested_at = excluded.vrf_requested_at,
           drand_round = NULL, drand_signature = NULL, drand_randomness = NULL
     WHERE (s.vrf_request_id, s.vrf_requested_block, s.vrf_requested_at)
           IS DISTINCT FROM (excluded.vrf_request_id, excluded.vrf_requested_block, excluded.vrf_requested_at)
"""


def insert_vrf_request(conn: Conn, day_id: DayId, request_id: int, *, requested_block: int, requested_at: int) -> bool:
    """Record the VRF request, read at a final block; ``requested_at`` in unix seconds. False when it stands already.

    A request that differs from the stored one replaces it, and removes its beacon, as long as the word is not there.
    Raises: InvariantBroken ``seed_written`` afterwards.
    """
    given = {
        "day_id": day_id,
        "request_id": request_id,
        "block": requested_block,
        "requested_at": requested_at,
    }
    return conn.execute(UPSERT_REQUEST, given).rowcount == 1


UPDATE_WORD = """
    UPDATE day_seeds SET vrf_word = %(word)s WHERE day_id = %(day_id)s AND vrf_word IS DISTINCT FROM %(word)s
"""


def insert_vrf_word(conn: Conn, day_id: DayId, word: int) -> bool:
    """Record the VRF word of a recorded request, read at a final block. False when it stands already.

    Raises: InvariantBroken ``seed_written`` for another word.
    """
    return conn.execute(UPDATE_WORD, {"day_id": day_id, "word": word}).rowcount == 1


UPDATE_BEACON = """
    UPDATE day_seeds
       SET drand_round = %(round)s, drand_signature = %(signature)s, drand_randomness = %(randomness)s
     WHERE day_id = %(day_id)s
       AND (drand_round, drand_signature, drand_randomness)
           IS DISTINCT FROM (%(round)s::bigint, %(signature)s::bytea, %(randomness)s::hash32)
"""


def insert_beacon(conn: Conn, day_id: DayId, drand_round: int, signature: bytes, randomness: Hash32) -> bool:
    """Record the verified beacon of a recorded request. False when it stands already.

    Raises: InvariantBroken ``seed_written`` for another beacon.
    """
    given = {"day_id": day_id, "round": drand_round, "signature": signature, "randomness": randomness}
    return conn.execute(UPDATE_BEACON, given).rowcount == 1
