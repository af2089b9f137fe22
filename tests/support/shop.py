"""The App in a test's hands: single purchases of the day after the sold one, each left in the state that is wanted."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from bo_engine.units import DayId, Hash32, PoolId, day_start
from io_layer.contracts.codec import codec
from io_layer.lottery.stores.intents import Intent, Permit, insert_intent, mark_signed, mark_submitted, select_intent
from io_layer.postgres.connection import Conn, connect
from local_world.chain_account import ChainAccount
from local_world.databases import with_database
from local_world.lottery.app import App, permit_fields, sign_permit
from local_world.lottery.bank import Bank
from local_world.lottery.players import Order, Person, Way, make_players, make_tips
from tests.support.played_world import PlayedWorld


class Shop:
    """Sells one-tip tickets in pool 0, at noon of the day after the sold one."""

    def __init__(self, played: PlayedWorld, conn: Conn) -> None:
        self.played = played
        self.conn = conn
        self.day = DayId(played.day + 1)
        self._dice = random.Random(played.day)
        self._manager = played.world.contracts.game_manager
        self.relayer = ChainAccount(played.chain, played.world.account("relayer"))
        self.app = App(conn, played.chain, played.world.contracts, self.relayer)
        played.chain.advance_to(day_start(self.day) + 43_200)

    def order(self, way: Way = Way.RELAYED, *, equipped: bool = True) -> Order:
        """A wish of a new player, who has money and has approved it unless told otherwise."""
        (person,) = make_players(1, [Person("nobody", self.played.world.account("charity"))])
        tips = make_tips(self._dice, 1, self.played.world.ruleset.number_max)
        order = Order(person, PoolId(0), paid_tips=1, voucher_tips=0, tips=tips, way=way)
        promotions = ChainAccount(self.played.chain, self.played.world.account("promotions"))
        bank = Bank(self.played.chain, self.played.world.contracts, promotions)
        bank.give_gas([person.wallet])
        if equipped:
            bank.equip([order], self.played.world.ruleset.prices_atoms)
        return order

    def create(self, order: Order) -> tuple[UUID, Permit]:
        """CREATED."""
        permit = self.app.make_permit(order)
        return insert_intent(self.conn, permit), permit

    def sign(self, order: Order) -> tuple[UUID, Permit, bytes]:
        """SIGNED."""
        intent_id, permit = self.create(order)
        signature = sign_permit(order, permit, self._manager)
        assert mark_signed(self.conn, intent_id, signature)
        return intent_id, permit, signature

    def submit(self, order: Order) -> UUID:
        """SUBMITTED, and sent: whether it succeeds is the chain's affair."""
        intent_id, permit, signature = self.sign(order)
        tx_hash = self.send(permit, signature)
        assert mark_submitted(self.conn, intent_id, tx_hash)
        return intent_id

    def send(self, permit: Permit, signature: bytes) -> Hash32:
        """Relay a permit and wait until it is mined; the transaction's hash."""
        data = codec("GameManager").call_data("buyTicketFor", (permit_fields(permit), permit.tips, signature))
        tx_hash = self.relayer.send(self._manager, data)
        self.relayer.receipt(tx_hash)
        return Hash32(bytes.fromhex(tx_hash[2:]))

    def intent(self, intent_id: UUID) -> Intent:
        """How the intent stands."""
        found = select_intent(self.conn, intent_id)
        assert found is not None
        return found


@contextmanager
def connected_app(played: PlayedWorld) -> Iterator[Conn]:
    """The App's own login at the test's database."""
    app_url = with_database(played.world.database.app_url, played.database_name, user=None)
    with connect(app_url, application_name="app", check_version=False) as conn:
        yield conn


@contextmanager
def opened_shop(played: PlayedWorld) -> Iterator[Shop]:
    """The shop with the App's own login."""
    with connected_app(played) as conn:
        yield Shop(played, conn)
