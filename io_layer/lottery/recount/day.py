"""Gate G13, the second opinion: the day once more, by another way, from the ticket rows to the roots.

Plain on purpose: SQL does the counting and the sharing, a recursive fold hashes the trees with another keccak
library. Nothing of core/ or merkle/ is imported, so an error there cannot repeat itself here. The drand signature is
verified by beacon.py beside this module, and backends.py shows that the libraries are others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from Crypto.Hash import keccak

from bo_engine.errors import require_input
from bo_engine.units import Hash32, Wallet
from io_layer.postgres.connection import Conn


@dataclass(frozen=True, slots=True)
class RecountRules:
    """The numbers of the ruleset and of the deployment, as plain values."""

    prices: Sequence[int]  # atoms per tip, five pools
    fee_bps: int
    rollover_bps: int
    jackpot_bps: int  # of what fee and rollover leave
    tier_bps: Mapping[int, int]  # matches -> share of the budget
    jackpot_payout_bps: int
    jackpot_streak_days: int
    affiliate_default_bps: int
    charity_bps: int
    chain_id: int
    prize_vault: str
    affiliate_vault: str


@dataclass(frozen=True, slots=True)
class Recount:
    """What the second opinion found. Amounts in atoms; rows by wallet, ascending."""

    total_payout: int
    affiliate_total: int
    charity_total: int
    pool_payout: tuple[int, ...]  # tiers, without the jackpot
    pool_jackpot_payout: tuple[int, ...]
    winner_rows: tuple[tuple[str, int], ...]
    affiliate_rows: tuple[tuple[str, int], ...]
    winner_root: Hash32
    affiliate_root: Hash32


# One statement, so that all numbers come from one snapshot; it writes nothing, so a dry run may use it.
# div() is exact integer division of numerics, which rounds to zero: a floor, since nothing here is negative.
RECOUNT_WINNERS = """
    WITH drawn AS (
        SELECT (place - 1)::smallint AS pool_id, mask::bit(64) AS mask
          FROM unnest(%(masks)s::bigint[]) WITH ORDINALITY AS m (mask, place)
    ), prices AS (
        SELECT (place - 1)::smallint AS pool_id, price
          FROM unnest(%(prices)s::numeric[]) WITH ORDINALITY AS p (price, place)
    ), stakes AS (
        SELECT t.pool_id, sum(p.price * (t.paid_tips + t.voucher_tips)) AS stake
          FROM tickets AS t JOIN prices AS p USING (pool_id) WHERE t.day_id = %(day_id)s GROUP BY t.pool_id
    ), cuts AS (
        SELECT pool_id, stake, div(stake * %(fee_bps)s, 10000) AS fee, div(stake * %(rollover_bps)s, 10000) AS rollover
          FROM stakes
    ), splits AS (
        SELECT pool_id, fee, div((stake - fee - rollover) * %(jackpot_bps)s, 10000) AS jackpot,
               stake - fee - rollover - div((stake - fee - rollover) * %(jackpot_bps)s, 10000) AS pot
          FROM cuts
    ), hits AS MATERIALIZED (
        SELECT pool_id, buyer, matches, count(*) AS tips
          FROM (SELECT t.pool_id, t.buyer,
                       bit_count(('x' || encode(substring(t.tips FROM 8 * n + 1 FOR 8), 'hex'))::bit(64) & d.mask)
                           AS matches
                  FROM tickets AS t JOIN drawn AS d USING (pool_id)
                 CROSS JOIN LATERAL generate_series(0, octet_length(t.tips) / 8 - 1) AS n
                 WHERE t.day_id = %(day_id)s) AS matched
         WHERE matches = ANY(%(tier_matches)s::integer[])
         GROUP BY pool_id, buyer, matches
    ), pools AS (
        SELECT i.pool_id, coalesce(s.fee, 0) AS fee, i.carry + i.last_rollover + coalesce(s.pot, 0) AS budget,
               div((i.reserve + coalesce(s.jackpot, 0)) * %(jackpot_payout_bps)s, 10000) AS jackpot_share,
               i.streak + 1 >= %(jackpot_streak_days)s AS rolls_down
          FROM day_inputs AS i LEFT JOIN splits AS s USING (pool_id) WHERE i.day_id = %(day_id)s
    ), tiers AS (
        SELECT p.pool_id, b.matches, w.tips, div(div(p.budget * b.share_bps, 10000), w.tips) AS each,
               b.matches = max(b.matches) OVER (PARTITION BY p.pool_id) AND (b.matches = 6 OR p.rolls_down)
                   AS takes_jackpot,
               p.jackpot_share
          FROM pools AS p
         CROSS JOIN unnest(%(tier_matches)s::integer[], %(tier_bps)s::numeric[]) AS b (matches, share_bps)
          JOIN (SELECT pool_id, matches, sum(tips) AS tips FROM hits GROUP BY pool_id, matches) AS w
            ON w.pool_id = p.pool_id AND w.matches = b.matches
    ), prizes AS (
        SELECT pool_id, matches, tips, each,
               CASE WHEN takes_jackpot THEN div(jackpot_share, tips) ELSE 0 END AS jackpot_each
          FROM tiers
    )
    SELECT 'pool', p.pool_id::text, coalesce(sum(z.tips * z.each), 0), coalesce(sum(z.tips * z.jackpot_each), 0),
           max(p.fee)
      FROM pools AS p LEFT JOIN prizes AS z USING (pool_id) GROUP BY p.pool_id
     UNION ALL
    SELECT 'winner', h.buyer::text, sum(h.tips * (z.each + z.jackpot_each)), 0, 0
      FROM hits AS h JOIN prizes AS z USING (pool_id, matches)
     GROUP BY h.buyer HAVING sum(h.tips * (z.each + z.jackpot_each)) > 0
"""
RECOUNT_AFFILIATES = """
    WITH prices AS (
        SELECT (place - 1)::smallint AS pool_id, price
          FROM unnest(%(prices)s::numeric[]) WITH ORDINALITY AS p (price, place)
    ), own AS (
        SELECT t.affiliate, t.buyer, sum(p.price * t.paid_tips) AS stake
          FROM tickets AS t JOIN prices AS p USING (pool_id)
         WHERE t.day_id = %(day_id)s AND t.affiliate IS NOT NULL GROUP BY t.affiliate, t.buyer
    ), commissions AS (
        SELECT o.affiliate, div(o.stake * coalesce(r.rate, %(affiliate_default_bps)s), 10000) AS amount
          FROM own AS o
          LEFT JOIN unnest(%(rate_wallets)s::text[], %(rate_bps)s::numeric[]) AS r (wallet, rate)
            ON r.wallet = o.affiliate
    )
    SELECT affiliate::text, sum(amount) FROM commissions GROUP BY affiliate HAVING sum(amount) > 0
"""


def recount_day(
    conn: Conn,
    day_id: int,
    rules: RecountRules,
    winning_numbers: Sequence[Sequence[int]],
    rates: Mapping[Wallet, int],
) -> Recount:
    """Recount a sealed day: the opening state comes from day_inputs, everything else from the ticket rows.

    ``winning_numbers``: six per pool, or nothing at all on a day without tips. ``rates``: bps in force per affiliate,
    where they differ from the default. Raises: InvalidInput ``recount_not_sealed``, ``bad_range``; EngineErrors of the
    database.
    """
    fits = all(1 <= number <= 49 for numbers in winning_numbers for number in numbers)
    require_input(fits, "bad_range", f"winning numbers are 1 to 49, the chain told {winning_numbers}")
    drawn = [sum(1 << (number - 1) for number in numbers) for numbers in winning_numbers if len(numbers)]
    given = {
        "day_id": day_id,
        "masks": drawn,
        "prices": list(rules.prices),
        "fee_bps": rules.fee_bps,
        "rollover_bps": rules.rollover_bps,
        "jackpot_bps": rules.jackpot_bps,
        "tier_matches": list(rules.tier_bps.keys()),
        "tier_bps": list(rules.tier_bps.values()),
        "jackpot_payout_bps": rules.jackpot_payout_bps,
        "jackpot_streak_days": rules.jackpot_streak_days,
    }
    found = conn.execute(RECOUNT_WINNERS, given).fetchall()
    pools = sorted((int(name), paid, jackpot, fee) for kind, name, paid, jackpot, fee in found if kind == "pool")
    require_input(len(pools) == 5, "recount_not_sealed", f"day {day_id} is not sealed, so it cannot be recounted")
    winners = tuple(sorted((name, amount) for kind, name, amount, _, _ in found if kind == "winner"))
    affiliates = recount_affiliates(conn, day_id, rules, rates)
    affiliate_total = sum(amount for _, amount in affiliates)
    fee_total = sum(fee for _, _, _, fee in pools)
    return Recount(
        total_payout=sum(amount for _, amount in winners),
        affiliate_total=affiliate_total,
        charity_total=(fee_total - affiliate_total) * rules.charity_bps // 10_000,
        pool_payout=tuple(paid for _, paid, _, _ in pools),
        pool_jackpot_payout=tuple(jackpot for _, _, jackpot, _ in pools),
        winner_rows=winners,
        affiliate_rows=affiliates,
        winner_root=_root(rules.chain_id, rules.prize_vault, day_id, winners),
        affiliate_root=_root(rules.chain_id, rules.affiliate_vault, day_id, affiliates),
    )


def recount_affiliates(
    conn: Conn, day_id: int, rules: RecountRules, rates: Mapping[Wallet, int]
) -> tuple[tuple[str, int], ...]:
    """Each affiliate's commissions of a day in atoms, by wallet; ``rates`` as for ``recount_day``."""
    given = {
        "day_id": day_id,
        "prices": list(rules.prices),
        "affiliate_default_bps": rules.affiliate_default_bps,
        "rate_wallets": list(rates.keys()),
        "rate_bps": list(rates.values()),
    }
    return tuple(sorted((name, amount) for name, amount in conn.execute(RECOUNT_AFFILIATES, given).fetchall()))


def _root(chain_id: int, vault: str, day_id: int, rows: Sequence[tuple[str, int]]) -> Hash32:
    """The root over one leaf per row: leaves in falling order at the end of the array, parents before children."""
    if not rows:
        return Hash32(bytes(32))
    domain = keccak256(b"BO-ENGINE/LEAF/1".ljust(32, b"\0") + _word(chain_id) + _word(int(vault, 16)))
    leaves = [
        keccak256(keccak256(domain + _word(day_id) + _word(int(wallet, 16)) + _word(amount))) for wallet, amount in rows
    ]
    leaves.sort(reverse=True)
    inner = len(leaves) - 1

    def fold(node: int) -> bytes:
        # Twenty levels deep at a million leaves, so Python's stack is no concern.
        if node >= inner:
            return leaves[node - inner]
        left, right = fold(2 * node + 1), fold(2 * node + 2)
        return keccak256(left + right if left < right else right + left)

    return Hash32(fold(0))


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def keccak256(data: bytes) -> bytes:
    """keccak-256 by pycryptodome, the second library."""
    digest: bytes = keccak.new(data=data, digest_bits=256).digest()
    return digest
