"""A whole day: from tickets and seeds to payouts and closing state, in one pass (rules 2.3 to 2.11 and 3)."""

from collections.abc import Iterable, Sequence

from bo_engine.errors import InvalidInput, require_input, require_invariant
from bo_engine.units import MAX_UINT256, POOL_COUNT, POOL_IDS, Atoms, DayId, Wallet
from core.lottery.affiliates import ReferredCheck, check_referred, split_fee
from core.lottery.drand import check_seeds
from core.lottery.draw import draw_numbers, draw_seed
from core.lottery.fold import DayFold, batches
from core.lottery.model import DayResult, Deployment, Payout, PoolResult, PoolState, ReferredStake, Seeds, Ticket
from core.lottery.prizes import settle_pool
from core.lottery.ruleset import Ruleset
from core.lottery.tips import mask_of
from core.lottery.winners import WinnerCount


def settle_day(
    *,
    day_id: DayId,
    ruleset: Ruleset,
    deployment: Deployment,
    opening: Sequence[PoolState],
    tickets: Iterable[Ticket],
    referred: Sequence[ReferredStake],
    seeds: Seeds | None,
) -> DayResult:
    """Settle a day.

    ``opening`` holds the five pools' states, ``tickets`` streams the day's tickets in ascending id, ``referred`` comes
    in any order. The caller has verified the seeds' signature (``drand.verify_seeds``); all else about them is checked
    here. A day without tickets needs no seeds and ignores any it is given, so that it has one result only.
    Raises: InvalidInput ``seeds_missing``, ``bad_seeds``, ``bad_state``, ``tickets_unordered``, ``wrong_day``,
    ``bad_ticket``, ``bad_tip``, ``bad_referred``, ``referred_mismatch``, ``fee_exceeded``, ``amount_overflow``;
    InvariantBroken ``pool_leak``, ``payout_leak``, ``fee_leak``, ``split_leak``.
    """
    require_input(len(opening) == POOL_COUNT, "bad_state", f"there are {POOL_COUNT} opening states, got {len(opening)}")
    check_referred(referred, ruleset)
    fold = DayFold(day_id, ruleset)
    referred_check = ReferredCheck(referred)
    tiers = [matches for matches, _ in ruleset.tier_bps]
    numbers: tuple[tuple[int, ...], ...] = ((),) * POOL_COUNT
    winners = WinnerCount([0] * POOL_COUNT, tiers)
    draw_from = None
    for batch in batches(tickets):
        if draw_from is None:
            draw_from = _seeds_of(day_id, ruleset, seeds)
            numbers = winning_numbers(ruleset, deployment, day_id, draw_from)
            winners = WinnerCount([mask_of(drawn, ruleset.number_max) for drawn in numbers], tiers)
        masks = fold.add(batch)
        referred_check.add(batch)
        winners.add(batch, masks)
    referred_check.finish()
    pools = tuple(
        settle_pool(
            ruleset=ruleset,
            pool_id=pool_id,
            opening=opening[pool_id],
            sold=sold,
            split=split,
            winning_numbers=numbers[pool_id],
            winning_tips=winners.winning_tips(pool_id),
        )
        for pool_id, sold, split in zip(POOL_IDS, fold.sold(), fold.splits(), strict=True)
    )
    fee = split_fee(ruleset, sum(pool.split.fee_atoms for pool in pools), referred)
    result = DayResult(
        day_id=day_id,
        pools=pools,
        payouts=_payouts_of(pools, winners),
        affiliate_payouts=fee.affiliate_payouts,
        total_payout_atoms=Atoms(sum(pool.payout_atoms + pool.jackpot_payout_atoms for pool in pools)),
        affiliate_total_atoms=fee.affiliate_total_atoms,
        charity_total_atoms=fee.charity_total_atoms,
        net_fee_atoms=fee.net_fee_atoms,
        fee_atoms=fee.fee_atoms,
        seeds=draw_from,
    )
    check_sums(result)
    return result


def winning_numbers(
    ruleset: Ruleset, deployment: Deployment, day_id: DayId, seeds: Seeds
) -> tuple[tuple[int, ...], ...]:
    """The winning numbers of all five pools, in the order drawn."""
    return tuple(
        draw_numbers(draw_seed(deployment, day_id, pool_id, seeds), ruleset.number_max) for pool_id in POOL_IDS
    )


def check_sums(result: DayResult) -> None:
    """Check that payouts add up to the totals and that no wallet stands twice.

    Raises: InvariantBroken ``payout_leak``; InvalidInput ``amount_overflow``.
    """
    for payouts, total in (
        (result.payouts, result.total_payout_atoms),
        (result.affiliate_payouts, result.affiliate_total_atoms),
    ):
        paid = sum(payout.amount_atoms for payout in payouts)
        require_invariant(paid == total, "payout_leak", f"payouts add up to {paid} atoms, the total is {total}")
        all_paid = all(payout.amount_atoms > 0 for payout in payouts)
        once = len({payout.wallet for payout in payouts}) == len(payouts)
        require_invariant(all_paid and once, "payout_leak", "a wallet stands twice or with nothing")
        require_input(total <= MAX_UINT256, "amount_overflow", f"a total of {total} atoms exceeds 2^256-1")


def _seeds_of(day_id: DayId, ruleset: Ruleset, seeds: Seeds | None) -> Seeds:
    if seeds is None:
        raise InvalidInput("seeds_missing", f"day {day_id} has tips and cannot be drawn without its seeds")
    check_seeds(ruleset, day_id, seeds)
    return seeds


def _payouts_of(pools: Sequence[PoolResult], winners: WinnerCount) -> tuple[Payout, ...]:
    amounts: dict[Wallet, int] = {}
    for pool in pools:
        for tier in pool.tiers:
            extra = pool.jackpot_each_atoms if tier.matches == pool.jackpot_matches else 0
            each = tier.each_atoms + extra
            if each:
                for wallet, tips in winners.wallets(pool.pool_id, tier.matches).items():
                    amounts[wallet] = amounts.get(wallet, 0) + each * tips
    return tuple(Payout(wallet, Atoms(amount)) for wallet, amount in sorted(amounts.items()))
