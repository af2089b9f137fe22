"""Prizes of one pool: budget, tiers, jackpot, closing state (rules 2.5 to 2.7)."""

from collections.abc import Mapping
from dataclasses import dataclass

from bo_engine.errors import require_input, require_invariant
from bo_engine.units import BPS_ONE, MAX_UINT256, Atoms, PoolId
from core.lottery.model import PoolDay, PoolResult, PoolState, StakeSplit, TierResult
from core.lottery.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class JackpotResult:
    """Where the jackpot went; all zero when it stayed."""

    matches: int
    each_atoms: Atoms
    payout_atoms: Atoms


NO_JACKPOT = JackpotResult(0, Atoms(0), Atoms(0))


def budget_of(opening: PoolState, split: StakeSplit) -> Atoms:
    """What the tiers share: carry + yesterday's rollover + today's pot. Today's rollover is tomorrow's money."""
    return Atoms(opening.carry_atoms + opening.last_rollover_atoms + split.pot_atoms)


def reserve_of(opening: PoolState, split: StakeSplit) -> Atoms:
    """What the jackpot is paid from: the reserve and today's share."""
    return Atoms(opening.reserve_atoms + split.jackpot_atoms)


def split_tiers(ruleset: Ruleset, budget_atoms: int, winning_tips: Mapping[int, int]) -> tuple[TierResult, ...]:
    """Share the budget by tier; ``winning_tips`` counts the winning tips by number of matches.

    Each winning tip receives floor(share / winning tips). Unwon shares and dust are not paid: they stay in carry.
    """
    tiers = []
    for matches, share_bps in ruleset.tier_bps:
        share = budget_atoms * share_bps // BPS_ONE
        winners = winning_tips.get(matches, 0)
        each = share // winners if winners else 0
        tiers.append(TierResult(matches, winners, Atoms(share), Atoms(each)))
    return tuple(tiers)


def split_jackpot(ruleset: Ruleset, reserve_atoms: int, streak: int, winning_tips: Mapping[int, int]) -> JackpotResult:
    """Decide who gets the jackpot, if anyone.

    With a six, the sixes. Without one, from the day on which streak + 1 reaches the limit, the highest tier that has a
    winning tip. Each tip receives floor(share / tips); where that is nothing, no jackpot was paid.
    """
    tiers = [matches for matches, _ in ruleset.tier_bps]
    is_due = streak + 1 >= ruleset.jackpot_streak_days
    eligible = tiers if is_due else tiers[-1:]
    matches = max((tier for tier in eligible if winning_tips.get(tier, 0)), default=0)
    if matches == 0:
        return NO_JACKPOT
    each = reserve_atoms * ruleset.jackpot_payout_bps // BPS_ONE // winning_tips[matches]
    if each == 0:
        return NO_JACKPOT
    return JackpotResult(matches, Atoms(each), Atoms(each * winning_tips[matches]))


def next_streak(streak: int, tip_count: int, jackpot_hit: bool) -> int:
    """Days since the last jackpot on which the pool sold a tip."""
    if jackpot_hit:
        return 0
    return streak + 1 if tip_count else streak


def check_opening(pool_id: PoolId, opening: PoolState) -> None:
    """Check a pool's opening state. Raises: InvalidInput ``bad_state``."""
    amounts = (opening.carry_atoms, opening.reserve_atoms, opening.last_rollover_atoms)
    fits = all(0 <= amount <= MAX_UINT256 for amount in amounts) and 0 <= opening.streak < 2**53
    require_input(fits, "bad_state", f"pool {pool_id}: not an opening state: {opening}")


def settle_pool(
    *,
    ruleset: Ruleset,
    pool_id: PoolId,
    opening: PoolState,
    sold: PoolDay,
    split: StakeSplit,
    winning_numbers: tuple[int, ...],
    winning_tips: Mapping[int, int],
) -> PoolResult:
    """Settle one pool from its opening state, what it sold, and how many tips won in each tier.

    Raises: InvalidInput ``bad_state``, ``amount_overflow`` (a sum would not fit the contract's uint256);
    InvariantBroken ``pool_leak`` if an atom were created or lost.
    """
    check_opening(pool_id, opening)
    budget = budget_of(opening, split)
    reserve = reserve_of(opening, split)
    fits = max(budget, reserve) <= MAX_UINT256
    require_input(fits, "amount_overflow", f"pool {pool_id}: budget or reserve exceeds 2^256-1")
    tiers = split_tiers(ruleset, budget, winning_tips)
    jackpot = split_jackpot(ruleset, reserve, opening.streak, winning_tips)
    payout = sum(tier.each_atoms * tier.winning_tips for tier in tiers)
    hit = jackpot.payout_atoms > 0
    closing = PoolState(
        carry_atoms=Atoms(budget - payout),
        reserve_atoms=Atoms(reserve - jackpot.payout_atoms),
        last_rollover_atoms=split.rollover_atoms,
        streak=next_streak(opening.streak, sold.tip_count, hit),
    )
    result = PoolResult(
        pool_id=pool_id,
        sold=sold,
        split=split,
        opening=opening,
        budget_atoms=budget,
        winning_numbers=winning_numbers,
        tiers=tiers,
        jackpot_matches=jackpot.matches,
        jackpot_each_atoms=jackpot.each_atoms,
        payout_atoms=Atoms(payout),
        jackpot_payout_atoms=jackpot.payout_atoms,
        jackpot_hit=hit,
        closing=closing,
    )
    check_conservation(result)
    return result


def check_conservation(result: PoolResult) -> None:
    """Rule 2.11 for one pool: what came went or stays. Raises: InvariantBroken ``pool_leak``."""
    before, after, split = result.opening, result.closing, result.split
    came = before.carry_atoms + before.reserve_atoms + before.last_rollover_atoms + result.sold.stake_atoms
    stays = after.carry_atoms + after.reserve_atoms + after.last_rollover_atoms
    went = result.payout_atoms + result.jackpot_payout_atoms + split.fee_atoms
    nothing_negative = min(after.carry_atoms, after.reserve_atoms, after.last_rollover_atoms) >= 0
    require_invariant(
        came == went + stays and nothing_negative,
        "pool_leak",
        f"pool {result.pool_id}: {came} atoms came in, {went} went out, {stays} stay",
    )
