"""The App's part on a real world: PostgreSQL with the App's own login, the contracts on anvil."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import ZERO_HASH, Hash32, PoolId
from core.lottery.tickets import check_ticket, next_digest
from io_layer.contracts.codec import codec
from io_layer.lottery.stores.intents import Intent, select_intent
from io_layer.postgres.connection import connect
from local_world.chain import Chain
from local_world.chain_account import ChainAccount, succeeded
from local_world.lottery.app import App, Sale, permit_fields, sign_permit
from local_world.lottery.bank import Bank
from local_world.lottery.chain_view import ChainView
from local_world.lottery.deploy import DeployedContracts
from local_world.lottery.players import Order, Person, Way, make_affiliates, make_players, make_tips
from local_world.lottery.world import World, start_world

pytestmark = pytest.mark.world
RNG = random.Random(7)


@dataclass
class Shop:
    """A small world in which some tickets have been sold."""

    world: World
    chain: Chain
    contracts: DeployedContracts
    app: App
    relayer: ChainAccount
    bank: Bank
    view: ChainView
    players: list[Person]
    sales: dict[Way, list[Sale]]
    intents: dict[Way, list[Intent | None]]


def order_of(buyer: Person, pool: int, paid: int, vouchers: int = 0, way: Way = Way.RELAYED) -> Order:
    bonus = 0 if paid < 5 else 3 + 4 * ((paid - 5) // 5)
    return Order(buyer, PoolId(pool), paid, vouchers, make_tips(RNG, paid + bonus + vouchers, 9), way)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    world = start_world(Path(tmp_path_factory.mktemp("shop")), number_max=9, first_day=20_000)
    try:
        chain, contracts = world.chain, world.contracts
        players = make_players(4, make_affiliates(2))
        bank = Bank(chain, contracts, ChainAccount(chain, world.account("promotions")))
        bank.give_gas(player.wallet for player in players)
        orders = [
            order_of(players[0], 0, 3),
            order_of(players[1], 0, 5, way=Way.DIRECT),
            order_of(players[2], 4, 2, vouchers=3),
            order_of(players[3], 0, 144, way=Way.CRASHED),
            order_of(players[0], 4, 1),
        ]
        bank.equip(orders, world.ruleset.prices_atoms)
        relayer = ChainAccount(chain, world.account("relayer"))
        with connect(world.database.app_url, application_name="test App", check_version=False) as conn:
            app = App(conn, chain, contracts, relayer)
            sold = app.sell(orders)
            sales = {way: [sale for sale in sold if sale.order.way is way] for way in Way}
            intents = {
                way: [select_intent(conn, sale.intent_id) for sale in of_way if sale.intent_id is not None]
                for way, of_way in sales.items()
            }
            view = ChainView(chain, contracts)
            yield Shop(world, chain, contracts, app, relayer, bank, view, players, sales, intents)
    finally:
        world.stop()


def test_each_purchase_is_announced_with_the_digest_that_rule_3_1_gives(shop: Shop) -> None:
    digests: dict[int, Hash32] = {}
    for sale in sorted((each for of_way in shop.sales.values() for each in of_way), key=lambda s: s.ticket.ticket_id):
        check_ticket(sale.ticket, shop.world.ruleset)
        pool = sale.ticket.pool_id
        digests[pool] = next_digest(digests.get(pool, ZERO_HASH), sale.ticket)
        assert sale.event.digest == digests[pool]
        assert sale.ticket.tips == sale.order.tips
    on_chain = shop.view.ask("GameManager", "poolDays", 20_000)
    assert {pool: on_chain[pool][3] for pool in digests} == digests


def test_a_relayed_purchase_leaves_a_submitted_intent_with_its_transaction(shop: Shop) -> None:
    for sale, intent in zip(shop.sales[Way.RELAYED], shop.intents[Way.RELAYED], strict=True):
        assert intent is not None
        assert (intent.status, "0x" + (intent.tx_hash or b"").hex()) == ("SUBMITTED", sale.tx_hash)
        assert intent.gas_cost_atoms == sale.event.gas_cost_atoms > 0
        assert intent.ticket_id is None  # only the engine decides that


def test_after_a_crash_the_intent_stays_signed_without_a_transaction(shop: Shop) -> None:
    (intent,) = shop.intents[Way.CRASHED]
    assert intent is not None
    assert (intent.status, intent.tx_hash) == ("SIGNED", None)
    assert len(shop.sales[Way.CRASHED]) == 1  # although the chain has sold the ticket


def test_the_app_hears_nothing_of_a_direct_purchase(shop: Shop) -> None:
    (sale,) = shop.sales[Way.DIRECT]
    assert sale.intent_id is None
    assert sale.event.gas_cost_atoms == 0


def test_voucher_tips_are_paid_by_the_promotions_account(shop: Shop) -> None:
    (sale,) = (sale for sale in shop.sales[Way.RELAYED] if sale.order.voucher_tips)
    price = shop.world.ruleset.prices_atoms[sale.ticket.pool_id]
    promotions = ChainAccount(shop.chain, shop.world.account("promotions")).wallet
    assert shop.view.balance_of(promotions) == shop.bank.minted[promotions] - 3 * price
    spent = 2 * price + sale.event.gas_cost_atoms
    assert shop.view.balance_of(sale.ticket.buyer) == shop.bank.minted[sale.ticket.buyer] - spent


def test_only_the_relayer_can_relay_and_a_foreign_signature_buys_nothing(shop: Shop) -> None:
    order = order_of(shop.players[0], 0, 1)
    permit = shop.app.make_permit(order)
    stolen = sign_permit(order_of(shop.players[1], 0, 1), permit, shop.contracts.game_manager)
    data = codec("GameManager").call_data("buyTicketFor", (permit_fields(permit), order.tips, stolen))
    assert shop.relayer.refusal_of(shop.contracts.game_manager, data) == "BadSignature()"
    stranger = ChainAccount(shop.chain, shop.players[1].account)
    assert not succeeded(stranger.receipt(stranger.send(shop.contracts.game_manager, data)))


def test_a_purchase_that_reverts_is_no_sale(shop: Shop) -> None:
    poor = make_players(1, make_affiliates(1))[0]
    with pytest.raises(InvariantBroken, match="reverted"):
        shop.app.sell([order_of(poor, 4, 10)])
