"""Reads the contracts of a world at the head of its chain: what anybody could see there."""

from typing import Any, Final

from bo_engine.units import Atoms, Wallet
from io_layer.contracts.codec import codec
from local_world.chain import Chain
from local_world.lottery.deploy import DeployedContracts

_ADDRESS_OF: Final = {
    "AffiliateVault": "affiliate_vault",
    "CharityVault": "charity_vault",
    "ClaimRouter": "claim_router",
    "GameManager": "game_manager",
    "PrizeVault": "prize_vault",
    "ReserveVault": "reserve_vault",
    "Roles": "roles",
    "SettlementV4": "settlement",
    "TestUSDT": "usdt",
    "VRFReceiver": "vrf_receiver",
}


class ChainView:
    """Plain eth_calls; no key, no second endpoint, no engine."""

    def __init__(self, chain: Chain, contracts: DeployedContracts) -> None:
        self._chain = chain
        self.contracts = contracts

    def address_of(self, contract: str) -> Wallet:
        """Where the contract stands."""
        address: Wallet = getattr(self.contracts, _ADDRESS_OF[contract])
        return address

    def ask(self, contract: str, function: str, *arguments: object) -> Any:
        """The answer of a view function; a tuple if it has several results."""
        data = codec(contract).call_data(function, arguments)
        call = {"to": self.address_of(contract), "data": "0x" + data.hex()}
        answer = self._chain.call("eth_call", call, "latest")
        values = codec(contract).result(function, bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values

    def has_succeeded(self, tx_hash: str, contract: str) -> bool:
        """Whether the transaction stands on the chain, called this contract and took effect."""
        receipt = self._chain.call("eth_getTransactionReceipt", tx_hash)
        return receipt is not None and receipt["to"] == self.address_of(contract) and int(receipt["status"], 16) == 1

    def balance_of(self, wallet: Wallet) -> Atoms:
        """USDT of a wallet."""
        return Atoms(self.ask("TestUSDT", "balanceOf", wallet))
