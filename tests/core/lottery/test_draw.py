"""Rules 3.2, 3.4 and 3.5."""

from collections import Counter
from itertools import permutations, product
from math import comb

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.keccak import keccak256
from bo_engine.units import MAX_UINT256, DayId, Hash32, PoolId
from core.lottery.draw import (
    drand_round_of,
    draw_due_s,
    draw_numbers,
    draw_seed,
    first_round_at,
    random_words,
    round_time,
    shuffle_six,
    uniform_below,
)
from core.lottery.model import Seeds
from core.lottery.ruleset import QUICKNET
from tests.support.days import DEPLOYMENT, quick

RANGES = range(6, 50)
seed_bytes = st.binary(min_size=32, max_size=32).map(Hash32)


def seed(number: int) -> Hash32:
    return Hash32(keccak256(number.to_bytes(32, "big")))


def plain_draw(seed_value: bytes, number_max: int) -> tuple[int, ...]:
    """The rule, written as its own sentence: take away the drawn, the first fills the hole."""
    numbers, drawn, counter = list(range(1, number_max + 1)), [], 0
    for place in range(6):
        left = number_max - place
        usable = (2**256 // left) * left  # Python's integers do not overflow
        while True:
            word = int.from_bytes(keccak256(encode(["bytes32", "uint256"], [seed_value, counter])), "big")
            counter += 1
            if word < usable:
                break
        index = word % left
        drawn.append(numbers[index])
        numbers[index] = numbers[0]
        numbers.pop(0)
    return tuple(drawn)


@pytest.mark.parametrize("number_max", RANGES)
def test_six_distinct_numbers_come_from_every_range(number_max: int) -> None:
    for number in range(30):
        drawn = draw_numbers(seed(number), number_max)
        assert len(set(drawn)) == 6
        assert min(drawn) >= 1
        assert max(drawn) <= number_max
        assert drawn == plain_draw(seed(number), number_max)


def test_a_golden_draw_never_moves() -> None:
    assert draw_numbers(Hash32(bytes(32)), 38) == (18, 36, 38, 6, 23, 29)
    assert draw_numbers(Hash32(b"\xff" * 32), 9) == (1, 7, 5, 8, 3, 2)


@pytest.mark.parametrize("number_max", [5, 0, -1, 50, 64])
def test_a_range_outside_6_to_49_is_refused(number_max: int) -> None:
    with pytest.raises(InvalidInput, match="bad_range"):
        draw_numbers(seed(1), number_max)


@pytest.mark.parametrize("number_max", [6, 7, 8])
def test_every_order_of_a_small_range_comes_from_exactly_one_run_of_remainders(number_max: int) -> None:
    runs = product(*(range(number_max - place) for place in range(6)))
    drawn = Counter(shuffle_six(number_max, run) for run in runs)
    assert set(drawn) == set(permutations(range(1, number_max + 1), 6))
    assert set(drawn.values()) == {1}


def chi_square(counts: Counter[int], kinds: int) -> float:
    expected = counts.total() / kinds
    return sum((counts.get(kind, 0) - expected) ** 2 for kind in range(kinds)) / expected


def test_each_number_is_equally_likely_at_each_place() -> None:
    draws = [draw_numbers(seed(number), 38) for number in range(8_000)]
    for place in range(6):
        # 37 degrees of freedom: 69.3 is exceeded once in a thousand fair draws.
        assert chi_square(Counter(drawn[place] - 1 for drawn in draws), 38) < 69.3


def test_each_combination_of_a_small_range_is_equally_likely() -> None:
    ranks: dict[tuple[int, ...], int] = {}
    counts: Counter[int] = Counter()
    for number in range(8_400):
        drawn = tuple(sorted(draw_numbers(seed(number), 9)))
        counts[ranks.setdefault(drawn, len(ranks))] += 1
    assert len(ranks) == comb(9, 6)
    # 83 degrees of freedom: 127.3 is exceeded once in a thousand fair draws.
    assert chi_square(counts, comb(9, 6)) < 127.3


@pytest.mark.parametrize("count", range(1, 50))
def test_a_word_of_the_incomplete_last_block_is_drawn_again(count: int) -> None:
    limit = MAX_UINT256 - 2**256 % count
    assert (limit + 1) % count == 0
    assert uniform_below(count, iter([limit])) == count - 1
    for word in range(limit + 1, MAX_UINT256 + 1):
        assert uniform_below(count, iter([word, MAX_UINT256, 5])) == 5 % count
    if limit == MAX_UINT256:
        assert count in (1, 2, 4, 8, 16, 32)  # a power of two leaves no incomplete block


def test_a_rejected_word_costs_one_counter_and_no_place() -> None:
    # 38 leaves an incomplete block; three rejected words later the draw goes on as if they had not been.
    words = [word for _, word in zip(range(6), random_words(seed(1)), strict=False)]
    assert shuffle_six(38, [MAX_UINT256] * 3 + words) == draw_numbers(seed(1), 38)


def test_words_that_run_out_are_an_error_and_not_a_number() -> None:
    with pytest.raises(InvalidInput, match="no_word"):
        uniform_below(3, iter([MAX_UINT256]))


@quick
@given(seed_bytes)
def test_word_k_is_the_hash_of_seed_and_k(seed_value: Hash32) -> None:
    words = random_words(seed_value)
    for counter in range(4):
        encoded = encode(["bytes32", "uint256"], [seed_value, counter])
        assert next(words) == int.from_bytes(keccak256(encoded), "big")


@quick
@given(st.integers(0, 2**31), st.integers(0, 4), st.integers(0, MAX_UINT256), st.integers(1, 2**64 - 1), seed_bytes)
def test_the_seed_binds_chain_contract_day_pool_and_both_seeds(
    day: int, pool: int, word: int, drand_round: int, randomness: Hash32
) -> None:
    kinds = ["bytes32", "uint256", "address", "uint256", "uint256", "uint256", "uint256", "bytes32"]
    bound = [b"BO-ENGINE/DRAW/1", DEPLOYMENT.chain_id, DEPLOYMENT.settlement, day, pool, word, drand_round, randomness]
    seeds = Seeds(word, 0, drand_round, bytes(48), randomness)
    assert draw_seed(DEPLOYMENT, DayId(day), PoolId(pool), seeds) == keccak256(encode(kinds, bound))


@pytest.mark.parametrize(
    ("drand_round", "time_s"), [(1, 1_692_803_367), (27_946_612, 1_776_643_200), (35_107_012, 1_798_124_400)]
)
def test_round_and_time_of_quicknet_are_the_published_ones(drand_round: int, time_s: int) -> None:
    assert round_time(QUICKNET, drand_round) == time_s
    assert first_round_at(QUICKNET, time_s) == drand_round
    assert first_round_at(QUICKNET, time_s + 1) == drand_round + 1


days = st.integers(19_600, 100_000).map(DayId)
waits_s = st.one_of(st.integers(0, 20), st.integers(0, 40 * 86_400))


@quick
@given(days, waits_s)
def test_the_round_of_a_day_is_the_first_an_hour_after_close_and_request(day: DayId, wait_s: int) -> None:
    requested_at = (day + 1) * 86_400 + wait_s
    drand_round = drand_round_of(QUICKNET, day, requested_at)
    assert round_time(QUICKNET, drand_round) >= requested_at + 3_600 > round_time(QUICKNET, drand_round - 1)
    assert draw_due_s(QUICKNET, day, requested_at) == requested_at + 3_600


@quick
@given(days, st.integers(0, 2**32))
def test_a_request_before_the_close_gives_the_round_of_the_close(day: DayId, earlier_s: int) -> None:
    close_s = (day + 1) * 86_400
    assert drand_round_of(QUICKNET, day, close_s - earlier_s) == drand_round_of(QUICKNET, day, close_s)


@quick
@given(days, waits_s, st.integers(1, 10**6))
def test_a_later_request_never_gives_an_earlier_round_and_a_period_later_the_next_one(
    day: DayId, wait_s: int, later_s: int
) -> None:
    requested_at = (day + 1) * 86_400 + wait_s
    drand_round = drand_round_of(QUICKNET, day, requested_at)
    assert drand_round_of(QUICKNET, day, requested_at + later_s) >= drand_round
    assert drand_round_of(QUICKNET, day, requested_at + QUICKNET.period_s) == drand_round + 1


def test_the_round_of_a_known_day() -> None:
    # 2026-11-22, requested 37 s after midnight; an hour later is 102592270 s after genesis: 34197423 periods and 1 s.
    assert drand_round_of(QUICKNET, DayId(20_779), 1_795_392_037) == 34_197_425


def test_a_day_before_genesis_waits_for_round_1() -> None:
    assert drand_round_of(QUICKNET, DayId(0), 86_400) == 1
