"""Frozen inputs of an exported day. While they stand, the day's tickets cannot change (triggers of migration 0002)."""

from collections.abc import Sequence
from typing import NamedTuple

from bo_engine.units import Atoms, DayId, Hash32, PoolId
from core.lottery.model import PoolDay, PoolState
from io_layer.postgres.connection import Conn


class DayInputs(NamedTuple):
    """What was sold and the opening state, five pools each."""

    sold: tuple[PoolDay, ...]
    opening: tuple[PoolState, ...]


LOCK_DAY = "SELECT lock_day(%(day_id)s::integer, true)"


def lock_day(conn: Conn, day_id: DayId) -> None:
    """Keep tickets of the day from coming or going until the transaction ends. Call it before counting to seal."""
    conn.execute(LOCK_DAY, {"day_id": day_id})


INSERT_INPUTS = """
    INSERT INTO day_inputs (day_id, pool_id, ticket_count, tip_count, stake, digest, carry, reserve, last_rollover,
                            streak)
    SELECT %(day_id)s::integer, pool_id, ticket_count, tip_count, stake, digest, carry, reserve, last_rollover, streak
      FROM unnest(%(pool_id)s::smallint[], %(ticket_count)s::integer[], %(tip_count)s::integer[], %(stake)s::numeric[],
                  %(digest)s::bytea[], %(carry)s::numeric[], %(reserve)s::numeric[], %(last_rollover)s::numeric[],
                  %(streak)s::integer[])
           AS t (pool_id, ticket_count, tip_count, stake, digest, carry, reserve, last_rollover, streak)
"""


def insert_day_inputs(conn: Conn, day_id: DayId, sold: Sequence[PoolDay], opening: Sequence[PoolState]) -> None:
    """Seal the day. The database compares with the tickets once more.

    Raises: InvariantBroken ``seal_mismatch``, ``seal_not_final``, ``seal_incomplete``, ``day_inputs_pkey`` (sealed).
    """
    conn.execute(
        INSERT_INPUTS,
        {
            "day_id": day_id,
            "pool_id": [PoolId(n) for n in range(len(sold))],
            "ticket_count": [one.ticket_count for one in sold],
            "tip_count": [one.tip_count for one in sold],
            "stake": [one.stake_atoms for one in sold],
            "digest": [one.digest for one in sold],
            "carry": [one.carry_atoms for one in opening],
            "reserve": [one.reserve_atoms for one in opening],
            "last_rollover": [one.last_rollover_atoms for one in opening],
            "streak": [one.streak for one in opening],
        },
    )


SELECT_INPUTS = """
    SELECT ticket_count, tip_count, stake, digest, carry, reserve, last_rollover, streak
      FROM day_inputs WHERE day_id = %(day_id)s ORDER BY pool_id
"""


def select_day_inputs(conn: Conn, day_id: DayId) -> DayInputs | None:
    """The sealed inputs, or None while the day is not sealed."""
    rows = conn.execute(SELECT_INPUTS, {"day_id": day_id}).fetchall()
    if not rows:
        return None
    return DayInputs(
        sold=tuple(PoolDay(row[0], row[1], Atoms(row[2]), Hash32(row[3])) for row in rows),
        opening=tuple(PoolState(Atoms(row[4]), Atoms(row[5]), Atoms(row[6]), row[7]) for row in rows),
    )


DELETE_INPUTS = "DELETE FROM day_inputs WHERE day_id = %(day_id)s"
DELETE_DAY_ARTIFACTS = "DELETE FROM settlement_artifacts WHERE day_id = %(day_id)s AND run_id IS NULL"


def delete_day_inputs(conn: Conn, day_id: DayId) -> bool:
    """Unseal the day and drop the files that depend on its inputs. Run it inside a transaction.

    Raises: InvariantBroken ``inputs_in_use`` once a run of the day is approved.
    """
    deleted = conn.execute(DELETE_INPUTS, {"day_id": day_id}).rowcount > 0
    conn.execute(DELETE_DAY_ARTIFACTS, {"day_id": day_id})
    return deleted
