"""A whole day: rules 2.3 to 2.11 and section 3 together."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput, InvariantBroken
from bo_engine.units import MAX_UINT256, Atoms, Bps, DayId, PoolId, TicketId
from core.lottery.documents.merkle_dumps import affiliate_domain, affiliate_tree, winner_domain, winner_tree
from core.lottery.draw import draw_numbers, draw_seed
from core.lottery.model import DayResult, Payout, PoolState, ReferredStake, Ticket
from core.lottery.ruleset import RULESET_1
from core.lottery.settle import check_sums, settle_day, winning_numbers
from merkle.leaf import leaf_hash
from merkle.proof import verify_proof
from tests.support.days import DAY, DEPLOYMENT, EMPTY_STATE, Day, days, openings, quick, seeds_for, ticket, wallet
from tests.support.plain_day import plain_payouts

SEEDS = seeds_for(RULESET_1, DAY)
DRAWN = winning_numbers(RULESET_1, DEPLOYMENT, DAY, SEEDS)
ALICE, BOB, ZOE = wallet(0xA), wallet(0xB), wallet(0x2)


def tip_with(pool: int, matches: int, other: int = 0) -> tuple[int, ...]:
    """A tip with so many of the pool's winning numbers."""
    losing = [number for number in range(1, 39) if number not in DRAWN[pool]]
    return (*DRAWN[pool][:matches], *losing[other : other + 6 - matches])


def settle(
    tickets: Iterable[Ticket], opening: PoolState = EMPTY_STATE, referred: tuple[ReferredStake, ...] = ()
) -> DayResult:
    states = [EMPTY_STATE, EMPTY_STATE, opening, EMPTY_STATE, EMPTY_STATE]
    return settle_day(
        day_id=DAY,
        ruleset=RULESET_1,
        deployment=DEPLOYMENT,
        opening=states,
        tickets=tickets,
        referred=referred,
        seeds=SEEDS,
    )


def test_a_day_computed_by_hand() -> None:
    # Pool 2, 1 USDT a tip. Alice: 100 paid + 79 bonus tips, one six. Bob: 3 tips, a five and two fours, sent by Zoe.
    alice = ticket(1, 2, ALICE, [tip_with(2, 6)] + [tip_with(2, 3)] * 178, paid=100)
    bob = ticket(2, 2, BOB, [tip_with(2, 5), tip_with(2, 4), tip_with(2, 4, 3)], paid=3, affiliate=ZOE)
    opening = PoolState(Atoms(1_000_000), Atoms(2_000_000), Atoms(500_000), 12)
    result = settle([alice, bob], opening, (ReferredStake(ZOE, BOB, Atoms(3_000_000), Bps(500)),))
    pool = result.pools[2]
    # Fee 27.5 + 0.825, rollover 5 + 0.15, jackpot 27 + 0.81, pot 40.5 + 1.215.
    assert pool.split.fee_atoms == 28_325_000
    assert pool.split.rollover_atoms == 5_150_000
    assert pool.split.jackpot_atoms == 27_810_000
    assert pool.split.pot_atoms == 41_715_000
    assert pool.budget_atoms == 43_215_000
    assert [(tier.winning_tips, tier.share_atoms, tier.each_atoms) for tier in pool.tiers] == [
        (2, 17_286_000, 8_643_000),
        (1, 10_803_750, 10_803_750),
        (1, 15_125_250, 15_125_250),
    ]
    # Reserve 29.81, nine tenths of it to the one six.
    assert (pool.jackpot_matches, pool.jackpot_payout_atoms) == (6, 26_829_000)
    assert pool.closing == PoolState(Atoms(0), Atoms(2_981_000), Atoms(5_150_000), 0)
    assert result.payouts == (Payout(ALICE, Atoms(41_954_250)), Payout(BOB, Atoms(28_089_750)))
    assert result.total_payout_atoms == 70_044_000
    assert result.affiliate_payouts == (Payout(ZOE, Atoms(150_000)),)
    assert (result.charity_total_atoms, result.net_fee_atoms, result.fee_atoms) == (2_817_500, 25_357_500, 28_325_000)
    assert pool.winning_numbers == DRAWN[2]


def test_bonus_and_voucher_tips_win_like_paid_ones() -> None:
    losing = [tip_with(2, 0)] * 9
    for winning_place in range(9):
        tips = [*losing[:winning_place], tip_with(2, 4), *losing[winning_place + 1 :]]
        result = settle([ticket(1, 2, ALICE, tips, paid=5, vouchers=1)])
        assert result.pools[2].tiers[0].winning_tips == 1


def test_repeated_tips_win_as_often_as_they_stand() -> None:
    result = settle([ticket(1, 2, ALICE, [tip_with(2, 5)] * 3, paid=3)])
    assert result.pools[2].tiers[1].winning_tips == 3


def test_three_matches_win_nothing() -> None:
    result = settle([ticket(1, 2, ALICE, [tip_with(2, matches) for matches in (0, 1, 2, 3)], paid=4)])
    assert result.payouts == ()


def test_each_pool_draws_its_own_numbers() -> None:
    assert len(set(DRAWN)) == 5
    for pool, drawn in enumerate(DRAWN):
        assert drawn == draw_numbers(draw_seed(DEPLOYMENT, DAY, PoolId(pool), SEEDS), 38)


@quick
@given(days())
def test_no_atom_is_created_or_lost(day: Day) -> None:
    result = day.settle()
    came = stays = 0
    for opening, pool in zip(day.opening, result.pools, strict=True):
        came += opening.carry_atoms + opening.reserve_atoms + opening.last_rollover_atoms + pool.sold.stake_atoms
        stays += pool.closing.carry_atoms + pool.closing.reserve_atoms + pool.closing.last_rollover_atoms
    went = result.total_payout_atoms + result.affiliate_total_atoms + result.charity_total_atoms + result.net_fee_atoms
    assert came == stays + went
    assert sum(payout.amount_atoms for payout in result.payouts) == result.total_payout_atoms
    assert sum(ticket.stake_atoms for ticket in day.tickets) == sum(pool.sold.stake_atoms for pool in result.pools)


@quick
@given(days())
def test_the_fast_path_pays_what_the_plain_one_pays(day: Day) -> None:
    result = day.settle()
    drawn = [pool.winning_numbers for pool in result.pools]
    assert {payout.wallet: payout.amount_atoms for payout in result.payouts} == plain_payouts(day, drawn)


@quick
@given(days())
def test_no_wallet_stands_twice_and_wallets_ascend(day: Day) -> None:
    result = day.settle()
    for payouts in (result.payouts, result.affiliate_payouts):
        wallets = [payout.wallet for payout in payouts]
        assert wallets == sorted(set(wallets))
        assert all(payout.amount_atoms > 0 for payout in payouts)


@quick
@given(days(), st.randoms(use_true_random=False))
def test_the_order_of_sale_and_of_referred_players_moves_no_money(day: Day, rng: random.Random) -> None:
    tickets, referred = list(day.tickets), list(day.referred)
    rng.shuffle(tickets)
    rng.shuffle(referred)
    sold_otherwise = tuple(item._replace(ticket_id=TicketId(number)) for number, item in enumerate(tickets, start=1))
    one = day.settle()
    two = replace(day, tickets=sold_otherwise, referred=tuple(referred)).settle()
    assert _without_digests(one) == _without_digests(two)
    assert day.with_referred(tuple(referred)).settle() == one


def _without_digests(result: DayResult) -> DayResult:
    pools = (replace(pool, sold=replace(pool.sold, digest=DRAWN)) for pool in result.pools)
    return replace(result, pools=tuple(pools))


@quick
@given(days())
def test_every_payout_has_a_proof_in_its_own_tree_and_in_no_other(day: Day) -> None:
    result = day.settle()
    winners = winner_tree(DEPLOYMENT, DAY, result.payouts)
    affiliates = affiliate_tree(DEPLOYMENT, DAY, result.affiliate_payouts)
    for tree, other, domain, payouts in (
        (winners, affiliates, winner_domain(DEPLOYMENT), result.payouts),
        (affiliates, winners, affiliate_domain(DEPLOYMENT), result.affiliate_payouts),
    ):
        assert tree.leaf_count == len(payouts)
        for payout in payouts:
            leaf = leaf_hash(domain, DAY, payout.wallet, payout.amount_atoms)
            index = tree.tree_index_of(leaf)
            assert index is not None
            assert verify_proof(tree.root, leaf, tree.proof(index))
            assert other.tree_index_of(leaf) is None


@quick
@given(openings, st.booleans())
def test_an_empty_day_moves_only_yesterdays_rollover(opening: tuple[PoolState, ...], has_seeds: bool) -> None:
    result = Day(RULESET_1, opening, (), (), SEEDS if has_seeds else None).settle()
    assert result.seeds is None
    assert (result.payouts, result.affiliate_payouts, result.fee_atoms) == ((), (), 0)
    for before, pool in zip(opening, result.pools, strict=True):
        assert pool.winning_numbers == ()
        carry = Atoms(before.carry_atoms + before.last_rollover_atoms)
        assert pool.closing == PoolState(carry, before.reserve_atoms, Atoms(0), before.streak)


def test_an_empty_pool_on_a_busy_day_keeps_its_money_and_streak() -> None:
    opening = PoolState(Atoms(5), Atoms(6), Atoms(7), 89)
    result = settle([ticket(1, 0, ALICE, [tip_with(0, 6)], paid=1)], opening)
    assert result.pools[2].winning_numbers == DRAWN[2]
    assert result.pools[2].closing == PoolState(Atoms(12), Atoms(6), Atoms(0), 89)


def test_a_streak_of_ninety_days_rolls_the_jackpot_down() -> None:
    tickets = [ticket(1, 2, ALICE, [tip_with(2, 4)], paid=1), ticket(2, 2, BOB, [tip_with(2, 5)], paid=1)]
    # Two tips of 1 USDT: jackpot share 0.54. Nine tenths of 10.54 go to the only five.
    opening = PoolState(Atoms(0), Atoms(10_000_000), Atoms(0), 89)
    result = settle(tickets, opening)
    pool = result.pools[2]
    assert (pool.jackpot_matches, pool.jackpot_payout_atoms, pool.closing.streak) == (5, 9_486_000, 0)
    early = settle(tickets, replace(opening, streak=88))
    assert (early.pools[2].jackpot_hit, early.pools[2].closing.streak) == (False, 89)


def test_closing_states_chain_over_many_days() -> None:
    rng = random.Random(3)
    rules = replace(RULESET_1, number_max=8)
    states = (EMPTY_STATE,) * 5
    came = went = 0
    for number in range(120):
        tickets = tuple(
            ticket(
                position + 1,
                rng.randrange(5),
                wallet(rng.randrange(1, 9)),
                [tuple(rng.sample(range(1, 9), 6)) for _ in range(2)],
                paid=2,
                ruleset=rules,
            )
            for position in range(rng.choice((0, 1, 6)))
        )
        day = Day(rules, states, tickets, (), seeds_for(rules, DAY, vrf_word=number))
        result = day.settle()
        came += sum(item.stake_atoms for item in tickets)
        went += result.total_payout_atoms + result.fee_atoms
        states = tuple(pool.closing for pool in result.pools)
        held = sum(state.carry_atoms + state.reserve_atoms + state.last_rollover_atoms for state in states)
        assert came == went + held


def test_a_day_with_tips_needs_its_seeds() -> None:
    tickets = (ticket(1, 2, ALICE, [tip_with(2, 6)], paid=1),)
    with pytest.raises(InvalidInput, match="seeds_missing"):
        Day(RULESET_1, (EMPTY_STATE,) * 5, tickets, (), None).settle()
    with pytest.raises(InvalidInput, match="bad_seeds"):
        Day(RULESET_1, (EMPTY_STATE,) * 5, tickets, (), replace(SEEDS, drand_round=1)).settle()


def test_tickets_out_of_order_are_refused() -> None:
    tickets = [ticket(number, 2, ALICE, [tip_with(2, 6)], paid=1) for number in (2, 1)]
    with pytest.raises(InvalidInput, match="tickets_unordered"):
        settle(tickets)


def test_a_day_has_five_opening_states() -> None:
    with pytest.raises(InvalidInput, match="bad_state"):
        Day(RULESET_1, (EMPTY_STATE,) * 4, (), (), None).settle()


def test_a_ticket_of_another_day_is_refused() -> None:
    with pytest.raises(InvalidInput, match="wrong_day"):
        settle([ticket(1, 2, ALICE, [tip_with(2, 6)], paid=1, day_id=DayId(DAY + 1))])


def test_tickets_are_streamed_and_never_held() -> None:
    # A generator can be read once; more tickets than one batch, so winners add up over batches.
    def stream() -> Iterator[Ticket]:
        for number in range(1, 20_001):
            yield ticket(number, 2, wallet(number % 7 + 1), [tip_with(2, 4 if number % 1000 == 0 else 1)], paid=1)

    result = settle(stream())
    assert result.pools[2].sold.ticket_count == 20_000
    assert result.pools[2].tiers[0].winning_tips == 20


def test_a_leak_in_the_payouts_is_an_alarm() -> None:
    good = settle([ticket(1, 2, ALICE, [tip_with(2, 6)], paid=1)])
    check_sums(good)
    [payout] = good.payouts
    for payouts in ((), (payout, payout), (replace(payout, amount_atoms=Atoms(payout.amount_atoms + 1)),)):
        with pytest.raises(InvariantBroken, match="payout_leak"):
            check_sums(replace(good, payouts=payouts))
    halves = [replace(payout, amount_atoms=Atoms(part)) for part in (1, payout.amount_atoms - 1)]
    with pytest.raises(InvariantBroken, match="twice"):
        check_sums(replace(good, payouts=tuple(halves)))
    with pytest.raises(InvariantBroken, match="nothing"):
        check_sums(replace(good, payouts=(payout, Payout(ZOE, Atoms(0)))))


def test_a_total_that_the_contract_cannot_hold_is_refused() -> None:
    good = settle([ticket(1, 2, ALICE, [tip_with(2, 6)], paid=1)])
    largest = replace(good, payouts=(Payout(ALICE, Atoms(MAX_UINT256)),), total_payout_atoms=Atoms(MAX_UINT256))
    check_sums(largest)
    with pytest.raises(InvalidInput, match="amount_overflow"):
        check_sums(
            replace(
                largest,
                payouts=(*largest.payouts, Payout(BOB, Atoms(1))),
                total_payout_atoms=Atoms(MAX_UINT256 + 1),
            )
        )


def test_impossible_referred_stakes_are_refused_before_anything_is_drawn() -> None:
    impossible = (ReferredStake(ZOE, BOB, Atoms(-1), Bps(500)),)
    with pytest.raises(InvalidInput, match="bad_referred"):
        settle([ticket(1, 2, ALICE, [tip_with(2, 6)], paid=1)], referred=impossible)
