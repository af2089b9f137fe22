"""Rules 2.3, 2.4 and 3.1."""

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.keccak import keccak256
from bo_engine.units import MAX_DAY_ID, ZERO_HASH, ZERO_WALLET, Atoms, DayId, Hash32, PoolId, TicketId, Wallet
from core.lottery.model import StakeSplit, Ticket
from core.lottery.ruleset import RULESET_1
from core.lottery.tickets import bonus_tips, check_terms, check_ticket, next_digest, own_stake_of, split_stake, stake_of
from tests.support.days import quick, ticket, tickets_of, wallet

GOOD = ticket(1, 2, wallet(5), [(1, 2, 3, 4, 5, 6)] * 9, paid=5, vouchers=1, affiliate=wallet(9))


@pytest.mark.parametrize(
    ("paid", "bonus"),
    [(1, 0), (4, 0), (5, 3), (9, 3), (10, 7), (14, 7), (15, 11), (20, 15), (100, 79), (140, 111), (144, 111)],
)
def test_bonus_tips_come_with_every_fifth_paid_tip(paid: int, bonus: int) -> None:
    assert bonus_tips(paid) == bonus


def test_the_largest_ticket_has_255_tips() -> None:
    assert 144 + bonus_tips(144) == 255


@pytest.mark.parametrize(
    ("pool", "paid", "vouchers", "tips"), [(0, 1, 0, 1), (4, 144, 0, 255), (2, 1, 254, 255), (2, 5, 0, 8)]
)
def test_terms_say_how_many_tips_a_ticket_has(pool: int, paid: int, vouchers: int, tips: int) -> None:
    assert check_terms(RULESET_1, pool, paid, vouchers) == tips


@pytest.mark.parametrize(
    ("pool", "paid", "vouchers"),
    [(-1, 1, 0), (5, 1, 0), (2, 0, 1), (2, 145, 0), (2, 5, -1), (2, 144, 1), (2, 1, 255)],
)
def test_terms_that_no_ticket_can_have_are_refused(pool: int, paid: int, vouchers: int) -> None:
    with pytest.raises(InvalidInput, match="bad_ticket"):
        check_terms(RULESET_1, pool, paid, vouchers)


def test_a_ticket_is_of_a_day_that_the_contracts_can_count() -> None:
    for day in (0, MAX_DAY_ID):
        check_ticket(GOOD._replace(day_id=DayId(day)), RULESET_1)
    for day in (-1, MAX_DAY_ID + 1):
        with pytest.raises(InvalidInput, match="bad_ticket"):
            check_ticket(GOOD._replace(day_id=DayId(day)), RULESET_1)


@pytest.mark.parametrize(("pool", "price"), [*enumerate((250_000, 500_000, 1_000_000, 5_000_000, 10_000_000))])
def test_the_stake_is_price_times_paid_and_voucher_tips(pool: int, price: int) -> None:
    assert stake_of(RULESET_1, PoolId(pool), 7, 2) == 9 * price


def test_100_usdt_split_as_the_rule_says() -> None:
    assert split_stake(RULESET_1, 100_000_000) == StakeSplit(27_500_000, 5_000_000, 27_000_000, 40_500_000)


def test_a_dusty_stake_leaves_its_dust_in_the_pot() -> None:
    # By hand: 19 * 0.275 = 5.225, 19 * 0.05 = 0.95, rest 14, 14 * 0.4 = 5.6.
    assert split_stake(RULESET_1, 19) == StakeSplit(5, 0, 5, 9)
    assert split_stake(RULESET_1, 1) == StakeSplit(0, 0, 0, 1)


def added(splits: list[StakeSplit]) -> StakeSplit:
    """The sums of the parts."""
    return StakeSplit(
        fee_atoms=Atoms(sum(split.fee_atoms for split in splits)),
        rollover_atoms=Atoms(sum(split.rollover_atoms for split in splits)),
        jackpot_atoms=Atoms(sum(split.jackpot_atoms for split in splits)),
        pot_atoms=Atoms(sum(split.pot_atoms for split in splits)),
    )


def test_every_price_is_a_multiple_for_which_the_split_is_exact() -> None:
    assert all(price % 250_000 == 0 for price in RULESET_1.prices_atoms)
    # 27.5 %, 5 %, 27 % and 40.5 %: whole atoms of every multiple of 2000.
    assert split_stake(RULESET_1, 250_000) == StakeSplit(68_750, 12_500, 67_500, 101_250)


@quick
@given(st.lists(st.tuples(st.sampled_from(RULESET_1.prices_atoms), st.integers(0, 400)), max_size=30))
def test_the_split_of_a_sum_is_the_sum_of_the_splits_for_all_prices(tickets: list[tuple[int, int]]) -> None:
    stakes = [price * tips for price, tips in tickets]
    assert split_stake(RULESET_1, sum(stakes)) == added([split_stake(RULESET_1, stake) for stake in stakes])


@quick
@given(st.integers(0, 2**200))
def test_a_split_creates_and_loses_nothing(stake: int) -> None:
    split = split_stake(RULESET_1, stake)
    parts = (split.fee_atoms, split.rollover_atoms, split.jackpot_atoms, split.pot_atoms)
    assert sum(parts) == stake
    assert min(parts) >= 0


@quick
@given(tickets_of(RULESET_1), st.binary(min_size=32, max_size=32).map(Hash32))
def test_the_digest_is_the_contracts(tickets: tuple[Ticket, ...], digest: Hash32) -> None:
    kinds = ["bytes32", "uint256", "address", "uint8", "uint8", "address", "uint256", "bytes32"]
    for item in tickets:
        check_ticket(item, RULESET_1)
        affiliate = item.affiliate or ZERO_WALLET
        values = [digest, item.ticket_id, item.buyer, item.paid_tips, item.voucher_tips, affiliate]
        encoded = encode(kinds, [*values, item.stake_atoms, keccak256(item.tips)])
        assert next_digest(digest, item) == keccak256(encoded)


def test_every_field_of_a_ticket_that_counts_moves_the_digest() -> None:
    others = [
        GOOD,
        GOOD._replace(ticket_id=TicketId(2)),
        GOOD._replace(buyer=wallet(6)),
        GOOD._replace(paid_tips=6),
        GOOD._replace(voucher_tips=2),
        GOOD._replace(affiliate=None),
        GOOD._replace(stake_atoms=GOOD.stake_atoms + 1),
        GOOD._replace(tips=GOOD.tips[:-1] + b"\x00"),
    ]
    assert len({next_digest(ZERO_HASH, item) for item in others}) == len(others)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pool_id": 5}, "bad_ticket"),
        ({"pool_id": -1}, "bad_ticket"),
        ({"paid_tips": 0}, "bad_ticket"),
        ({"paid_tips": 145}, "bad_ticket"),
        ({"voucher_tips": -1}, "bad_ticket"),
        ({"voucher_tips": 250}, "bad_ticket"),
        ({"stake_atoms": 5_999_999}, "bad_ticket"),
        ({"stake_atoms": -6_000_000}, "bad_ticket"),
        ({"tips": GOOD.tips[:-8]}, "bad_ticket"),
        ({"tips": GOOD.tips + GOOD.tips[:8]}, "bad_ticket"),
        ({"tips": b""}, "bad_ticket"),
        ({"tips": bytes(72)}, "bad_tip"),
        ({"tips": b"\xff" * 72}, "bad_tip"),
        ({"tips": (0b111110 | 1 << 38).to_bytes(8, "big") * 9}, "bad_tip"),
        ({"buyer": Wallet("0x12")}, "bad_ticket"),
        ({"buyer": Wallet("0x" + "AB" * 20)}, "bad_ticket"),
        ({"buyer": ZERO_WALLET}, "bad_ticket"),
        ({"affiliate": ZERO_WALLET}, "bad_ticket"),
        ({"affiliate": GOOD.buyer}, "bad_ticket"),
        ({"affiliate": Wallet("nobody")}, "bad_ticket"),
        ({"ticket_id": 0}, "bad_ticket"),
        ({"ticket_id": 2**63}, "bad_ticket"),
        ({"day_id": DayId(-1)}, "bad_ticket"),
    ],
)
def test_a_ticket_that_the_contract_cannot_have_sold_is_refused(change: dict[str, Any], code: str) -> None:
    check_ticket(GOOD, RULESET_1)
    with pytest.raises(InvalidInput) as caught:
        check_ticket(GOOD._replace(**change), RULESET_1)
    assert caught.value.code == code


def test_the_range_of_numbers_is_the_rulesets() -> None:
    with pytest.raises(InvalidInput, match="bad_tip"):
        check_ticket(GOOD._replace(tips=(0b111110 | 1 << 9).to_bytes(8, "big") * 9), replace(RULESET_1, number_max=9))


def test_a_players_own_stake_leaves_vouchers_out() -> None:
    assert own_stake_of(GOOD) == 5_000_000
    assert own_stake_of(ticket(1, 0, wallet(5), [(1, 2, 3, 4, 5, 6)] * 2, paid=1, vouchers=1)) == 250_000
