"""Numbers for dashboards: derived, recomputed as a whole, never a source of money."""

from collections.abc import Sequence
from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.units import Atoms, DayId, PoolId
from io_layer.postgres.connection import Conn


class GlobalStats(NamedTuple):
    """Totals over all settled days. A voided day counts as a day; its stakes go back and do not count."""

    last_day: DayId | None
    day_count: int
    ticket_count: int
    tip_count: int
    stake_atoms: Atoms
    payout_atoms: Atoms  # tiers and jackpots
    jackpot_payout_atoms: Atoms
    affiliate_total_atoms: Atoms
    charity_total_atoms: Atoms
    net_fee_atoms: Atoms
    winner_count: int


class PotSize(NamedTuple):
    """What a pool could pay in the draw of a day."""

    pool_id: PoolId
    day_id: DayId
    budget_atoms: Atoms
    reserve_atoms: Atoms
    streak: int
    block_number: int


REFRESH_STATS = """
      WITH voided AS (SELECT day_id FROM settlement_pipeline_runs WHERE status = 'VOIDED')
    INSERT INTO global_stats (last_day, day_count, ticket_count, tip_count, stake, payout, jackpot_payout,
                              affiliate_total, charity_total, net_fee, winner_count, updated_at)
    SELECT greatest(max(r.day_id), (SELECT max(day_id) FROM voided)), count(*) + (SELECT count(*) FROM voided),
           coalesce(sum(p.ticket_count), 0), coalesce(sum(p.tip_count), 0), coalesce(sum(p.stake), 0),
           coalesce(sum(r.total_payout), 0), coalesce(sum(p.jackpot_payout), 0), coalesce(sum(r.affiliate_total), 0),
           coalesce(sum(r.charity_total), 0), coalesce(sum(r.net_fee), 0), coalesce(sum(r.winner_count), 0), now()
      FROM settlement_runs AS r
      JOIN (SELECT run_id, sum(ticket_count) AS ticket_count, sum(tip_count) AS tip_count, sum(stake) AS stake,
                   sum(jackpot_payout) AS jackpot_payout
              FROM settlement_pool_results GROUP BY run_id) AS p USING (run_id)
     WHERE r.status = 'settled'
        ON CONFLICT (only_row) DO UPDATE
       SET last_day = excluded.last_day, day_count = excluded.day_count, ticket_count = excluded.ticket_count,
           tip_count = excluded.tip_count, stake = excluded.stake, payout = excluded.payout,
           jackpot_payout = excluded.jackpot_payout, affiliate_total = excluded.affiliate_total,
           charity_total = excluded.charity_total, net_fee = excluded.net_fee, winner_count = excluded.winner_count,
           updated_at = excluded.updated_at
"""
SELECT_STATS = """
    SELECT last_day, day_count, ticket_count, tip_count, stake, payout, jackpot_payout, affiliate_total, charity_total,
           net_fee, winner_count
      FROM global_stats
"""


def refresh_global_stats(conn: Conn) -> GlobalStats:
    """Recompute the totals from the settled runs and the voided days and return them. Safe to repeat."""
    conn.execute(REFRESH_STATS)
    return select_global_stats(conn)


def select_global_stats(conn: Conn) -> GlobalStats:
    """The totals as last computed; zeros before the first time."""
    with conn.cursor(row_factory=args_row(GlobalStats)) as cur:
        found = cur.execute(SELECT_STATS).fetchone()
    zero = Atoms(0)
    return found or GlobalStats(None, 0, 0, 0, zero, zero, zero, zero, zero, zero, 0)


# Two readers may write in any order; the newer block wins, in all pools, because both begin with the same one.
UPSERT_POT = """
    INSERT INTO pot_sizes AS p (pool_id, day_id, budget, reserve, streak, block_number)
    VALUES (%(pool_id)s, %(day_id)s, %(budget_atoms)s, %(reserve_atoms)s, %(streak)s, %(block_number)s)
        ON CONFLICT (pool_id) DO UPDATE
       SET day_id = excluded.day_id, budget = excluded.budget, reserve = excluded.reserve, streak = excluded.streak,
           block_number = excluded.block_number, updated_at = now()
     WHERE p.block_number <= excluded.block_number
"""


def upsert_pot_sizes(conn: Conn, pots: Sequence[PotSize]) -> int:
    """Show new pot sizes; an older block than the shown one is ignored. How many are shown now. In a transaction."""
    return sum(conn.execute(UPSERT_POT, pot._asdict()).rowcount for pot in sorted(pots))


SELECT_POTS = "SELECT pool_id, day_id, budget, reserve, streak, block_number FROM pot_sizes ORDER BY pool_id"


def select_pot_sizes(conn: Conn) -> list[PotSize]:
    """The pots as last shown."""
    with conn.cursor(row_factory=args_row(PotSize)) as cur:
        return cur.execute(SELECT_POTS).fetchall()


# The newest ticket by its id, which has an index and grows with the blocks.
SELECT_POTS_STAND = """
    SELECT count(*) = 5 AND min(day_id) = %(day_id)s AND min(updated_at) > now() - make_interval(mins => %(minutes)s)
           AND min(block_number) >= coalesce(
               (SELECT block_number FROM tickets ORDER BY ticket_id DESC LIMIT 1), 0)
      FROM pot_sizes
"""


def pots_stand(conn: Conn, day_id: DayId, minutes: int) -> bool:
    """Whether the pots of this day are shown, no older than that, and no ticket is known that came after them."""
    row = conn.execute(SELECT_POTS_STAND, {"day_id": day_id, "minutes": minutes}).fetchone()
    return bool(row and row[0])
