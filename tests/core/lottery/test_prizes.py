"""Rules 2.5, 2.6, 2.7 and 2.11."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput, InvariantBroken
from bo_engine.units import MAX_UINT256, ZERO_HASH, Atoms, PoolId
from core.lottery.model import PoolDay, PoolResult, PoolState, StakeSplit, TierResult
from core.lottery.prizes import check_conservation, next_streak, settle_pool, split_jackpot, split_tiers
from core.lottery.ruleset import RULESET_1
from core.lottery.tickets import split_stake
from tests.support.days import pool_states, quick

winner_counts = st.fixed_dictionaries({tier: st.one_of(st.just(0), st.integers(0, 10**6)) for tier in (4, 5, 6)})
NOTHING = {4: 0, 5: 0, 6: 0}


def settled(opening: PoolState, stake: int, winning_tips: dict[int, int], tip_count: int | None = None) -> PoolResult:
    return settle_pool(
        ruleset=RULESET_1,
        pool_id=PoolId(2),
        opening=opening,
        sold=PoolDay(1 if stake else 0, tip_count if tip_count is not None else 255, Atoms(stake), ZERO_HASH),
        split=split_stake(RULESET_1, stake),
        winning_numbers=(1, 2, 3, 4, 5, 6),
        winning_tips=winning_tips,
    )


def state(carry: int = 0, reserve: int = 0, last_rollover: int = 0, streak: int = 0) -> PoolState:
    return PoolState(Atoms(carry), Atoms(reserve), Atoms(last_rollover), streak)


def test_the_budget_takes_yesterdays_rollover_and_leaves_todays_alone() -> None:
    # 100 USDT: rollover 5, jackpot 27, pot 40.50.
    result = settled(state(carry=1_000, last_rollover=20), 100_000_000, NOTHING)
    assert result.budget_atoms == 1_000 + 20 + 40_500_000
    assert result.closing == state(carry=40_501_020, reserve=27_000_000, last_rollover=5_000_000, streak=1)


def test_tiers_share_40_25_and_35_percent_of_the_budget() -> None:
    tiers = split_tiers(RULESET_1, 1_000_000, {4: 3, 5: 1, 6: 2})
    assert tiers == (
        TierResult(4, 3, 400_000, 133_333),
        TierResult(5, 1, 250_000, 250_000),
        TierResult(6, 2, 350_000, 175_000),
    )


def test_dust_and_unwon_tiers_stay_in_carry() -> None:
    # Tier 4: 400000 // 3 = 133333 each, one atom of dust; nobody has five; 350000 for one six.
    result = settled(state(carry=1_000_000), 0, {4: 3, 5: 0, 6: 1}, tip_count=4)
    assert result.payout_atoms == 399_999 + 350_000
    assert result.closing.carry_atoms == 250_001


def test_more_winners_than_atoms_pay_nothing_and_lose_nothing() -> None:
    result = settled(state(carry=10, reserve=10), 0, {4: 5, 5: 5, 6: 11}, tip_count=21)
    assert (result.payout_atoms, result.jackpot_payout_atoms, result.jackpot_hit) == (0, 0, False)
    assert result.closing == state(carry=10, reserve=10, streak=1)


@pytest.mark.parametrize("streak", [0, 50, 89, 200])
def test_a_six_takes_nine_tenths_of_the_reserve_on_any_day(streak: int) -> None:
    # (1000 + 0) * 0.9 = 900, 450 each for two sixes.
    result = settled(state(reserve=1_000, streak=streak), 0, {4: 7, 5: 3, 6: 2}, tip_count=12)
    assert (result.jackpot_matches, result.jackpot_each_atoms, result.jackpot_payout_atoms) == (6, 450, 900)
    assert result.jackpot_hit
    assert result.closing == state(reserve=100, streak=0)


@pytest.mark.parametrize(
    ("winning_tips", "matches", "each"),
    [({4: 7, 5: 4, 6: 0}, 5, 225), ({4: 7, 5: 0, 6: 0}, 4, 128), ({4: 0, 5: 1, 6: 0}, 5, 900)],
)
def test_the_jackpot_rolls_down_on_the_ninetieth_day(winning_tips: dict[int, int], matches: int, each: int) -> None:
    early = split_jackpot(RULESET_1, 1_000, 88, winning_tips)
    due = split_jackpot(RULESET_1, 1_000, 89, winning_tips)
    assert (early.matches, early.payout_atoms) == (0, 0)
    assert (due.matches, due.each_atoms, due.payout_atoms) == (matches, each, each * winning_tips[matches])


def test_a_due_jackpot_without_any_winner_waits_for_the_next_day() -> None:
    first = settled(state(reserve=1_000, streak=89), 0, NOTHING, tip_count=9)
    assert (first.jackpot_hit, first.closing.reserve_atoms, first.closing.streak) == (False, 1_000, 90)
    second = settled(first.closing, 0, {4: 1, 5: 0, 6: 0}, tip_count=9)
    assert (second.jackpot_matches, second.jackpot_payout_atoms, second.closing.streak) == (4, 900, 0)


def test_a_day_without_tips_leaves_the_streak_alone() -> None:
    for streak in (0, 88, 89, 200):
        result = settled(state(5, 6, 7, streak), 0, NOTHING, tip_count=0)
        assert result.closing == state(carry=12, reserve=6, last_rollover=0, streak=streak)


def test_the_streak_counts_days_with_tips_and_without_a_jackpot() -> None:
    assert [next_streak(3, 1, False), next_streak(3, 0, False), next_streak(3, 1, True)] == [4, 3, 0]


def test_a_six_that_is_worth_less_than_an_atom_does_not_roll_down() -> None:
    result = settled(state(reserve=1, streak=100), 0, {4: 1, 5: 1, 6: 1}, tip_count=3)
    assert (result.jackpot_hit, result.jackpot_matches, result.closing.streak) == (False, 0, 101)


def test_a_jackpot_of_one_atom_is_a_jackpot() -> None:
    result = settled(state(reserve=2, streak=3), 0, {4: 0, 5: 0, 6: 1}, tip_count=1)
    assert (result.jackpot_payout_atoms, result.jackpot_hit, result.closing.streak) == (1, True, 0)


def test_a_tier_that_is_not_counted_has_no_winner() -> None:
    assert [(tier.winning_tips, tier.each_atoms) for tier in split_tiers(RULESET_1, 1_000, {})] == [(0, 0)] * 3
    assert split_jackpot(RULESET_1, 1_000, 200, {}).payout_atoms == 0


@quick
@given(pool_states, st.integers(0, 2**200), winner_counts)
def test_a_pool_creates_and_loses_no_atom_and_keeps_its_bounds(
    opening: PoolState, stake: int, winning_tips: dict[int, int]
) -> None:
    result = settled(opening, stake, winning_tips)
    after, split = result.closing, result.split
    came = opening.carry_atoms + opening.reserve_atoms + opening.last_rollover_atoms + stake
    stays = after.carry_atoms + after.reserve_atoms + after.last_rollover_atoms
    assert came == stays + result.payout_atoms + result.jackpot_payout_atoms + split.fee_atoms
    assert result.payout_atoms <= result.budget_atoms
    assert result.jackpot_payout_atoms * 10_000 <= (opening.reserve_atoms + split.jackpot_atoms) * 9_000
    assert result.jackpot_hit == (result.jackpot_payout_atoms > 0)
    assert min(after.carry_atoms, after.reserve_atoms, after.last_rollover_atoms, after.streak) >= 0


@pytest.mark.parametrize(
    "opening",
    [
        state(carry=-1),
        state(reserve=-1),
        state(last_rollover=-1),
        state(carry=MAX_UINT256 + 1),
        state(streak=-1),
        state(streak=2**53),  # no number in JSON can say it exactly
    ],
)
def test_an_impossible_opening_state_is_refused(opening: PoolState) -> None:
    with pytest.raises(InvalidInput, match="bad_state"):
        settled(opening, 0, NOTHING)


@pytest.mark.parametrize("opening", [state(carry=MAX_UINT256), state(reserve=MAX_UINT256)])
def test_a_sum_that_the_contract_cannot_hold_is_refused(opening: PoolState) -> None:
    settled(opening, 0, NOTHING)
    with pytest.raises(InvalidInput, match="amount_overflow"):
        settled(opening, 100_000_000, NOTHING)


def test_the_longest_streak_that_json_can_say_is_settled() -> None:
    assert settled(state(streak=2**53 - 1), 0, NOTHING, tip_count=0).closing.streak == 2**53 - 1


def test_a_leak_is_an_alarm() -> None:
    good = settled(state(carry=1_000, reserve=1_000), 100_000_000, {4: 3, 5: 0, 6: 0})
    check_conservation(good)
    spoiled_split = StakeSplit(good.split.fee_atoms, *([Atoms(0)] * 3))
    for spoiled in (
        replace(good, payout_atoms=good.payout_atoms + 1),
        replace(good, closing=replace(good.closing, carry_atoms=good.closing.carry_atoms + 1)),
        replace(good, sold=replace(good.sold, stake_atoms=good.sold.stake_atoms - 1)),
        replace(good, split=replace(spoiled_split, fee_atoms=Atoms(good.split.fee_atoms + 1))),
    ):
        with pytest.raises(InvariantBroken, match="pool_leak"):
            check_conservation(spoiled)
