"""What the contracts paid to players, in one scan of logs: claims of both vaults, refunds of ReserveVault."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from bo_engine.units import Wallet
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.claims import COMMISSIONS, PRIZES, claim_event
from io_layer.lottery.contracts.game import GameChain
from io_layer.lottery.contracts.refunds import RESERVE, stake_refund, voucher_refund
from io_layer.lottery.stores.payments.events import Payment
from io_layer.rpc import wire

#: Contract and event, and how the log becomes a value.
_EVENTS: Final[dict[tuple[str, str], Callable[[dict[str, Any]], Payment]]] = {
    (PRIZES, "Claimed"): claim_event,
    (COMMISSIONS, "Claimed"): claim_event,
    (RESERVE, "Refunded"): stake_refund,
    (RESERVE, "VouchersRefunded"): voucher_refund,
}


def read_payment_pages(game: GameChain, first: int, last: int) -> Iterator[tuple[int, list[Payment]]]:
    """Claims and refunds in blocks first..last: (last block, events in the chain's order) page by page."""
    decoders = {
        (game.contracts.of(name), codec(name).topic(event)): decode for (name, event), decode in _EVENTS.items()
    }
    addresses: list[Wallet] = list(dict.fromkeys(address for address, _ in decoders))
    topics = list(dict.fromkeys(topic for _, topic in decoders))
    for stop, logs in game.chain.read_log_pages(addresses, [topics], first, last):
        if any((log["address"], *log["topics"][:1]) not in decoders for log in logs):
            raise wire.unusable("the logs that were asked for")
        yield stop, [decoders[log["address"], log["topics"][0]](log) for log in logs]
