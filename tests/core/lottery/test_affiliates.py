"""Rules 2.8 and 2.9."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.units import Atoms, Bps
from core.lottery.affiliates import ReferredCheck, check_referred, commission_of, referred_stakes, split_fee
from core.lottery.model import Payout, ReferredStake
from core.lottery.ruleset import RULESET_1
from tests.support.days import Day, days, quick, ticket, wallet

TIP = (1, 2, 3, 4, 5, 6)


def referred(affiliate: int, player: int, stake: int, rate: int = 500) -> ReferredStake:
    return ReferredStake(wallet(affiliate), wallet(player), Atoms(stake), Bps(rate))


def test_a_commission_is_rounded_down_per_affiliate_and_player() -> None:
    # 39 * 5 % = 1.95: two players give 1 + 1, not floor(3.9).
    fee = split_fee(RULESET_1, 100, [referred(9, 1, 39), referred(9, 2, 39)])
    assert [commission_of(item) for item in (referred(9, 1, 39), referred(9, 1, 19))] == [1, 0]
    assert fee.affiliate_payouts == (Payout(wallet(9), Atoms(2)),)


def test_charity_is_a_tenth_of_what_the_affiliates_leave() -> None:
    # By hand: 28.325 fee, 0.15 commission, 28.175 left, 2.8175 charity, 25.3575 net.
    fee = split_fee(RULESET_1, 28_325_000, [referred(9, 1, 3_000_000)])
    assert (fee.affiliate_total_atoms, fee.charity_total_atoms, fee.net_fee_atoms) == (150_000, 2_817_500, 25_357_500)


def test_an_affiliate_without_an_atom_gets_no_payout() -> None:
    fee = split_fee(RULESET_1, 100, [referred(9, 1, 19), referred(8, 2, 5_000, rate=0)])
    assert fee.affiliate_payouts == ()
    assert (fee.affiliate_total_atoms, fee.charity_total_atoms, fee.net_fee_atoms) == (0, 10, 90)


@quick
@given(
    st.dictionaries(st.tuples(st.integers(1, 3), st.integers(10, 30)), st.integers(0, 10**12), max_size=8),
    st.integers(0, 10**6),
    st.integers(0, 1000),
    st.randoms(use_true_random=False),
)
def test_affiliates_charity_and_net_fee_are_the_fee_in_any_order(
    stakes: dict[tuple[int, int], int], extra: int, rate: int, rng: random.Random
) -> None:
    players = {player: (affiliate, stake) for (affiliate, player), stake in stakes.items()}
    listed = [referred(affiliate, player, stake, rate) for player, (affiliate, stake) in players.items()]
    fee_atoms = sum(item.stake_atoms for item in listed) // 10 + extra
    fee = split_fee(RULESET_1, fee_atoms, listed)
    assert fee.affiliate_total_atoms + fee.charity_total_atoms + fee.net_fee_atoms == fee_atoms
    assert sum(payout.amount_atoms for payout in fee.affiliate_payouts) == fee.affiliate_total_atoms
    paid_wallets = [payout.wallet for payout in fee.affiliate_payouts]
    assert paid_wallets == sorted(set(paid_wallets))
    rng.shuffle(listed)
    assert split_fee(RULESET_1, fee_atoms, listed) == fee


def test_more_commission_than_fee_is_refused() -> None:
    with pytest.raises(InvalidInput, match="fee_exceeded"):
        split_fee(RULESET_1, 4, [referred(9, 1, 100)])


@pytest.mark.parametrize(
    "listed",
    [
        [referred(9, 1, 5), referred(9, 1, 6)],
        [referred(9, 1, 5), referred(8, 1, 6)],
        [referred(1, 1, 5)],
        [referred(9, 1, 5, rate=1001)],
        [referred(9, 1, 5, rate=-1)],
        [referred(9, 1, 5, rate=500), referred(9, 2, 5, rate=501)],
        [referred(9, 1, -5)],
    ],
)
def test_impossible_referred_stakes_are_refused(listed: list[ReferredStake]) -> None:
    with pytest.raises(InvalidInput, match="bad_referred"):
        check_referred(listed, RULESET_1)
    with pytest.raises(InvalidInput, match="bad_referred"):
        split_fee(RULESET_1, 10**6, listed)


def test_only_what_the_player_paid_himself_earns_commission() -> None:
    tickets = [
        ticket(1, 2, wallet(1), [TIP] * 4, paid=1, vouchers=3, affiliate=wallet(9)),
        ticket(2, 0, wallet(1), [TIP] * 2, paid=2, affiliate=wallet(9)),
        ticket(3, 4, wallet(2), [TIP], paid=1),
        ticket(4, 4, wallet(3), [TIP], paid=1, affiliate=wallet(8)),
    ]
    rates = {wallet(8): Bps(1000)}
    assert referred_stakes(tickets, rates, ruleset=RULESET_1) == [
        referred(8, 3, 10_000_000, rate=1000),
        referred(9, 1, 1_500_000, rate=500),
    ]


@quick
@given(days())
def test_referred_stakes_that_do_not_fit_the_tickets_are_refused(day: Day) -> None:
    check = ReferredCheck(day.referred)
    check.add(day.tickets)
    check.finish()
    stranger = ReferredStake(wallet(900), wallet(7777), Atoms(1), Bps(0))
    is_new = all(item.affiliate != stranger.affiliate for item in day.referred)
    spoiled = [(*day.referred, stranger)] if is_new else []
    if day.referred:
        first, rest = day.referred[0], day.referred[1:]
        spoiled += [rest, (replace(first, stake_atoms=Atoms(first.stake_atoms + 1)), *rest)]
    for listed in spoiled:
        with pytest.raises(InvalidInput, match="referred_mismatch"):
            day.with_referred(tuple(listed)).settle()
