"""The people of the demo: players and affiliates with fresh keys, and what they buy.

Nothing is staged: keys, numbers, amounts and pools come from the system's randomness at the moment they are needed.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from secrets import token_hex
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from bo_engine.units import POOL_COUNT, POOL_IDS, PoolId, Wallet, parse_wallet
from core.lottery.tickets import bonus_tips
from core.lottery.tips import mask_of, pack_masks

_POOL_WEIGHTS: Final = (34, 26, 20, 12, 8)  # cheap tips sell best
_PAID_TIPS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25)
_PAID_WEIGHTS: Final = (12, 12, 10, 8, 16, 6, 6, 12, 5, 5, 5, 3)
_LARGEST_TICKET: Final = 144
_ORDERS_PER_BUYER_PERCENT: Final = 140
_VOUCHER_ORDERS: Final = 4
_LUCKY_PERCENT: Final = 15


class Way(Enum):
    """How a purchase reaches the contract."""

    RELAYED = "relayed"  # the player signs, the App pays the gas and relays
    DIRECT = "direct"  # the player calls the contract himself; the App knows nothing of it
    CRASHED = "crashed"  # relayed, but the App dies before it has noted the transaction


@dataclass(frozen=True, slots=True)
class Person:
    """A player or an affiliate with a key that exists only in this process."""

    name: str
    account: LocalAccount
    affiliate: Wallet | None = None  # whom a player names at his first purchase

    @property
    def wallet(self) -> Wallet:
        """The person's address."""
        return parse_wallet(self.account.address)

    def __repr__(self) -> str:
        return f"Person({self.name}, {self.wallet})"


@dataclass(frozen=True, slots=True)
class Order:
    """One ticket that somebody wants. ``tips`` are packed masks of paid, bonus and voucher tips together."""

    buyer: Person
    pool_id: PoolId
    paid_tips: int
    voucher_tips: int
    tips: bytes
    way: Way = Way.RELAYED

    @property
    def tip_count(self) -> int:
        """All tips of the ticket."""
        return len(self.tips) // 8


def make_affiliates(count: int) -> list[Person]:
    """Affiliates with fresh keys."""
    return [Person(f"affiliate {number}", _fresh_account()) for number in range(1, count + 1)]


def make_players(count: int, affiliates: Sequence[Person]) -> list[Person]:
    """Players with fresh keys. Every third one came without an affiliate; the others in turn through one each."""
    players = []
    for number in range(1, count + 1):
        brought_by = None if number % 3 == 0 else affiliates[number % len(affiliates)].wallet
        players.append(Person(f"player {number:02d}", _fresh_account(), brought_by))
    return players


def make_orders(
    rng: random.Random, buyers: Sequence[Person], *, number_max: int, min_tips: int, odd_ways: Sequence[Way] = ()
) -> list[Order]:
    """A day's orders: every buyer at least once, every pool at least once, one ticket of the largest size, a few with
    voucher tips, and one order for each of the ``odd_ways``. More follow until the day has ``min_tips`` tips.
    """
    order_count = max(len(buyers) * _ORDERS_PER_BUYER_PERCENT // 100, POOL_COUNT + 1)
    turns = [*buyers, *(rng.choice(buyers) for _ in range(order_count - len(buyers)))]
    rng.shuffle(turns)
    orders = []
    for place, buyer in enumerate(turns):
        paid = _LARGEST_TICKET if place == 0 else rng.choices(_PAID_TIPS, _PAID_WEIGHTS)[0]
        pool_id = POOL_IDS[place] if place < POOL_COUNT else rng.choices(POOL_IDS, _POOL_WEIGHTS)[0]
        vouchers = rng.randint(1, 5) if 0 < place <= _VOUCHER_ORDERS else 0
        # Direct purchases have no vouchers, so the odd ways come after the orders that have some.
        odd = place - _VOUCHER_ORDERS - 1
        way = odd_ways[odd] if 0 <= odd < len(odd_ways) else Way.RELAYED
        orders.append(_order(rng, buyer, pool_id, paid=paid, vouchers=vouchers, number_max=number_max, way=way))
    while sum(order.tip_count for order in orders) < min_tips:
        pool_id = rng.choices(POOL_IDS, _POOL_WEIGHTS)[0]
        buyer, paid = rng.choice(buyers), rng.choice(_PAID_TIPS)
        orders.append(_order(rng, buyer, pool_id, paid=paid, vouchers=0, number_max=number_max, way=Way.RELAYED))
    rng.shuffle(orders)
    return orders


def make_tips(rng: random.Random, count: int, number_max: int) -> bytes:
    """Random tips, packed. Some people play their lucky numbers on several tips of a ticket; the rules allow it."""
    masks = [mask_of(rng.sample(range(1, number_max + 1), 6), number_max) for _ in range(count)]
    if count > 1 and rng.randrange(100) < _LUCKY_PERCENT:
        for place in rng.sample(range(1, count), rng.randint(1, min(count - 1, 3))):
            masks[place] = masks[0]
    return pack_masks(masks)


def _order(
    rng: random.Random, buyer: Person, pool_id: PoolId, *, paid: int, vouchers: int, number_max: int, way: Way
) -> Order:
    tips = make_tips(rng, paid + bonus_tips(paid) + vouchers, number_max)
    return Order(buyer=buyer, pool_id=pool_id, paid_tips=paid, voucher_tips=vouchers, tips=tips, way=way)


def _fresh_account() -> LocalAccount:
    account: LocalAccount = Account.from_key("0x" + token_hex(32))
    return account
