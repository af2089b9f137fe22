"""Plays the App: takes orders, keeps intents in the database, has players sign permits, and relays them.

It logs in as a member of ``bo_app`` and may do no more than the real App (docs/app.md). What it leaves unfinished, the
engine's recovery must find from the database and the chain alone.
"""

from dataclasses import dataclass
from secrets import token_bytes
from typing import Any, Final
from uuid import UUID

from bo_engine.errors import require_invariant
from bo_engine.keccak import keccak256
from bo_engine.units import ZERO_WALLET, Atoms, Hash32, Wallet, day_of
from core.lottery.model import PurchasedTicket, Ticket
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.game import purchased_ticket
from io_layer.lottery.stores.intents import Permit, insert_intent, mark_signed, mark_submitted
from io_layer.postgres.connection import Conn
from local_world.chain import CHAIN_ID, Chain
from local_world.chain_account import ChainAccount, TxHash, succeeded
from local_world.lottery.deploy import DeployedContracts
from local_world.lottery.players import Order, Way

_PERMIT_LIFE_S: Final = 900
_GAS_BASE_ATOMS: Final = 20_000
_GAS_PER_TIP_ATOMS: Final = 250

# The permit as wallets show it to the player; the order of the fields is part of the signature.
PERMIT_TYPES: Final = {
    "BuyPermit": [
        {"name": "buyer", "type": "address"},
        {"name": "dayId", "type": "uint256"},
        {"name": "poolId", "type": "uint8"},
        {"name": "tipsHash", "type": "bytes32"},
        {"name": "paidTips", "type": "uint8"},
        {"name": "voucherTips", "type": "uint8"},
        {"name": "affiliate", "type": "address"},
        {"name": "gasCostUsdt", "type": "uint256"},
        {"name": "deadline", "type": "uint64"},
        {"name": "nonce", "type": "bytes16"},
    ]
}


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase that the chain has confirmed. ``intent_id`` is None where the App had no part in it."""

    order: Order
    intent_id: UUID | None
    tx_hash: TxHash
    event: PurchasedTicket

    @property
    def ticket(self) -> Ticket:
        """The ticket as the chain announced it."""
        return self.event.ticket


def gas_cost_of(order: Order) -> Atoms:
    """What the App asks for relaying: a base and a little per tip, in atoms."""
    return Atoms(0 if order.way is Way.DIRECT else _GAS_BASE_ATOMS + _GAS_PER_TIP_ATOMS * order.tip_count)


def permit_fields(permit: Permit) -> tuple[Any, ...]:
    """The contract's ``BuyPermit``, in ABI order: the tips by their hash, no affiliate as the zero address."""
    return (
        permit.buyer,
        permit.day_id,
        permit.pool_id,
        keccak256(permit.tips),
        permit.paid_tips,
        permit.voucher_tips,
        permit.affiliate or ZERO_WALLET,
        permit.gas_cost_atoms,
        permit.deadline,
        permit.nonce,
    )


def sign_permit(order: Order, permit: Permit, game_manager: Wallet) -> bytes:
    """The player's EIP-712 signature (65 bytes), as his wallet makes it."""
    names = [entry["name"] for entry in PERMIT_TYPES["BuyPermit"]]
    signed = order.buyer.account.sign_typed_data(
        {"name": "BO-Engine", "version": "1", "chainId": CHAIN_ID, "verifyingContract": game_manager},
        PERMIT_TYPES,
        dict(zip(names, permit_fields(permit), strict=True)),
    )
    return bytes(signed.signature)


class App:
    """The shop: one database login, one relayer key."""

    def __init__(self, conn: Conn, chain: Chain, contracts: DeployedContracts, relayer: ChainAccount) -> None:
        self._conn = conn
        self._chain = chain
        self._manager = contracts.game_manager
        self._relayer = relayer

    def sell(self, orders: list[Order]) -> list[Sale]:
        """Sell one ticket after the other; all are sent before the first receipt is awaited.

        Raises: InvariantBroken ``sale_failed`` when a purchase that must succeed was reverted.
        """
        sent = [self._send(order) for order in orders]
        return [self._confirmed(order, intent_id, tx_hash) for order, intent_id, tx_hash in sent]

    def make_permit(self, order: Order) -> Permit:
        """The permit for an order, good for today and a quarter of an hour by the chain's clock."""
        now_s = self._chain.now()
        return Permit(
            buyer=order.buyer.wallet,
            day_id=day_of(now_s),
            pool_id=order.pool_id,
            paid_tips=order.paid_tips,
            voucher_tips=order.voucher_tips,
            affiliate=order.buyer.affiliate,
            gas_cost_atoms=gas_cost_of(order),
            deadline=now_s + _PERMIT_LIFE_S,
            nonce=token_bytes(16),
            tips=order.tips,
        )

    def _send(self, order: Order) -> tuple[Order, UUID | None, TxHash]:
        permit = self.make_permit(order)
        if order.way is Way.DIRECT:
            # The player's own transaction: no permit to sign, no intent, and the App never hears of it.
            player = ChainAccount(self._chain, order.buyer.account)
            data = codec("GameManager").call_data("buyTicket", (permit_fields(permit), order.tips))
            return order, None, player.send(self._manager, data)
        intent_id = insert_intent(self._conn, permit)
        signature = sign_permit(order, permit, self._manager)
        require_invariant(mark_signed(self._conn, intent_id, signature), "intent_lost", f"intent {intent_id} has moved")
        data = codec("GameManager").call_data("buyTicketFor", (permit_fields(permit), order.tips, signature))
        tx_hash = self._relayer.send(self._manager, data)
        if order.way is not Way.CRASHED:
            # A crash between the line above and the next one loses the hash: the intent stays SIGNED.
            noted = mark_submitted(self._conn, intent_id, Hash32(bytes.fromhex(tx_hash[2:])))
            require_invariant(noted, "intent_lost", f"intent {intent_id} has moved")
        return order, intent_id, tx_hash

    def _confirmed(self, order: Order, intent_id: UUID | None, tx_hash: TxHash) -> Sale:
        receipt = self._relayer.receipt(tx_hash)
        require_invariant(succeeded(receipt), "sale_failed", f"{order.buyer.name}: purchase {tx_hash} was reverted")
        topic = codec("GameManager").topic("TicketPurchased")
        (log,) = (log for log in receipt["logs"] if log["topics"][0] == topic)
        return Sale(order, intent_id, tx_hash, purchased_ticket(log, is_final=False))
