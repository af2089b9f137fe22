"""Seeds of a day, each half written once. Whoever reads them verifies the beacon again."""

from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.units import DayId, Hash32
from core.model import Seeds
from io_layer.database import Conn


class DaySeeds(NamedTuple):
    """One row of day_seeds; what is not there yet is None."""

    day_id: DayId
    vrf_request_id: int | None
    vrf_requested_block: int | None
    vrf_word: int | None
    drand_round: int | None
    drand_signature: bytes | None
    drand_randomness: Hash32 | None

    def complete(self) -> Seeds | None:
        """Both halves as core's value, or None while one is missing."""
        if self.vrf_word is None or self.drand_round is None:
            return None
        if self.drand_signature is None or self.drand_randomness is None:
            return None
        return Seeds(self.vrf_word, self.drand_round, self.drand_signature, self.drand_randomness)


SELECT_SEEDS = """
    SELECT day_id, vrf_request_id, vrf_requested_block, vrf_word, drand_round, drand_signature, drand_randomness
      FROM day_seeds WHERE day_id = %(day_id)s
"""


def select_seeds(conn: Conn, day_id: DayId) -> DaySeeds | None:
    """The day's row, or None."""
    with conn.cursor(row_factory=args_row(DaySeeds)) as cur:
        return cur.execute(SELECT_SEEDS, {"day_id": day_id}).fetchone()


# Another value than the stored one reaches the trigger, which refuses it.
UPSERT_REQUEST = """
    INSERT INTO day_seeds AS s (day_id, vrf_request_id, vrf_requested_block)
    VALUES (%(day_id)s, %(request_id)s, %(block)s)
        ON CONFLICT (day_id) DO UPDATE
       SET vrf_request_id = excluded.vrf_request_id, vrf_requested_block = excluded.vrf_requested_block
     WHERE (s.vrf_request_id, s.vrf_requested_block)
           IS DISTINCT FROM (excluded.vrf_request_id, excluded.vrf_requested_block)
"""


def insert_vrf_request(conn: Conn, day_id: DayId, request_id: int, requested_block: int) -> bool:
    """Record the VRF request. False when it stands already. Raises: InvariantBroken ``seed_written``."""
    given = {"day_id": day_id, "request_id": request_id, "block": requested_block}
    return conn.execute(UPSERT_REQUEST, given).rowcount == 1


UPDATE_WORD = """
    UPDATE day_seeds SET vrf_word = %(word)s WHERE day_id = %(day_id)s AND vrf_word IS DISTINCT FROM %(word)s
"""


def insert_vrf_word(conn: Conn, day_id: DayId, word: int) -> bool:
    """Record the VRF word of a recorded request, read at a final block. False when it stands already.

    Raises: InvariantBroken ``seed_written`` for another word.
    """
    return conn.execute(UPDATE_WORD, {"day_id": day_id, "word": word}).rowcount == 1


UPSERT_BEACON = """
    INSERT INTO day_seeds AS s (day_id, drand_round, drand_signature, drand_randomness)
    VALUES (%(day_id)s, %(round)s, %(signature)s, %(randomness)s)
        ON CONFLICT (day_id) DO UPDATE
       SET drand_round = excluded.drand_round, drand_signature = excluded.drand_signature,
           drand_randomness = excluded.drand_randomness
     WHERE (s.drand_round, s.drand_signature, s.drand_randomness)
           IS DISTINCT FROM (excluded.drand_round, excluded.drand_signature, excluded.drand_randomness)
"""


def insert_beacon(conn: Conn, day_id: DayId, drand_round: int, signature: bytes, randomness: Hash32) -> bool:
    """Record a verified beacon. False when it stands already. Raises: InvariantBroken ``seed_written``."""
    given = {"day_id": day_id, "round": drand_round, "signature": signature, "randomness": randomness}
    return conn.execute(UPSERT_BEACON, given).rowcount == 1
