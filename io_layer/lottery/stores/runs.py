"""Settlement runs: the result of a computed day with its payouts, pools and trees."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from psycopg.rows import args_row

from bo_engine.errors import InvariantBroken
from bo_engine.redaction import told
from bo_engine.units import Atoms, DayId, Hash32, PoolId, Wallet
from core.lottery.model import DayResult, Payout, PoolDay, PoolResult, PoolState, StakeSplit, TierResult
from io_layer.postgres.connection import Conn

Kind = Literal["winner", "affiliate"]


class RunStatus(StrEnum):
    """How far a run has come. Of a day only one is neither superseded nor vetoed."""

    DRY_RUN = "dry_run"
    SUPERSEDED = "superseded"
    APPROVED = "approved"
    COMMITTED = "committed"
    SETTLED = "settled"
    VETOED = "vetoed"


@dataclass(frozen=True, slots=True)
class NewRun:
    """A computed day, ready to be stored."""

    result: DayResult
    run_hash: Hash32
    ruleset_hash: Hash32
    settlement_hash: Hash32
    winner_root: Hash32
    affiliate_root: Hash32
    winner_nodes: bytes  # packed trees, 32 bytes a node; empty without leaves
    affiliate_nodes: bytes


class Run(NamedTuple):
    """One row of settlement_runs."""

    run_id: int
    day_id: DayId
    run_hash: Hash32
    status: RunStatus
    ruleset_hash: Hash32
    total_payout_atoms: Atoms
    affiliate_total_atoms: Atoms
    charity_total_atoms: Atoms
    net_fee_atoms: Atoms
    pool_payout: list[Atoms]  # five each, as they go into the Settlement struct
    pool_jackpot_payout: list[Atoms]
    jackpot_hit: list[bool]
    winner_root: Hash32
    affiliate_root: Hash32
    settlement_hash: Hash32
    winner_count: int
    affiliate_count: int
    approved_by: str | None


def _run(*columns: Any) -> Run:
    row = Run(*columns)
    return row._replace(status=RunStatus(row.status))


SUPERSEDE_RUNS = """
    UPDATE settlement_runs SET status = 'superseded'
     WHERE day_id = %(day_id)s AND status IN ('dry_run', 'approved') RETURNING run_id
"""
INSERT_RUN = """
    INSERT INTO settlement_runs (day_id, run_hash, ruleset_hash, total_payout, affiliate_total, charity_total,
                                 net_fee, pool_payout, pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root,
                                 settlement_hash, winner_count, affiliate_count)
    VALUES (%(day_id)s, %(run_hash)s, %(ruleset_hash)s, %(total_payout)s, %(affiliate_total)s, %(charity_total)s,
            %(net_fee)s, %(pool_payout)s::numeric[], %(pool_jackpot_payout)s::numeric[], %(jackpot_hit)s::boolean[],
            %(winner_root)s, %(affiliate_root)s, %(settlement_hash)s, %(winner_count)s, %(affiliate_count)s)
    RETURNING run_id
"""
INSERT_TREE = "INSERT INTO settlement_trees (run_id, kind, nodes) VALUES (%(run_id)s, %(kind)s, %(nodes)s)"
COPY_WINNERS = "COPY settlement_winner_payouts (run_id, wallet, amount) FROM STDIN"
COPY_AFFILIATES = "COPY settlement_affiliate_payouts (run_id, wallet, amount) FROM STDIN"


def insert_run(conn: Conn, run: NewRun) -> int:
    """Store a run as ``dry_run`` with all its rows and supersede an older dry_run or approved one. Returns its id.

    Run it inside a transaction. Raises: InvariantBroken ``settlement_runs_one_live`` when the day has a committed or
    settled run, ``day_not_sealed``, or the name of the constraint that a wrong result breaks.
    """
    result = run.result
    conn.execute(SUPERSEDE_RUNS, {"day_id": result.day_id})
    row = conn.execute(
        INSERT_RUN,
        {
            "day_id": result.day_id,
            "run_hash": run.run_hash,
            "ruleset_hash": run.ruleset_hash,
            "total_payout": result.total_payout_atoms,
            "affiliate_total": result.affiliate_total_atoms,
            "charity_total": result.charity_total_atoms,
            "net_fee": result.net_fee_atoms,
            "pool_payout": [pool.payout_atoms for pool in result.pools],
            "pool_jackpot_payout": [pool.jackpot_payout_atoms for pool in result.pools],
            "jackpot_hit": [pool.jackpot_hit for pool in result.pools],
            "winner_root": run.winner_root,
            "affiliate_root": run.affiliate_root,
            "settlement_hash": run.settlement_hash,
            "winner_count": len(result.payouts),
            "affiliate_count": len(result.affiliate_payouts),
        },
    ).fetchone()
    if row is None:
        raise InvariantBroken("run_not_stored", f"the run of day {result.day_id} was not stored")
    run_id = int(row[0])
    for pool in result.pools:
        conn.execute(INSERT_POOL, {"run_id": run_id, **_pool_columns(pool)})
    _copy_payouts(conn, COPY_WINNERS, run_id, result.payouts)
    _copy_payouts(conn, COPY_AFFILIATES, run_id, result.affiliate_payouts)
    conn.execute(INSERT_TREE, {"run_id": run_id, "kind": "winner", "nodes": run.winner_nodes})
    conn.execute(INSERT_TREE, {"run_id": run_id, "kind": "affiliate", "nodes": run.affiliate_nodes})
    return run_id


def _copy_payouts(conn: Conn, copy_sql: str, run_id: int, payouts: Iterable[Payout]) -> None:
    with conn.cursor() as cur, cur.copy(copy_sql) as copy:
        for payout in payouts:
            copy.write_row((run_id, payout.wallet, payout.amount_atoms))


INSERT_POOL = """
    INSERT INTO settlement_pool_results (
        run_id, pool_id, ticket_count, tip_count, stake, digest, fee, rollover, jackpot, pot, carry, reserve,
        last_rollover, streak, budget, winning_numbers, tier_matches, tier_winning_tips, tier_share, tier_each,
        jackpot_matches, jackpot_each, payout, jackpot_payout, jackpot_hit, closing_carry, closing_reserve,
        closing_last_rollover, closing_streak)
    VALUES (
        %(run_id)s, %(pool_id)s, %(ticket_count)s, %(tip_count)s, %(stake)s, %(digest)s, %(fee)s, %(rollover)s,
        %(jackpot)s, %(pot)s, %(carry)s, %(reserve)s, %(last_rollover)s, %(streak)s, %(budget)s,
        %(winning_numbers)s::smallint[], %(tier_matches)s::smallint[], %(tier_winning_tips)s::integer[],
        %(tier_share)s::numeric[], %(tier_each)s::numeric[], %(jackpot_matches)s, %(jackpot_each)s, %(payout)s,
        %(jackpot_payout)s, %(jackpot_hit)s, %(closing_carry)s, %(closing_reserve)s,
        %(closing_last_rollover)s, %(closing_streak)s)
"""


def _pool_columns(pool: PoolResult) -> dict[str, Any]:
    return {
        "pool_id": pool.pool_id,
        "ticket_count": pool.sold.ticket_count,
        "tip_count": pool.sold.tip_count,
        "stake": pool.sold.stake_atoms,
        "digest": pool.sold.digest,
        "fee": pool.split.fee_atoms,
        "rollover": pool.split.rollover_atoms,
        "jackpot": pool.split.jackpot_atoms,
        "pot": pool.split.pot_atoms,
        "carry": pool.opening.carry_atoms,
        "reserve": pool.opening.reserve_atoms,
        "last_rollover": pool.opening.last_rollover_atoms,
        "streak": pool.opening.streak,
        "budget": pool.budget_atoms,
        "winning_numbers": list(pool.winning_numbers),
        "tier_matches": [tier.matches for tier in pool.tiers],
        "tier_winning_tips": [tier.winning_tips for tier in pool.tiers],
        "tier_share": [tier.share_atoms for tier in pool.tiers],
        "tier_each": [tier.each_atoms for tier in pool.tiers],
        "jackpot_matches": pool.jackpot_matches,
        "jackpot_each": pool.jackpot_each_atoms,
        "payout": pool.payout_atoms,
        "jackpot_payout": pool.jackpot_payout_atoms,
        "jackpot_hit": pool.jackpot_hit,
        "closing_carry": pool.closing.carry_atoms,
        "closing_reserve": pool.closing.reserve_atoms,
        "closing_last_rollover": pool.closing.last_rollover_atoms,
        "closing_streak": pool.closing.streak,
    }


SELECT_RUNS = """
    SELECT run_id, day_id, run_hash, status, ruleset_hash, total_payout, affiliate_total, charity_total, net_fee,
           pool_payout, pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root, settlement_hash, winner_count,
           affiliate_count, approved_by
      FROM settlement_runs WHERE day_id = %(day_id)s ORDER BY run_id
"""


def select_runs(conn: Conn, day_id: DayId) -> list[Run]:
    """All runs of the day, oldest first, superseded and vetoed ones included."""
    with conn.cursor(row_factory=args_row(_run)) as cur:
        return cur.execute(SELECT_RUNS, {"day_id": day_id}).fetchall()


SELECT_LIVE_RUN = """
    SELECT run_id, day_id, run_hash, status, ruleset_hash, total_payout, affiliate_total, charity_total, net_fee,
           pool_payout, pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root, settlement_hash, winner_count,
           affiliate_count, approved_by
      FROM settlement_runs WHERE day_id = %(day_id)s AND status NOT IN ('superseded', 'vetoed')
"""


def select_live_run(conn: Conn, day_id: DayId) -> Run | None:
    """The day's one run that is neither superseded nor vetoed, or None."""
    with conn.cursor(row_factory=args_row(_run)) as cur:
        return cur.execute(SELECT_LIVE_RUN, {"day_id": day_id}).fetchone()


SELECT_OPEN_RUNS = """
    SELECT run_id, day_id, run_hash, status, ruleset_hash, total_payout, affiliate_total, charity_total, net_fee,
           pool_payout, pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root, settlement_hash, winner_count,
           affiliate_count, approved_by
      FROM settlement_runs WHERE day_id = %(day_id)s AND status IN ('dry_run', 'approved') ORDER BY run_id
"""


def select_open_runs(conn: Conn, day_id: DayId) -> list[Run]:
    """Computed runs that are not committed yet (dry_run, approved): what the gates look at."""
    with conn.cursor(row_factory=args_row(_run)) as cur:
        return cur.execute(SELECT_OPEN_RUNS, {"day_id": day_id}).fetchall()


SELECT_CLOSING = """
    SELECT p.closing_carry, p.closing_reserve, p.closing_last_rollover, p.closing_streak
      FROM settlement_pool_results AS p JOIN settlement_runs AS r USING (run_id)
     WHERE r.day_id = %(day_id)s AND r.status = 'settled' ORDER BY p.pool_id
"""


def select_closing_state(conn: Conn, day_id: DayId) -> tuple[PoolState, ...] | None:
    """The closing state of a settled day, which is the opening state of the next; None if it is not settled."""
    rows = conn.execute(SELECT_CLOSING, {"day_id": day_id}).fetchall()
    return tuple(PoolState(*row) for row in rows) or None


APPROVE_RUN = """
    UPDATE settlement_runs SET status = 'approved', approved_by = %(by)s, approved_at = now()
     WHERE run_id = %(run_id)s AND status = 'dry_run' AND run_hash = %(run_hash)s
"""


def approve_run(conn: Conn, run_id: int, run_hash: Hash32, by: str) -> bool:
    """dry_run -> approved, for exactly this run hash. Raises: InvariantBroken ``run_rows_differ``."""
    return conn.execute(APPROVE_RUN, {"run_id": run_id, "run_hash": run_hash, "by": told(by)}).rowcount == 1


SUPERSEDE_RUN = """
    UPDATE settlement_runs SET status = 'superseded' WHERE run_id = %(run_id)s AND status IN ('dry_run', 'approved')
"""


def supersede_run(conn: Conn, run_id: int) -> bool:
    """dry_run or approved -> superseded: it will be computed anew."""
    return conn.execute(SUPERSEDE_RUN, {"run_id": run_id}).rowcount == 1


MARK_COMMITTED = "UPDATE settlement_runs SET status = 'committed' WHERE run_id = %(run_id)s AND status = 'approved'"


def mark_committed(conn: Conn, run_id: int) -> bool:
    """approved -> committed: the chain holds our hash. Raises: InvariantBroken ``run_rows_differ``."""
    return conn.execute(MARK_COMMITTED, {"run_id": run_id}).rowcount == 1


SELECT_SETTLED_DAYS = "SELECT day_id FROM settlement_runs WHERE status = 'settled' ORDER BY day_id"


def select_settled_days(conn: Conn) -> list[DayId]:
    """Every day that was released at a final block with our hash, ascending."""
    return [DayId(row[0]) for row in conn.execute(SELECT_SETTLED_DAYS).fetchall()]


MARK_SETTLED = "UPDATE settlement_runs SET status = 'settled' WHERE run_id = %(run_id)s AND status = 'committed'"


def mark_settled(conn: Conn, run_id: int) -> bool:
    """committed -> settled: released at a final block with our hash. For ever."""
    return conn.execute(MARK_SETTLED, {"run_id": run_id}).rowcount == 1


MARK_VETOED = "UPDATE settlement_runs SET status = 'vetoed' WHERE run_id = %(run_id)s AND status = 'committed'"


def mark_vetoed(conn: Conn, run_id: int) -> bool:
    """committed -> vetoed: the guardian said no. A new run may follow, with the same run hash even."""
    return conn.execute(MARK_VETOED, {"run_id": run_id}).rowcount == 1


SELECT_WINNERS = """
    SELECT wallet, amount AS amount_atoms FROM settlement_winner_payouts
     WHERE run_id = %(run_id)s ORDER BY wallet COLLATE "C"   -- byte order, as Python sorts
"""
SELECT_AFFILIATES = """
    SELECT wallet, amount AS amount_atoms FROM settlement_affiliate_payouts
     WHERE run_id = %(run_id)s ORDER BY wallet COLLATE "C"
"""


def select_winner_payouts(conn: Conn, run_id: int) -> list[Payout]:
    """The winners of a run, by wallet ascending."""
    with conn.cursor(row_factory=args_row(Payout)) as cur:
        return cur.execute(SELECT_WINNERS, {"run_id": run_id}).fetchall()


def select_affiliate_payouts(conn: Conn, run_id: int) -> list[Payout]:
    """The affiliates of a run, by wallet ascending."""
    with conn.cursor(row_factory=args_row(Payout)) as cur:
        return cur.execute(SELECT_AFFILIATES, {"run_id": run_id}).fetchall()


SELECT_WINNER = "SELECT amount FROM settlement_winner_payouts WHERE run_id = %(run_id)s AND wallet = %(wallet)s"
SELECT_AFFILIATE = "SELECT amount FROM settlement_affiliate_payouts WHERE run_id = %(run_id)s AND wallet = %(wallet)s"


def select_payout(conn: Conn, run_id: int, wallet: Wallet, kind: Kind = "winner") -> Atoms | None:
    """What one wallet gets, or None."""
    sql = SELECT_WINNER if kind == "winner" else SELECT_AFFILIATE
    row = conn.execute(sql, {"run_id": run_id, "wallet": wallet}).fetchone()
    return Atoms(row[0]) if row else None


SELECT_TREE = "SELECT nodes FROM settlement_trees WHERE run_id = %(run_id)s AND kind = %(kind)s"


def select_tree(conn: Conn, run_id: int, kind: Kind = "winner") -> bytes | None:
    """The packed tree (``MerkleTree(nodes)`` reads it), or None for an unknown run."""
    row = conn.execute(SELECT_TREE, {"run_id": run_id, "kind": kind}, binary=True).fetchone()
    return bytes(row[0]) if row else None


SELECT_POOLS = """
    SELECT pool_id, ticket_count, tip_count, stake, digest, fee, rollover, jackpot, pot, carry, reserve, last_rollover,
           streak, budget, winning_numbers, tier_matches, tier_winning_tips, tier_share, tier_each, jackpot_matches,
           jackpot_each, payout, jackpot_payout, jackpot_hit, closing_carry, closing_reserve, closing_last_rollover,
           closing_streak
      FROM settlement_pool_results WHERE run_id = %(run_id)s ORDER BY pool_id
"""


def select_pool_results(conn: Conn, run_id: int) -> tuple[PoolResult, ...]:
    """The five pools of a run, as core computed them."""
    return tuple(_pool_result(*row) for row in conn.execute(SELECT_POOLS, {"run_id": run_id}).fetchall())


def _pool_result(*row: Any) -> PoolResult:
    values: Iterator[Any] = iter(row)
    pool_id = PoolId(next(values))
    sold = PoolDay(next(values), next(values), Atoms(next(values)), Hash32(next(values)))
    split = StakeSplit(*(Atoms(next(values)) for _ in range(4)))
    opening = PoolState(Atoms(next(values)), Atoms(next(values)), Atoms(next(values)), next(values))
    budget = Atoms(next(values))
    numbers = tuple(next(values))
    tiers = tuple(TierResult(*tier) for tier in zip(*(next(values) for _ in range(4)), strict=True))
    jackpot_matches, jackpot_each, payout, jackpot_payout, hit = (next(values) for _ in range(5))
    closing = PoolState(*(next(values) for _ in range(4)))
    return PoolResult(
        pool_id=pool_id,
        sold=sold,
        split=split,
        opening=opening,
        budget_atoms=budget,
        winning_numbers=numbers,
        tiers=tiers,
        jackpot_matches=jackpot_matches,
        jackpot_each_atoms=jackpot_each,
        payout_atoms=payout,
        jackpot_payout_atoms=jackpot_payout,
        jackpot_hit=hit,
        closing=closing,
    )
