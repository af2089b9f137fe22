"""What the demo's people want to buy, without any world."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bo_engine.units import POOL_COUNT
from core.lottery.tickets import bonus_tips
from core.lottery.tips import check_tips, unpack_masks
from local_world.lottery.app import gas_cost_of
from local_world.lottery.players import Order, Way, make_affiliates, make_orders, make_players, make_tips

AFFILIATES = make_affiliates(4)
PLAYERS = make_players(64, AFFILIATES)
seeds = st.integers(0, 2**32).map(random.Random)


def orders_of(rng: random.Random, odd_ways: tuple[Way, ...] = (Way.CRASHED, Way.DIRECT)) -> list[Order]:
    return make_orders(rng, PLAYERS, number_max=9, min_tips=1_000, odd_ways=odd_ways)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_every_player_buys_and_every_pool_sells(rng: random.Random) -> None:
    orders = orders_of(rng)
    assert {order.buyer.wallet for order in orders} == {player.wallet for player in PLAYERS}
    assert {order.pool_id for order in orders} == set(range(POOL_COUNT))
    assert sum(order.tip_count for order in orders) >= 1_000


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_every_ticket_obeys_rules_2_2_and_2_3(rng: random.Random) -> None:
    for order in orders_of(rng):
        assert 1 <= order.paid_tips <= 144
        assert order.tip_count == order.paid_tips + bonus_tips(order.paid_tips) + order.voucher_tips <= 255
        check_tips(order.tips, 9)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_exactly_one_purchase_goes_each_odd_way_and_the_direct_one_has_no_vouchers(rng: random.Random) -> None:
    orders = orders_of(rng)
    ways = Counter(order.way for order in orders)
    assert ways[Way.CRASHED] == ways[Way.DIRECT] == 1
    (direct,) = (order for order in orders if order.way is Way.DIRECT)
    assert direct.voucher_tips == 0
    assert gas_cost_of(direct) == 0
    assert any(order.voucher_tips for order in orders)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_an_ordinary_day_has_no_odd_purchase(rng: random.Random) -> None:
    assert {order.way for order in orders_of(rng, ())} == {Way.RELAYED}


@given(seeds, st.integers(1, 255))
@settings(max_examples=50, deadline=None)
def test_tips_are_as_many_as_asked_for(rng: random.Random, count: int) -> None:
    assert len(unpack_masks(make_tips(rng, count, 9))) == count


def test_some_tickets_repeat_a_tip() -> None:
    rng = random.Random(1)
    tickets = [unpack_masks(make_tips(rng, 5, 49)) for _ in range(200)]
    assert any(len(set(tips)) < len(tips) for tips in tickets)


def test_nobody_brings_himself_and_some_come_alone() -> None:
    assert {player.affiliate for player in PLAYERS} == {None, *(each.wallet for each in AFFILIATES)}
    assert all(player.affiliate != player.wallet for player in PLAYERS)
    assert len({person.wallet for person in (*PLAYERS, *AFFILIATES)}) == 68


def test_no_key_shows_when_a_person_is_printed() -> None:
    player = PLAYERS[0]
    assert player.account.key.hex() not in repr(player)
