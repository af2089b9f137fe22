"""Plays a day that is voided on the chain, and its buyers, who take their stakes back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from bo_engine.units import DayId, Wallet, day_end, parse_wallet
from io_layer.contracts.codec import codec
from io_layer.rpc.endpoint import RpcEndpoint
from local_world.chain_account import ChainAccount, TxHash
from local_world.lottery.chain_view import ChainView
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

DAY_S = 86_400
_GAS = 8_000_000


class Purchase(NamedTuple):
    """A ticket as the chain keeps it: what its buyer paid himself, by the nonce of his permit."""

    buyer: Wallet
    nonce: bytes
    ticket_id: int
    stake_atoms: int


def void_day(played: PlayedWorld, day: DayId, *, by: str = "owner", after_days: int = 3) -> None:
    """Void a closed day whose VRF word is missing, so many days after its close; final afterwards."""
    played.chain.advance_to(day_end(day) + after_days * DAY_S + 1)
    account = ChainAccount(played.chain, played.world.account(by))
    settlement = played.world.contracts.settlement
    account.execute(settlement, codec("SettlementV4").call_data("voidDay", (day,)))
    played.chain.finalize()


def purchases(played: PlayedWorld, day: DayId) -> list[Purchase]:
    """The day's tickets from the chain alone, oldest first."""
    view = ChainView(played.chain, played.world.contracts)
    found = []
    for log in _logs(played, played.world.contracts.game_manager, [codec("GameManager").topic("TicketPurchased")]):
        fields = codec("GameManager").event("TicketPurchased", log)
        if fields["dayId"] == day:
            buyer = parse_wallet(fields["buyer"])
            _, stake, _ = view.ask("GameManager", "noteOf", buyer, fields["nonce"])
            found.append(Purchase(buyer, fields["nonce"], fields["ticketId"], stake))
    return found


def by_buyer(bought: Sequence[Purchase]) -> dict[Wallet, list[Purchase]]:
    """Each buyer's purchases."""
    found: dict[Wallet, list[Purchase]] = {}
    for one in bought:
        found.setdefault(one.buyer, []).append(one)
    return found


class Refunder:
    """Sends refunds; who sends does not matter. By ``refundMany`` as many buyers in one transaction as are given."""

    def __init__(self, played: PlayedWorld, by: str = "relayer") -> None:
        self._at = played.world.contracts
        self._sender = ChainAccount(played.chain, played.world.account(by))

    def refund(self, bought: Sequence[Purchase]) -> TxHash:
        """One call of ReserveVault.refund, of one buyer; must succeed."""
        (buyer,) = {one.buyer for one in bought}
        return self._execute(self._at.reserve_vault, "ReserveVault", "refund", buyer, [one.nonce for one in bought])

    def refund_many(self, bought: Sequence[Purchase]) -> TxHash:
        """One call of ClaimRouter.refundMany, buyer by buyer; one that fails is skipped."""
        calls = [(buyer, [one.nonce for one in each]) for buyer, each in by_buyer(bought).items()]
        return self._execute(self._at.claim_router, "ClaimRouter", "refundMany", calls)

    def refund_vouchers(self, day: DayId) -> TxHash:
        """ReserveVault.refundVouchers; must succeed."""
        return self._execute(self._at.reserve_vault, "ReserveVault", "refundVouchers", day)

    def set_payee(self, to: str) -> TxHash:
        """From now on what the sender is owed goes there."""
        return self._execute(self._at.reserve_vault, "ReserveVault", "setPayee", to)

    def refusal(self, buyer: Wallet, nonces: Sequence[bytes]) -> str | None:
        """Why ReserveVault would refuse this refund now; None if it would not."""
        return self._sender.refusal_of(
            self._at.reserve_vault, codec("ReserveVault").call_data("refund", (buyer, list(nonces)))
        )

    def forget_nonce(self) -> None:
        """After a reorg the chain knows better how many transactions there were."""
        self._sender._nonce = None

    def _execute(self, target: Wallet, contract: str, function: str, *arguments: object) -> TxHash:
        data = codec(contract).call_data(function, arguments)
        return TxHash(self._sender.execute(target, data, gas_limit=_GAS)["transactionHash"])


def impersonate(played: PlayedWorld, sender: Wallet, contract: str, function: str, *arguments: object) -> None:
    """A transaction of an account whose key we do not have, to one of our contracts."""
    chain, view = played.chain, ChainView(played.chain, played.world.contracts)
    chain.call("anvil_impersonateAccount", sender)
    chain.fund(sender)
    data = "0x" + codec(contract).call_data(function, arguments).hex()
    sent = {"from": sender, "to": view.address_of(contract), "data": data, "gas": hex(_GAS)}
    tx_hash = chain.call("eth_sendTransaction", sent)
    chain.mine(1)
    assert int(chain.call("eth_getTransactionReceipt", tx_hash)["status"], 16) == 1, (contract, function)


def refunded_logs(played: PlayedWorld) -> list[tuple[Any, ...]]:
    """What the chain itself says of all refunds, in the form of ``stored_refunds``."""
    reserve = codec("ReserveVault")
    topics = {reserve.topic("Refunded"): "stake", reserve.topic("VouchersRefunded"): "vouchers"}
    found = []
    for log in _logs(played, played.world.contracts.reserve_vault, [list(topics)]):
        kind = topics[log["topics"][0]]
        fields = reserve.event("Refunded" if kind == "stake" else "VouchersRefunded", log)
        found.append(
            (
                log["transactionHash"][2:],
                int(log["logIndex"], 16),
                kind,
                fields["dayId"],
                fields["buyer" if kind == "stake" else "account"].lower(),
                fields["nonce"].hex() if kind == "stake" else None,
                fields["to"].lower(),
                fields["amount"],
                int(log["blockNumber"], 16),
                log["blockHash"][2:],
            )
        )
    return sorted(found)


def stored_refunds(played: PlayedWorld, *, is_final: bool = True) -> list[tuple[Any, ...]]:
    """The rows of refunds."""
    found = rows(
        played,
        f"""SELECT encode(tx_hash, 'hex'), log_index, kind, day_id::integer, account::text, encode(nonce, 'hex'),
                   paid_to::text, amount::text, block_number, encode(block_hash, 'hex') FROM refunds
             WHERE is_final = {is_final}""",  # noqa: S608
    )
    return sorted((*row[:7], int(row[7]), *row[8:]) for row in found)


def _logs(played: PlayedWorld, address: Wallet, topics: list[Any]) -> list[dict[str, Any]]:
    query = {"address": address, "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
    # Not through the proxies: they may lie.
    found: list[dict[str, Any]] = RpcEndpoint("chain", played.chain.url).request("eth_getLogs", [query])
    return found
