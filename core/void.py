"""A voided day: every stake goes back to who paid it, and nothing else moves (rule 2.12)."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from bo_engine.errors import require_input, require_invariant
from bo_engine.units import MAX_UINT256, POOL_COUNT, POOL_IDS, ZERO_WALLET, Atoms, DayId, PoolId, Wallet
from core.fold import DayFold, batches
from core.model import DayResult, Payout, PoolDay, PoolResult, PoolState, StakeSplit, Ticket, VoidedDay
from core.prizes import check_conservation, check_opening
from core.ruleset import Ruleset
from core.settle import check_sums
from core.tickets import own_stake_of

VoidReason = Literal["vrf_missing", "announced"]
VOID_REASONS: Final[tuple[VoidReason, ...]] = ("vrf_missing", "announced")
# The contract's own limits (SettlementV4), in seconds of the chain's time.
MISSING_WORD_AGE_S: Final = 3 * 86_400
ANNOUNCED_AGE_S: Final = 30 * 86_400
NOTICE_S: Final = 7 * 86_400

_NO_SPLIT: Final = StakeSplit(Atoms(0), Atoms(0), Atoms(0), Atoms(0))
_ZERO: Final = Atoms(0)


def void_day(
    *,
    day_id: DayId,
    ruleset: Ruleset,
    opening: Sequence[PoolState],
    tickets: Iterable[Ticket],
    promotions: Wallet,
) -> VoidedDay:
    """Refund a day: each player his own stake, the promotions account the voucher part of every ticket.

    ``tickets`` streams the day's tickets in ascending id. One refund per wallet: a promotions account that also bought
    gets both in one. Yesterday's rollover stays in the pool's carry, reserve and streak stay as they are.
    Raises: InvalidInput ``bad_state``, ``bad_promotions``, ``amount_overflow``, ``tickets_unordered``, ``wrong_day``,
    ``bad_ticket``, ``bad_tip``; InvariantBroken ``pool_leak``, ``payout_leak``, ``refund_leak``.
    """
    require_input(len(opening) == POOL_COUNT, "bad_state", f"there are {POOL_COUNT} opening states, got {len(opening)}")
    require_input(promotions != ZERO_WALLET, "bad_promotions", "the zero address is no promotions account")
    fold = DayFold(day_id, ruleset)
    amounts: dict[Wallet, int] = {}
    vouchers = 0
    for batch in batches(tickets):
        fold.add(batch)
        for ticket in batch:
            own = own_stake_of(ticket)
            amounts[ticket.buyer] = amounts.get(ticket.buyer, 0) + own
            vouchers += ticket.stake_atoms - own
    if vouchers:
        amounts[promotions] = amounts.get(promotions, 0) + vouchers
    pools = tuple(
        _void_pool(pool_id, opening[pool_id], sold) for pool_id, sold in zip(POOL_IDS, fold.sold(), strict=True)
    )
    result = DayResult(
        day_id=day_id,
        pools=pools,
        payouts=tuple(Payout(wallet, Atoms(amount)) for wallet, amount in sorted(amounts.items())),
        affiliate_payouts=(),
        total_payout_atoms=Atoms(sum(pool.sold.stake_atoms for pool in pools)),
        affiliate_total_atoms=_ZERO,
        charity_total_atoms=_ZERO,
        net_fee_atoms=_ZERO,
        fee_atoms=_ZERO,
        seeds=None,
    )
    check_sums(result)
    refunded = sum(pool.refund_atoms for pool in pools)
    total = result.total_payout_atoms
    require_invariant(refunded == total, "refund_leak", f"the pools give back {refunded} atoms, the stake is {total}")
    return VoidedDay(result, promotions if vouchers else None, Atoms(vouchers))


def _void_pool(pool_id: PoolId, opening: PoolState, sold: PoolDay) -> PoolResult:
    check_opening(pool_id, opening)
    kept = Atoms(opening.carry_atoms + opening.last_rollover_atoms)
    require_input(kept <= MAX_UINT256, "amount_overflow", f"pool {pool_id}: the carry exceeds 2^256-1")
    result = PoolResult(
        pool_id=pool_id,
        sold=sold,
        split=_NO_SPLIT,
        opening=opening,
        budget_atoms=kept,
        winning_numbers=(),
        tiers=(),
        jackpot_matches=0,
        jackpot_each_atoms=_ZERO,
        payout_atoms=_ZERO,
        jackpot_payout_atoms=_ZERO,
        jackpot_hit=False,
        closing=PoolState(kept, opening.reserve_atoms, _ZERO, opening.streak),
        refund_atoms=sold.stake_atoms,
    )
    check_conservation(result)
    return result


def void_reason(*, day_end_s: int, at_s: int, announced_at_s: int, has_tips: bool, has_word: bool) -> VoidReason | None:
    """Which of the contract's two conditions lets a day be voided at a moment of the chain's time; None if neither.

    An announcement that is due counts first: it stands on the chain for ever and is never taken back, so the answer is
    the same whenever it is asked, while a missing word may still come.
    """
    notice_over = announced_at_s != 0 and at_s >= announced_at_s + NOTICE_S
    if notice_over and at_s >= day_end_s + ANNOUNCED_AGE_S:
        return "announced"
    if has_tips and not has_word and at_s >= day_end_s + MISSING_WORD_AGE_S:
        return "vrf_missing"
    return None
